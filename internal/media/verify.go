package media

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"blog/internal/repo"
)

// verdict is what there is to say of all the chunks together.
type verdict struct {
	whole   []byte
	refusal error // nil: the picture is what it was announced as
}

// Prepare looks at the whole picture when this is the last chunk of it that is
// missing: hashing and reading ten megabytes takes too long under the lock.
func (p Put) Prepare(ctx context.Context, rd repo.Reader) (repo.Command[Stored], error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if _, err := Lookup(ctx, rd, p.Hash); err == nil {
		return p, nil // there is nothing to store
	} else if !errors.Is(err, repo.NotFound) {
		return nil, err
	}
	whole, err := p.together(ctx, rd)
	if err == nil && whole != nil {
		p.checked = &verdict{whole, p.verify(whole)}
	}
	return p, err
}

// together returns the chunks that are stored with this one in its place, nil
// while others are missing.
func (p Put) together(ctx context.Context, rd repo.Reader) (_ []byte, err error) {
	const others = `
		FROM media_chunks AS c
		JOIN media AS m ON m.hash = c.hash
		WHERE c.hash = ? AND c.n <> ? AND (m.type, m.ext, m.width, m.height, m.size, m.chunks) = (?, ?, ?, ?, ?, ?)`
	args := []any{p.Hash, p.N, p.Type, p.Ext, p.Width, p.Height, p.Size, p.Chunks}
	var have int
	if err = rd.QueryRowContext(ctx, "SELECT COUNT(*)"+others, args...).Scan(&have); err != nil {
		return nil, fmt.Errorf("count chunks: %w", err)
	}
	if have < p.Chunks-1 {
		return nil, nil
	}
	whole := make([]byte, p.Size)
	copy(whole[p.N*ChunkSize:], p.Data)
	rows, err := rd.QueryContext(ctx, "SELECT c.n, c.data"+others, args...)
	if err != nil {
		return nil, fmt.Errorf("read chunks: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var n int
		var c sql.RawBytes
		if err := rows.Scan(&n, &c); err != nil {
			return nil, fmt.Errorf("read chunks: %w", err)
		}
		copy(whole[n*ChunkSize:], c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read chunks: %w", err)
	}
	return whole, nil
}

// verdict returns why what is stored now never becomes a picture, or nil. It is
// Prepare's, unless another chunk came in between, as it does when several are sent at
// once: then the call is prepared again, and after that often enough it is found here.
func (p Put) verdict(ctx context.Context, tx *repo.Tx) (refusal, err error) {
	whole, err := read(ctx, tx, p.Hash, p.Chunks)
	if err != nil {
		return nil, err
	}
	if c := p.checked; c != nil && bytes.Equal(c.whole, whole) {
		return c.refusal, nil
	}
	if err := tx.PrepareAgain(); err != nil {
		return nil, err
	}
	return p.verify(whole), nil
}

// verify holds that bytes never become public under a type that they do not have,
// nor with what Strip removes.
func (p Put) verify(whole []byte) (refusal error) {
	if Hash(whole) != p.Hash {
		return refuse("is not what it was announced as")
	}
	info, err := Inspect(whole)
	if err != nil {
		return refuse(err.Error())
	}
	clean, err := Strip(whole)
	switch {
	case err != nil:
		return refuse(err.Error())
	case info != (Info{Type: p.Type, Ext: p.Ext, Width: p.Width, Height: p.Height}), Hash(clean) != p.Hash:
		return refuse("is not what it was announced as")
	}
	return nil
}
