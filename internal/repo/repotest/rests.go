package repotest

import (
	"context"

	"blog/internal/repo"
)

// Rests is a Durability that lets every answer go at once, and says that it rests on this.
type Rests repo.Assurance

// Lead implements repo.Durability.
func (Rests) Lead(context.Context, <-chan struct{}) error { return nil }

// Resign implements repo.Durability.
func (Rests) Resign() {}

// Await implements repo.Durability.
func (r Rests) Await(context.Context, repo.Cursor, <-chan struct{}) (repo.Assurance, error) {
	return repo.Assurance(r), nil
}
