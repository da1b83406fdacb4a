package accounts

import (
	"context"
	"errors"
	"time"

	"blog/internal/apperr"
	"blog/internal/repo"
)

// Confirm is a command that changes nothing. Its answer is at the primary's newest row: a copy that
// has that row has everything that was written before the call.
type Confirm struct{}

// Name returns "accounts.confirm".
func (Confirm) Name() string { return "accounts.confirm" }

// Public implements repo.Public: a visitor may run it.
func (Confirm) Public() {}

// Apply implements repo.Command.
func (Confirm) Apply(_ context.Context, tx *repo.Tx) (Done, error) {
	tx.NoChange()
	return Done{}, nil
}

// checked is the result of comparing a password with this node's copy.
type checked struct {
	user  User
	stale bool        // the hash has another cost than the hasher's
	at    repo.Cursor // newest row of the copy
}

// check returns the user with this address and password. It fails with WrongLogin only by a copy
// that has everything that was written before the call. A password that does not fit a copy that is
// behind may be right on the primary, if the account or its password is new. So check asks the
// primary for its newest row, gives the copy time to get that, and compares the password once more.
// When that is not possible it fails with Unconfirmed.
//
// It does not ask the primary about the account: what it does, and how long that takes, depends on
// the copy alone. A password that fits needs no such question, since Login names its revision.
func (s *Service) check(ctx context.Context, email, password string) (checked, error) {
	c, err := s.compare(ctx, email, password, repo.Cursor{})
	if !errors.Is(err, apperr.Unauthorized) {
		return c, err
	}
	_, receipt, cerr := repo.Do(asVisitor(ctx), s.store, Confirm{})
	switch {
	case cerr != nil:
		return checked{}, errUnconfirmed(cerr)
	case receipt.Cursor == c.at:
		return checked{}, err
	}
	// A caller who leaves now, or fills the queue, has learnt that the password does not fit the copy of before.
	if c, err = s.compare(ctx, email, password, receipt.Cursor); err != nil && !isAttempt(err) {
		return checked{}, errUnconfirmed(err)
	}
	return c, err
}

// compare compares the password with this node's copy. It fails with Unconfirmed when the copy does
// not have the row at needs. The read transaction ends before the slow part begins.
func (s *Service) compare(ctx context.Context, email, password string, needs repo.Cursor) (c checked, err error) {
	var hash string
	err = s.store.View(ctx, func(rd repo.Reader) error {
		var place repo.Place
		place, err = repo.Locate(ctx, rd, needs)
		if err == nil && (place == repo.Ahead || place == repo.Elsewhere) {
			return errUnconfirmed(nil)
		}
		if err == nil {
			c.at, err = repo.Newest(ctx, rd)
		}
		if err == nil {
			c.user, hash, err = credentials(ctx, rd, NormalEmail(email))
		}
		return err
	})
	if err != nil && !errors.Is(err, apperr.NotFound) {
		return c, err
	}
	ok, stale, err := s.hasher.Verify(ctx, hash, password)
	if err == nil && !ok {
		err = errWrong()
	}
	c.stale = stale
	return c, err
}

// isAttempt reports whether err, a result of check, counts as an attempt to guess a password. It
// does when the password does not fit this node's copy, whatever the primary's has: guesses would
// otherwise have no limit while the primary cannot be asked.
func isAttempt(err error) bool {
	return errors.Is(err, apperr.Unauthorized) || apperr.HasReason(err, Unconfirmed)
}

// errUnconfirmed returns the error for a password that does not fit this copy, when the primary
// cannot be asked or what it has cannot be compared.
func errUnconfirmed(cause error) error {
	return apperr.NewUnavailable(Unconfirmed, "The password cannot be checked just now: this copy of the blog may be "+
		"behind. Try again in a moment.", 2*time.Second, cause)
}

// asVisitor returns ctx without a user, because a session that has ended must not prevent a new
// one.
func asVisitor(ctx context.Context) context.Context {
	return repo.As(ctx, repo.Actor{Name: repo.Visitor})
}
