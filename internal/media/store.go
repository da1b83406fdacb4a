package media

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"

	"blog/internal/apperr"
	"blog/internal/repo"
)

// Picture is what is stored of a picture besides its bytes.
type Picture struct {
	Hash string
	Info
	Size int64
}

// Lookup returns a complete picture. It fails with NotFound when there is none.
func Lookup(ctx context.Context, rd repo.Reader, hash string) (Picture, error) {
	p, _, err := lookup(ctx, rd, hash)
	return p, err
}

func lookup(ctx context.Context, rd repo.Reader, hash string) (Picture, int, error) {
	p := Picture{Hash: hash}
	var chunks int
	err := rd.QueryRowContext(ctx,
		"SELECT type, ext, width, height, size, chunks FROM media WHERE hash = ? AND complete = 1", hash).
		Scan(&p.Type, &p.Ext, &p.Width, &p.Height, &p.Size, &chunks)
	if errors.Is(err, sql.ErrNoRows) {
		return p, 0, apperr.Errorf(apperr.NotFound, "There is no such picture.")
	}
	if err != nil {
		return p, 0, fmt.Errorf("read picture: %w", err)
	}
	return p, chunks, nil
}

// Read returns a complete picture with its bytes. It fails with NotFound when there is none.
func Read(ctx context.Context, rd repo.Reader, hash string) (Picture, []byte, error) {
	p, chunks, err := lookup(ctx, rd, hash)
	if err != nil {
		return p, nil, err
	}
	data, err := read(ctx, rd, hash, chunks)
	return p, data, err
}

func read(ctx context.Context, rd repo.Reader, hash string, chunks int) (_ []byte, err error) {
	rows, err := rd.QueryContext(ctx, "SELECT data FROM media_chunks WHERE hash = ? ORDER BY n", hash)
	if err != nil {
		return nil, fmt.Errorf("read chunks: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []byte
	n := 0
	for rows.Next() {
		var c sql.RawBytes
		if err := rows.Scan(&c); err != nil {
			return nil, fmt.Errorf("read chunks: %w", err)
		}
		out = append(out, c...)
		n++
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read chunks: %w", err)
	}
	if n != chunks {
		return nil, fmt.Errorf("read chunks of %s: %w", hash, io.ErrUnexpectedEOF)
	}
	return out, nil
}

// Public reports whether a published post shows the picture.
func Public(ctx context.Context, rd repo.Reader, hash string) (bool, error) {
	var yes bool
	err := rd.QueryRowContext(ctx, `
		SELECT EXISTS (
			SELECT 1
			FROM post_media pm
			JOIN posts p ON p.id = pm.post_id
			WHERE pm.hash = ? AND p.state = 'published'
		)`, hash).Scan(&yes)
	if err != nil {
		return false, fmt.Errorf("read picture: %w", err)
	}
	return yes, nil
}

// Commands returns the commands of this package, for repo.NewRegistry.
func Commands() []repo.Registration {
	return []repo.Registration{repo.Register[Put](), repo.Register[Sweep]()}
}
