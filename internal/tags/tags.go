// Package tags owns labels: their form, their rows, and which of them readers see. A tag exists
// while a post has it: the transaction that first uses it makes it, and it is removed with its last
// post. The package knows only the ids of posts, and that published posts are visible.
package tags

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"blog/internal/apperr"
	"blog/internal/repo"
)

// Limits of labels.
const (
	MaxRunes = 50 // of one label
	MaxCount = 20 // on one post
)

// Tag is a label and the number of published posts that have it.
type Tag struct {
	Label string `json:"label"`
	Count int    `json:"count"`
}

// Topic returns the topic of the list of posts that have label.
func Topic(label string) string { return "tag:" + label }

// Normalize returns the form in which a label is stored: NFC, lower case, with hyphens between
// words. Normalizing that again changes nothing. It fails with Invalid, with a message and no
// fields, for a label that has no such form.
func Normalize(label string) (string, error) {
	if !utf8.ValidString(label) {
		return "", apperr.Errorf(apperr.Invalid, "A tag is not valid text (UTF-8).")
	}
	// Lower case can compose where upper case cannot (J̌), so NFC follows as well.
	s := norm.NFC.String(strings.ToLower(norm.NFC.String(label)))
	s = strings.Join(strings.Fields(s), "-")
	s = strings.TrimFunc(s, joiner)
	for i, r := range s {
		if !allowed(r) || i == 0 && unicode.IsMark(r) {
			return "", apperr.Errorf(apperr.Invalid,
				"The tag %.60q has a character that tags cannot have: %q. Use letters, digits, and - _ . + #.", label, r)
		}
	}
	switch {
	case s == "":
		return "", apperr.Errorf(apperr.Invalid, "A tag is empty.")
	case utf8.RuneCountInString(s) > MaxRunes:
		return "", apperr.Errorf(apperr.Invalid, "The tag %.60q… is longer than %d characters.", label, MaxRunes)
	case !strings.ContainsFunc(s, func(r rune) bool { return unicode.In(r, unicode.L, unicode.N, unicode.So) }):
		return "", apperr.Errorf(apperr.Invalid, "The tag %.60q needs a letter or a digit.", label)
	}
	return s, nil
}

// allowed reports whether labels may have r: letters and digits of every script, pictures with what
// varies them, and the characters in names of techniques.
func allowed(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.So) && r != utf8.RuneError || joiner(r) ||
		r >= 0x1f3fb && r <= 0x1f3ff || // skin tones
		strings.ContainsRune("-_.+#'’·", r)
}

// joiner reports whether r joins or separates the letters or pictures beside it.
func joiner(r rune) bool { return r == '\u200c' || r == '\u200d' }

// NormalizeAll normalizes labels and drops repetitions. It fails as Normalize does, and for more
// than MaxCount labels.
func NormalizeAll(labels []string) ([]string, error) {
	out := []string{}
	for _, l := range labels {
		s, err := Normalize(l)
		if err != nil {
			return nil, err
		}
		if slices.Contains(out, s) {
			continue
		}
		if len(out) == MaxCount { // however many labels follow
			return nil, apperr.Errorf(apperr.Invalid, "There are more than %d tags, the most that a post can have.", MaxCount)
		}
		out = append(out, s)
	}
	return out, nil
}

// Set gives the post exactly these labels, in this order. It makes new tags, and removes those that
// no post has any more. The labels must be normalized.
func Set(ctx context.Context, tx *repo.Tx, postID int64, labels []string) error {
	res, err := tx.ExecContext(ctx, "DELETE FROM post_tags WHERE post_id = ?", postID)
	if err != nil {
		return fmt.Errorf("clear tags: %w", err)
	}
	removed, err := res.RowsAffected()
	if err != nil {
		return fmt.Errorf("clear tags: %w", err)
	}
	for i, label := range labels {
		if _, err := tx.ExecContext(ctx, "INSERT INTO tags (label) VALUES (?) ON CONFLICT (label) DO NOTHING",
			label); err != nil {
			return fmt.Errorf("make tag: %w", err)
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO post_tags (post_id, tag_id, position)
			SELECT ?, id, ? FROM tags WHERE label = ?`, postID, i, label)
		if err != nil {
			return fmt.Errorf("set tag: %w", err)
		}
	}
	if removed == 0 { // no tag has lost a post; finding that out otherwise would read all tags
		return nil
	}
	return RemoveUnused(ctx, tx)
}

// RemoveUnused removes the tags that no post has any more.
func RemoveUnused(ctx context.Context, tx *repo.Tx) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM tags WHERE id NOT IN (SELECT tag_id FROM post_tags)"); err != nil {
		return fmt.Errorf("remove unused tags: %w", err)
	}
	return nil
}

// Visible returns the tags of published posts, by label, with how many posts have them.
func Visible(ctx context.Context, rd repo.Reader) (_ []Tag, err error) {
	return list(ctx, rd, `
		SELECT t.label, COUNT(*)
		FROM tags t
		JOIN post_tags pt ON pt.tag_id = t.id
		JOIN posts p ON p.id = pt.post_id AND p.state = 'published'
		GROUP BY t.id
		ORDER BY t.label`)
}

// All returns every tag, for authors, by label, with how many published posts have it.
func All(ctx context.Context, rd repo.Reader) ([]Tag, error) {
	return list(ctx, rd, `
		SELECT t.label, COUNT(p.id)
		FROM tags t
		LEFT JOIN post_tags pt ON pt.tag_id = t.id
		LEFT JOIN posts p ON p.id = pt.post_id AND p.state = 'published'
		GROUP BY t.id
		ORDER BY t.label`)
}

func list(ctx context.Context, rd repo.Reader, query string) (_ []Tag, err error) {
	rows, err := rd.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("list tags: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	out := []Tag{}
	for rows.Next() {
		var t Tag
		if err := rows.Scan(&t.Label, &t.Count); err != nil {
			return nil, fmt.Errorf("list tags: %w", err)
		}
		out = append(out, t)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list tags: %w", err)
	}
	return out, nil
}
