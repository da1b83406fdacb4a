package media

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"

	"blog/internal/repo"
)

// Reader reads the bytes of a picture as an io.ReadSeeker. It has one chunk in memory and reads
// each chunk in a transaction, so a slow client delays no write. When the picture is removed
// meanwhile, Read returns io.ErrUnexpectedEOF.
type Reader struct {
	chunk func(n int64) ([]byte, error)
	size  int64
	at    int64
	n     int64  // of the chunk in data
	data  []byte // nil without a chunk
	err   error
}

// NewReader returns a reader of a picture that Lookup has found. It reads nothing before the first
// Read. ctx is for each read.
func NewReader(ctx context.Context, v repo.Viewer, p Picture) *Reader {
	return &Reader{size: p.Size, chunk: func(n int64) ([]byte, error) {
		want := min(ChunkSize, p.Size-n*ChunkSize)
		return readChunk(ctx, v, p.Hash, n, want)
	}}
}

func readChunk(ctx context.Context, v repo.Viewer, hash string, n, want int64) (data []byte, err error) {
	err = v.View(ctx, func(rd repo.Reader) error {
		err = rd.QueryRowContext(ctx, "SELECT data FROM media_chunks WHERE hash = ? AND n = ?", hash, n).Scan(&data)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		return nil
	})
	if err == nil && int64(len(data)) != want {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("read chunk %d of %s: %w", n, hash, err)
	}
	return data, nil
}

// Read implements io.Reader. It reads from one chunk.
func (r *Reader) Read(p []byte) (int, error) {
	switch {
	case r.at >= r.size:
		r.data = nil // sending the last chunk to a slow client needs no memory here
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	if n := r.at / ChunkSize; r.data == nil || n != r.n {
		data, err := r.chunk(n)
		if err != nil {
			r.err = err
			return 0, err
		}
		r.data, r.n = data, n
	}
	copied := copy(p, r.data[r.at%ChunkSize:])
	r.at += int64(copied)
	return copied, nil
}

// Seek implements io.Seeker.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.size
	default:
		return 0, fmt.Errorf("seek in picture: whence is %d", whence)
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek in picture: to %d", offset)
	}
	r.at = offset
	return offset, nil
}

// Err returns the error of a failed Read, for a caller that passes the reader to a function which
// returns no errors. It is nil at the end.
func (r *Reader) Err() error { return r.err }
