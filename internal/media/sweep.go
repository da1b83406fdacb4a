package media

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"blog/internal/apperr"
	"blog/internal/repo"
)

// Sweep is the command that removes a picture, or the chunks of an upload that broke off, when no
// post has shown it for a day. Only the primary's Sweeper may run it.
type Sweep struct {
	Hash string `json:"hash"`
}

// Swept is the result of Sweep.
type Swept struct {
	Removed bool `json:"removed"`
}

// Name returns "media.sweep".
func (Sweep) Name() string { return "media.sweep" }

// Apply removes the picture, unless it is in use. A picture whose last use has no date gets the
// date of this write, so that its day begins now.
func (s Sweep) Apply(ctx context.Context, tx *repo.Tx) (Swept, error) {
	if tx.Actor().Name != repo.System {
		return Swept{}, apperr.Errorf(apperr.Forbidden, "Only the primary removes pictures that are not in use.")
	}
	now := tx.Now()
	dated, err := changes(ctx, tx, "UPDATE media AS m SET used_at = ?3 WHERE m.hash = ?1 AND "+undated,
		s.Hash, before(now), repo.FormatTime(now))
	if dated || err != nil {
		return Swept{}, err
	}
	// The trigger media_kept prevents that a complete picture is removed.
	goes, err := changes(ctx, tx, "UPDATE media AS m SET complete = 0 WHERE m.hash = ?1 AND "+unused, s.Hash, before(now))
	switch {
	case err != nil:
		return Swept{}, err
	case !goes:
		tx.NoChange()
		return Swept{}, nil
	}
	_, err = changes(ctx, tx, "DELETE FROM media WHERE hash = ?", s.Hash)
	return Swept{Removed: true}, err
}

const (
	sweepEvery = time.Hour
	// sweepAtOnce is how many pictures one turn removes, each in a write of its own.
	sweepAtOnce = 100
)

// Sweeper returns the primary's task that removes the pictures which no post has shown for a day,
// at its start and every hour.
func Sweeper(log *slog.Logger, now func() time.Time) repo.Task {
	return func(ctx context.Context, r *repo.Repo) {
		tick := time.NewTicker(sweepEvery)
		defer tick.Stop()
		for ctx.Err() == nil {
			if err := sweep(ctx, r, now()); err != nil && ctx.Err() == nil {
				log.Error("remove pictures that are not in use", "err", err)
			}
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
	}
}

func sweep(ctx context.Context, r *repo.Repo, now time.Time) error {
	list, err := sweepable(ctx, r, now)
	if err != nil {
		return err
	}
	var failed []error
	for _, hash := range list {
		if _, err := repo.Write(ctx, r, Sweep{Hash: hash}); err != nil {
			failed = append(failed, fmt.Errorf("picture %s: %w", hash, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

func sweepable(ctx context.Context, r *repo.Repo, now time.Time) (list []string, err error) {
	err = r.View(ctx, func(rd repo.Reader) (err error) {
		list = nil
		rows, err := rd.QueryContext(ctx, `
			SELECT m.hash
			FROM media AS m
			WHERE (`+unused+") OR ("+undated+`)
			ORDER BY m.added_at, m.hash
			LIMIT ?1`, sweepAtOnce, before(now))
		if err != nil {
			return fmt.Errorf("list pictures: %w", err)
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		for rows.Next() {
			var hash string
			if err := rows.Scan(&hash); err != nil {
				return fmt.Errorf("list pictures: %w", err)
			}
			list = append(list, hash)
		}
		return rows.Err()
	})
	return list, err
}
