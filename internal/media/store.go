package media

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"

	"blog/internal/repo"
)

// Picture is what is stored of a picture beside its bytes.
type Picture struct {
	Hash string
	Info
	Size int64
}

// Put stores one chunk of a picture. The chunks may come in any order and any
// number of times; the picture can be used when the last one is there.
type Put struct {
	Hash   string `json:"hash"`
	Type   string `json:"type"`
	Ext    string `json:"ext"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
	Size   int64  `json:"size"`
	Chunks int    `json:"chunks"`
	N      int    `json:"n"` // from 0
	Data   []byte `json:"data"`
}

// Stored is the result of Put.
type Stored struct {
	Hash     string `json:"hash"`
	Complete bool   `json:"complete"`
}

// Name is "media.put".
func (Put) Name() string { return "media.put" }

// Apply stores the chunk. With the last one the whole is checked: what does not
// have the hash and the kind it was announced with is refused.
func (p Put) Apply(ctx context.Context, tx *repo.Tx) (Stored, error) {
	if err := p.check(); err != nil {
		return Stored{}, err
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO media (hash, type, ext, width, height, size, chunks, added_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (hash) DO NOTHING`, p.Hash, p.Type, p.Ext, p.Width, p.Height, p.Size, p.Chunks, repo.FormatTime(tx.Now()))
	if err != nil {
		return Stored{}, fmt.Errorf("store picture: %w", err)
	}
	res, err := tx.ExecContext(ctx, "INSERT INTO media_chunks (hash, n, data) VALUES (?, ?, ?) ON CONFLICT (hash, n) DO NOTHING", p.Hash, p.N, p.Data)
	if err != nil {
		return Stored{}, fmt.Errorf("store chunk: %w", err)
	}
	var have, complete int
	err = tx.QueryRowContext(ctx, "SELECT COUNT(*), (SELECT complete FROM media WHERE hash = ?1) FROM media_chunks WHERE hash = ?1", p.Hash).Scan(&have, &complete)
	if err != nil {
		return Stored{}, fmt.Errorf("count chunks: %w", err)
	}
	if n, err := res.RowsAffected(); err == nil && n == 0 && (complete == 1 || have < p.Chunks) {
		tx.NoChange()
		return Stored{Hash: p.Hash, Complete: complete == 1}, nil
	}
	if have < p.Chunks {
		return Stored{Hash: p.Hash}, nil
	}
	if err := p.verify(ctx, tx); err != nil {
		return Stored{}, err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE media SET complete = 1 WHERE hash = ?", p.Hash); err != nil {
		return Stored{}, fmt.Errorf("complete picture: %w", err)
	}
	return Stored{Hash: p.Hash, Complete: true}, nil
}

func (p Put) check() error {
	chunks := int((p.Size + ChunkSize - 1) / ChunkSize)
	switch {
	case len(p.Hash) != 64, p.Size <= 0, p.Size > MaxBytes, p.Chunks != chunks, p.N < 0, p.N >= chunks, len(p.Data) > ChunkSize, len(p.Data) == 0:
		return repo.InvalidFields(map[string]string{"image": "is not cut into chunks as it should be, or is larger than 10 MB"})
	}
	return nil
}

// verify reads the whole picture back: a stranger's bytes never become public
// under a type that they do not have.
func (p Put) verify(ctx context.Context, tx *repo.Tx) error {
	data, err := read(ctx, tx, p.Hash, p.Chunks)
	if err != nil {
		return err
	}
	info, err := Inspect(data)
	if err != nil {
		return repo.InvalidFields(map[string]string{"image": err.Error()})
	}
	if Hash(data) != p.Hash || info != (Info{Type: p.Type, Ext: p.Ext, Width: p.Width, Height: p.Height}) {
		return repo.InvalidFields(map[string]string{"image": "is not what it was announced as"})
	}
	return nil
}

// Upload strips a picture and stores it, chunk by chunk, each in a write of its
// own. A chunk that is there already costs nothing: what broke off is sent again. The errors of the content are Invalid, by the field "image".
func Upload(ctx context.Context, w repo.Writer, data []byte) (Picture, error) {
	clean, err := Strip(data)
	if err != nil {
		return Picture{}, repo.InvalidFields(map[string]string{"image": err.Error()})
	}
	info, err := Inspect(clean)
	if err != nil {
		return Picture{}, repo.InvalidFields(map[string]string{"image": err.Error()})
	}
	hash := Hash(clean)
	chunks := Chunks(clean)
	for n, c := range chunks {
		put := Put{Hash: hash, Type: info.Type, Ext: info.Ext, Width: info.Width, Height: info.Height, Size: int64(len(clean)), Chunks: len(chunks), N: n, Data: c}
		if _, err := repo.Write(ctx, w, put); err != nil {
			return Picture{}, err
		}
	}
	return Picture{Hash: hash, Info: info, Size: int64(len(clean))}, nil
}

// Lookup returns a complete picture. NotFound otherwise.
func Lookup(ctx context.Context, rd repo.Reader, hash string) (Picture, error) {
	p, _, err := lookup(ctx, rd, hash)
	return p, err
}

func lookup(ctx context.Context, rd repo.Reader, hash string) (Picture, int, error) {
	p := Picture{Hash: hash}
	var chunks int
	err := rd.QueryRowContext(ctx, "SELECT type, ext, width, height, size, chunks FROM media WHERE hash = ? AND complete = 1", hash).
		Scan(&p.Type, &p.Ext, &p.Width, &p.Height, &p.Size, &chunks)
	if errors.Is(err, sql.ErrNoRows) {
		return p, 0, repo.Errorf(repo.NotFound, "There is no such picture.")
	}
	if err != nil {
		return p, 0, fmt.Errorf("read picture: %w", err)
	}
	return p, chunks, nil
}

// Read returns a complete picture with its bytes. NotFound otherwise.
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
		SELECT EXISTS (SELECT 1 FROM post_media pm JOIN posts p ON p.id = pm.post_id WHERE pm.hash = ? AND p.state = 'published')`, hash).Scan(&yes)
	if err != nil {
		return false, fmt.Errorf("read picture: %w", err)
	}
	return yes, nil
}

// RemoveUnused removes a picture that no post shows.
func RemoveUnused(ctx context.Context, tx *repo.Tx, hash string) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM media WHERE hash = ?1 AND NOT EXISTS (SELECT 1 FROM post_media WHERE hash = ?1)", hash)
	if err != nil {
		return fmt.Errorf("remove picture: %w", err)
	}
	return nil
}

// Commands are the commands of this package, for repo.NewRegistry.
func Commands() []repo.Registration { return []repo.Registration{repo.Register[Put]()} }
