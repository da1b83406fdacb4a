package repo

import (
	"context"
	"fmt"
	"sync/atomic"
)

// ReadOnly reads a database that another process may be writing: the command
// line beside its server.
type ReadOnly struct{ repo *Repo }

// OpenReader opens the database at path for reading alone. Nothing is touched
// until the first View.
func OpenReader(path string) (*ReadOnly, error) {
	reads, err := openReads(path, readConns, new(atomic.Int64)) // it may be LiteFS's
	if err != nil {
		return nil, err
	}
	return &ReadOnly{&Repo{path: path, reads: reads}}, nil
}

// View is Repo.View.
func (o *ReadOnly) View(ctx context.Context, fn func(rd Reader) error) error {
	return o.repo.View(ctx, fn)
}

// Close closes the database.
func (o *ReadOnly) Close() error {
	if err := o.repo.reads.Close(); err != nil {
		return fmt.Errorf("close read pool: %w", err)
	}
	return nil
}
