package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"blog/internal/repo"
)

// verdict is what there is to say of all the chunks together.
type verdict struct {
	whole   []byte
	refusal error // nil: the picture is what it was announced as
}

// Prepare looks at the whole picture when this is the last chunk of it that is
// missing: hashing and reading ten megabytes takes too long under the lock.
func (p Put) Prepare(ctx context.Context, v repo.Viewer) (repo.Command[Stored], error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	last := false
	err := v.View(ctx, func(rd repo.Reader) (err error) {
		last, err = p.last(ctx, rd)
		return err
	})
	if !last || err != nil {
		return p, err
	}
	whole, err := p.together(ctx, v)
	if err == nil && whole != nil {
		p.checked = &verdict{whole, p.verify(whole)}
	}
	return p, err
}

// last reports whether this is the one chunk that is missing of what was announced.
func (p Put) last(ctx context.Context, rd repo.Reader) (bool, error) {
	if _, err := Lookup(ctx, rd, p.Hash); !errors.Is(err, repo.NotFound) {
		return false, err // nil: there is nothing to store
	}
	var others int
	err := rd.QueryRowContext(ctx, `
		SELECT COUNT(*)
		FROM media_chunks AS c
		JOIN media AS m ON m.hash = c.hash
		WHERE c.hash = ? AND c.n <> ? AND (m.type, m.ext, m.width, m.height, m.size, m.chunks) = (?, ?, ?, ?, ?, ?)`,
		p.Hash, p.N, p.Type, p.Ext, p.Width, p.Height, p.Size, p.Chunks).Scan(&others)
	if err != nil {
		return false, fmt.Errorf("count chunks: %w", err)
	}
	return others >= p.Chunks-1, nil
}

// together returns the chunks that are stored with this one in its place, nil when one
// has gone meanwhile. It reads each in a transaction of its own: one over all of a
// picture would hold up commits. Apply compares what it returns with what is there then.
func (p Put) together(ctx context.Context, v repo.Viewer) ([]byte, error) {
	whole := make([]byte, p.Size)
	for n := range int64(p.Chunks) {
		part := whole[n*ChunkSize : min((n+1)*ChunkSize, p.Size)]
		if n == int64(p.N) {
			copy(part, p.Data)
			continue
		}
		data, err := readChunk(ctx, v, p.Hash, n, int64(len(part)))
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		copy(part, data)
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
