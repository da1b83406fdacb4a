package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"blog/internal/apperr"
	"blog/internal/repo"
)

// verdict is the result of checking all chunks together.
type verdict struct {
	whole   []byte
	refusal error // nil when the picture is what was announced
}

// Prepare checks the whole picture when this is its last missing chunk. Hashing and parsing ten
// megabytes would take too long under the lock.
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

// last reports whether this is the only chunk that is missing.
func (p Put) last(ctx context.Context, rd repo.Reader) (bool, error) {
	if _, err := Lookup(ctx, rd, p.Hash); !errors.Is(err, apperr.NotFound) {
		return false, err // nil when there is nothing to store
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

// together returns all chunks of the picture, with this one in its place, or nil when one has been
// removed meanwhile. It reads each chunk in a transaction of its own, because a single one over all
// chunks would delay commits. Apply compares the result with what is stored then.
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

// verdict returns why the stored bytes never become a picture, or nil. It uses the verdict of
// Prepare, unless another chunk was stored in between, as happens when several are sent at the same
// time: then the call is prepared again, and after too many times the bytes are checked here.
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

// verify checks the bytes, so that they never become public under a type that they do not have, or
// with anything that Strip removes.
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
