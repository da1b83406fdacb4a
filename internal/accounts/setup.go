package accounts

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"blog/internal/apperr"
	"blog/internal/repo"
)

// offerAgain is the pause before a failed offer is tried again.
const offerAgain = 5 * time.Second

// SetupTask returns the primary's task that offers the one-time link for the first author. When
// there is no author, it makes a token, stores its hash in place of the one before, and calls
// announce with the token, which prints the link. So only the primary prints a link, and only the
// newest one is valid.
func SetupTask(announce func(token string), log *slog.Logger) repo.Task {
	return func(ctx context.Context, r *repo.Repo) {
		for {
			token, err := offer(ctx, r)
			switch {
			case ctx.Err() != nil:
				return
			case err == nil:
				if token != "" {
					announce(token)
				}
				return
			}
			log.Error("offer the link for the first author", "err", err)
			again := time.NewTimer(offerAgain)
			select {
			case <-again.C:
			case <-ctx.Done():
				again.Stop()
				return
			}
		}
	}
}

// offer stores a new token and returns it, or "" when there is an author.
func offer(ctx context.Context, s Store) (string, error) {
	var found bool
	err := s.View(ctx, func(rd repo.Reader) error {
		var err error
		found, err = AnyAuthor(ctx, rd)
		return err
	})
	if err != nil || found {
		return "", err
	}
	token := NewToken()
	_, err = repo.Write(repo.As(ctx, repo.Actor{Name: repo.System}), s, OfferSetup{TokenHash: HashToken(token)})
	if errors.Is(err, &apperr.Error{Code: apperr.Conflict, Reason: SetupDone}) {
		return "", nil
	}
	return token, err
}
