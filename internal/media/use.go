package media

import (
	"context"
	"fmt"
	"time"

	"blog/internal/repo"
)

// unusedLife is how long a picture stays after its last use or upload. An author uploads a picture
// before they write the text around it, and may show one again that they removed from a text. An
// upload less than notedFor after the one before is not noted, so the picture may stay that much
// longer.
const (
	unusedLife = 24*time.Hour + notedFor
	notedFor   = time.Hour
)

// unused is a condition on a picture m, or an upload that broke off, that may be removed; ?2 is the
// result of before. The release before notes uploads only in added_at.
const unused = `m.added_at < ?2 AND m.used_at < ?2 AND ` + inNoPost

// undated is a condition, with the same ?2, on a picture whose last use has no date.
const undated = `m.added_at < ?2 AND m.used_at IS NULL AND ` + inNoPost

const inNoPost = `NOT EXISTS (SELECT 1 FROM post_media pm WHERE pm.hash = m.hash)`

func before(now time.Time) string { return repo.FormatTime(now.Add(-unusedLife)) }

// Used notes that a post shows the picture from now on, or no longer shows it. The picture stays
// for a day after its last use.
func Used(ctx context.Context, tx *repo.Tx, hash string) error {
	_, err := changes(ctx, tx, "UPDATE media SET used_at = ?2 WHERE hash = ?1", hash, repo.FormatTime(tx.Now()))
	return err
}

// uploaded notes that a picture, or a chunk of one, was uploaded again, so that it stays for a day,
// and reports whether that changed anything. A picture that a post shows does not need it. It also
// sets added_at, which the release before uses.
func uploaded(ctx context.Context, tx *repo.Tx, hash string) (changed bool, err error) {
	now := tx.Now()
	return changes(ctx, tx, `
		UPDATE media AS m SET added_at = ?3, used_at = ?3
		WHERE m.hash = ?1 AND (m.used_at IS NULL OR m.used_at < ?2) AND `+inNoPost,
		hash, repo.FormatTime(now.Add(-notedFor)), repo.FormatTime(now))
}

// Redate gives each picture that was uploaded or used later than now, under a clock that was ahead,
// the dates of one that is uploaded now. It would otherwise not be swept for years.
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
