package accounts

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"blog/internal/repo"
)

// offerAgain is how soon the offer is tried again after it failed.
const offerAgain = 5 * time.Second

// SetupTask returns the task that offers the one-time link for the first author.
// Each time this node becomes primary and there is no author, it makes a token,
// stores its hash in place of the one before and hands the token to announce,
// which prints the link: so only the primary prints one, and only the newest is
// good.
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

// offer returns the token that was stored, "" when there is an author.
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
	if errors.Is(err, &repo.Error{Code: repo.Conflict, Reason: SetupDone}) {
		return "", nil
	}
	return token, err
}
