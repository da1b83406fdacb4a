package media

import (
	"context"
	"fmt"
	"time"

	"blog/internal/repo"
)

// keepUnused is how long a picture stays after its last use or upload: whoever
// uploads one writes the text around it first, and whoever takes one out of a text
// may put it back. An upload within notedFor of the one before is not noted again,
// so the day is counted that much longer.
const (
	keepUnused = 24*time.Hour + notedFor
	notedFor   = time.Hour
)

// unused, with the time that before returns as ?2, is true of a picture m, or of an
// upload that broke off, that may be removed. The release before notes its uploads in
// added_at alone.
const unused = `m.added_at < ?2 AND m.used_at < ?2 AND ` + inNoPost

// undated, with the same ?2, is true of a picture whose last use nobody has noted the
// time of.
const undated = `m.added_at < ?2 AND m.used_at IS NULL AND ` + inNoPost

const inNoPost = `NOT EXISTS (SELECT 1 FROM post_media pm WHERE pm.hash = m.hash)`

func before(now time.Time) string { return repo.FormatTime(now.Add(-keepUnused)) }

// Used notes that a post shows the picture from now on, or shows it no longer. From the
// end of its last use on a picture stays for a day.
func Used(ctx context.Context, tx *repo.Tx, hash string) error {
	_, err := changes(ctx, tx, "UPDATE media SET used_at = ?2 WHERE hash = ?1", hash, repo.FormatTime(tx.Now()))
	return err
}

// uploaded gives a picture that was uploaded again, or another chunk of one, its day
// anew, and reports whether that changed anything. One that a post shows needs none.
// It notes added_at as well, which is what the release before counts from.
func uploaded(ctx context.Context, tx *repo.Tx, hash string) (changed bool, err error) {
	now := tx.Now()
	return changes(ctx, tx, `
		UPDATE media AS m SET added_at = ?3, used_at = ?3
		WHERE m.hash = ?1 AND (m.used_at IS NULL OR m.used_at < ?2) AND `+inNoPost,
		hash, repo.FormatTime(now.Add(-notedFor)), repo.FormatTime(now))
}

// Redate gives pictures that came or were used after now, by a clock that was ahead, the
// day of one that comes now. They would else never be swept.
func Redate(ctx context.Context, tx *repo.Tx) error {
	_, err := changes(ctx, tx, `
		UPDATE media SET added_at = min(added_at, ?1), used_at = min(used_at, ?1)
		WHERE added_at > ?1 OR used_at > ?1`, repo.FormatTime(tx.Now()))
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
