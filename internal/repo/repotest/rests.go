package repotest

import (
	"context"

	"blog/internal/repo"
)

// Rests is a Durability that lets every answer go at once, and says that it rests on this.
type Rests repo.Assurance

// Lead implements repo.Durability.
func (r Rests) Lead(context.Context, <-chan struct{}) (repo.Term, error) { return restsTerm(r), nil }

type restsTerm repo.Assurance

func (restsTerm) End() {}

func (r restsTerm) Await(context.Context, repo.Cursor) (repo.Assurance, error) {
	return repo.Assurance(r), nil
}

func (r restsTerm) Confirm(context.Context, repo.Cursor) (repo.Assurance, error) {
	return repo.Assurance(r), nil
}

// Ended is a Term that acknowledges nothing.
type Ended struct{}

// Await implements repo.Term.
func (Ended) Await(context.Context, repo.Cursor) (repo.Assurance, error) {
	return "", context.Canceled
}

// Confirm implements repo.Term.
func (Ended) Confirm(context.Context, repo.Cursor) (repo.Assurance, error) {
	return "", context.Canceled
}

// End implements repo.Term.
func (Ended) End() {}
