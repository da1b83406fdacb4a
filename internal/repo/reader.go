package repo

import (
	"context"
	"fmt"

	"blog/internal/sqlite"
)

// ReadOnly reads a database that another process may be writing, as the command line does
// beside its server.
type ReadOnly struct{ repo *Repo }

// OpenReader opens the database at path for reading alone. Nothing is touched
// until the first View.
func OpenReader(path string) (*ReadOnly, error) {
	db, err := sqlite.Open(path, sqlite.Options{LiteFS: true}) // it may be LiteFS's
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return &ReadOnly{&Repo{db: db}}, nil
}

// View is Repo.View.
func (o *ReadOnly) View(ctx context.Context, fn func(rd Reader) error) error {
	return o.repo.View(ctx, fn)
}

// Close closes the database.
func (o *ReadOnly) Close() error { return o.repo.db.Close() }
