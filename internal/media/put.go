package media

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"blog/internal/apperr"
	"blog/internal/repo"
)

// Put is the command that stores one chunk of a picture. Chunks may come in any order and any
// number of times. The picture can be used once all of them are stored. It fails with Invalid for
// the field image.
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

	checked *verdict // set by Prepare; nil unless this is the last missing chunk
}

// Stored is the result of Put.
type Stored struct {
	Hash     string `json:"hash"`
	Complete bool   `json:"complete"`
}

// Name returns "media.put".
func (Put) Name() string { return "media.put" }

// Bulk marks the command as one of many: an upload sends one for each chunk.
func (Put) Bulk() {}

// Apply stores the chunk. With the last missing one it checks the whole: bytes that do not have the
// announced hash and type never become a picture. A picture of a single chunk is refused. Of one
// with several, the stored chunks are deleted and Complete stays false, because wrong chunks must
// not prevent the upload of the right picture for ever.
func (p Put) Apply(ctx context.Context, tx *repo.Tx) (Stored, error) {
	if err := p.check(); err != nil {
		return Stored{}, err
	}
	if _, err := Lookup(ctx, tx, p.Hash); err == nil {
		changed, werr := uploaded(ctx, tx, p.Hash)
		if !changed {
			tx.NoChange()
		}
		return Stored{Hash: p.Hash, Complete: werr == nil}, werr
	} else if !errors.Is(err, apperr.NotFound) {
		return Stored{}, err
	}
	changed, err := p.store(ctx, tx)
	if err != nil {
		return Stored{}, err
	}
	var have int
	if err = tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM media_chunks WHERE hash = ?", p.Hash).Scan(&have); err != nil {
		return Stored{}, fmt.Errorf("count chunks: %w", err)
	}
	if have < p.Chunks {
		if !changed {
			tx.NoChange()
		}
		return Stored{Hash: p.Hash}, nil
	}
	refusal, err := p.verdict(ctx, tx)
	switch {
	case err != nil:
		return Stored{}, err
	case refusal != nil && p.Chunks == 1: // none of it was stored before
		return Stored{}, refusal
	case refusal != nil:
		_, err = tx.ExecContext(ctx, "DELETE FROM media WHERE hash = ?", p.Hash)
	default:
		_, err = tx.ExecContext(ctx, "UPDATE media SET complete = 1 WHERE hash = ?", p.Hash)
	}
	if err != nil {
		return Stored{}, fmt.Errorf("complete picture: %w", err)
	}
	return Stored{Hash: p.Hash, Complete: refusal == nil}, nil
}

// store inserts the chunk or replaces it. Another announcement of the same picture is replaced,
// with its chunks.
func (p Put) store(ctx context.Context, tx *repo.Tx) (bool, error) {
	changed := false
	for _, s := range []struct {
		query string
		args  []any
	}{
		{`
			DELETE FROM media
			WHERE hash = ? AND (type, ext, width, height, size, chunks) <> (?, ?, ?, ?, ?, ?)`,
			[]any{p.Hash, p.Type, p.Ext, p.Width, p.Height, p.Size, p.Chunks}},
		{`
			INSERT INTO media (hash, type, ext, width, height, size, chunks, added_at, used_at)
			VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)
			ON CONFLICT (hash) DO NOTHING`,
			[]any{p.Hash, p.Type, p.Ext, p.Width, p.Height, p.Size, p.Chunks, repo.FormatTime(tx.Now())}},
		{`
			INSERT INTO media_chunks (hash, n, data)
			VALUES (?, ?, ?)
			ON CONFLICT (hash, n) DO UPDATE SET data = excluded.data WHERE data <> excluded.data`,
			[]any{p.Hash, p.N, p.Data}},
	} {
		res, err := tx.ExecContext(ctx, s.query, s.args...)
		if err != nil {
			return false, fmt.Errorf("store chunk: %w", err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return false, fmt.Errorf("store chunk: %w", err)
		}
		changed = changed || n > 0
	}
	late, err := uploaded(ctx, tx, p.Hash) // the upload may have been broken off long ago
	return changed || late, err
}

func (p Put) check() error {
	fields := map[string]string{}
	sum, err := hex.DecodeString(p.Hash)
	if err != nil || len(sum) != 32 || hex.EncodeToString(sum) != p.Hash {
		fields["hash"] = "must be the SHA-256 of the picture in lower-case hexadecimal"
	}
	if p.Size <= 0 || p.Size > MaxBytes {
		fields["size"] = fmt.Sprintf("must be 1 to %d bytes", MaxBytes)
	} else if want := (p.Size + ChunkSize - 1) / ChunkSize; int64(p.Chunks) != want {
		fields["chunks"] = fmt.Sprintf("must be %d for this size", want)
	}
	if len(fields) == 0 {
		length := int64(ChunkSize)
		switch {
		case p.N < 0 || p.N >= p.Chunks:
			fields["n"] = "must be the number of a chunk, from 0"
		case p.N == p.Chunks-1:
			length = p.Size - int64(p.N)*ChunkSize
		}
		if fields["n"] == "" && int64(len(p.Data)) != length {
			fields["data"] = fmt.Sprintf("must have %d bytes", length)
		}
	}
	return apperr.InvalidFields(fields)
}

func refuse(problem string) error { return apperr.InvalidFields(map[string]string{"image": problem}) }
