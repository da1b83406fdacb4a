package media

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"blog/internal/repo"
)

// keepUnused is how long a picture stays that no post shows: whoever uploads one
// writes the text around it first, and whoever takes one out may think again.
const keepUnused = 24 * time.Hour

// Sweep removes a picture, or the chunks there are of one, that no post has shown
// for a day. Only the primary's Sweeper runs it.
type Sweep struct {
	Hash string `json:"hash"`
}

// Swept is the result of Sweep.
type Swept struct {
	Removed bool `json:"removed"`
}

// Name is "media.sweep".
func (Sweep) Name() string { return "media.sweep" }

// Apply removes the picture, or finds that it is in use.
func (s Sweep) Apply(ctx context.Context, tx *repo.Tx) (Swept, error) {
	if tx.Actor().Name != repo.System {
		return Swept{}, repo.Errorf(repo.Forbidden, "Only the primary removes pictures that are not in use.")
	}
	removed, err := changes(ctx, tx, "DELETE FROM media AS m WHERE m.hash = ? AND "+unused, s.Hash, before(tx.Now()))
	if err == nil && !removed {
		tx.NoChange()
	}
	return Swept{Removed: removed}, err
}

// unused, with the time that before returns, is what a picture is that may go.
const unused = "m.added_at < ? AND NOT EXISTS (SELECT 1 FROM post_media pm WHERE pm.hash = m.hash)"

func before(now time.Time) string { return repo.FormatTime(now.Add(-keepUnused)) }

// Dropped notes that a post shows a picture no longer: from now on it has a day,
// like one that has just been uploaded.
func Dropped(ctx context.Context, tx *repo.Tx, hash string) error {
	_, err := changes(ctx, tx, "UPDATE media SET added_at = ? WHERE hash = ?", repo.FormatTime(tx.Now()), hash)
	return err
}

// wanted gives a picture that was uploaded again another day. One that is in use
// needs none, and one that came within the hour has it.
func wanted(ctx context.Context, tx *repo.Tx, hash string) (changed bool, err error) {
	now := tx.Now()
	return changes(ctx, tx, `
		UPDATE media SET added_at = ?
		WHERE hash = ? AND added_at < ? AND NOT EXISTS (SELECT 1 FROM post_media pm WHERE pm.hash = media.hash)`,
		repo.FormatTime(now), hash, repo.FormatTime(now.Add(-sweepEvery)))
}

// Redate gives pictures that came after now, by a clock that was ahead, the day of one
// that comes now. They would else never be swept.
func Redate(ctx context.Context, tx *repo.Tx) error {
	now := repo.FormatTime(tx.Now())
	_, err := changes(ctx, tx, "UPDATE media SET added_at = ? WHERE added_at > ?", now, now)
	return err
}

func changes(ctx context.Context, tx *repo.Tx, query string, args ...any) (bool, error) {
	res, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return false, fmt.Errorf("change pictures: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("change pictures: %w", err)
	}
	return n > 0, nil
}

const (
	sweepEvery = time.Hour
	// sweepAtOnce is how many pictures go in one turn, each in a write of its own.
	sweepAtOnce = 100
)

// Sweeper is a task of the primary: at its start and every hour it removes the
// pictures that no post has shown for a day.
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
		rows, err := rd.QueryContext(ctx, "SELECT m.hash FROM media AS m WHERE "+unused+" ORDER BY m.added_at LIMIT ?", before(now), sweepAtOnce)
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
