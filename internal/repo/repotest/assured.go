package repotest

import (
	"context"

	"blog/internal/repo"
)

// Assured is a Durability that acknowledges every answer at once, with itself as the assurance.
type Assured repo.Assurance

// BeginTerm implements repo.Durability.
func (r Assured) BeginTerm(context.Context, <-chan struct{}) (repo.Term, error) {
	return assuredTerm(r), nil
}

type assuredTerm repo.Assurance

func (assuredTerm) End() {}

func (r assuredTerm) Await(context.Context, repo.Cursor) (repo.Assurance, error) {
	return repo.Assurance(r), nil
}

func (r assuredTerm) Confirm(context.Context, repo.Cursor) (repo.Assurance, error) {
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
