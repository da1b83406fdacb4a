// Package tags owns labels: their form, the rows they make, and which of them
// readers see. A tag exists as long as a post carries it: it is made on use, in
// the transaction that uses it, and goes with its last post. What a post is, the
// package does not know.
package tags

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"blog/internal/repo"
)

// Limits on labels.
const (
	MaxRunes = 50 // of one label
	MaxCount = 20 // on one post
)

// Tag is a label with the number of published posts that carry it.
type Tag struct {
	Label string `json:"label"`
	Count int    `json:"count"`
}

// Topic is the topic of the list of posts that carry label.
func Topic(label string) string { return "tag:" + label }

// Normalize returns the form in which a label is stored: NFC, lower case, words
// joined by hyphens. The error, an Invalid message without fields, says what is
// wrong with one that has no such form.
func Normalize(label string) (string, error) {
	s := strings.ToLower(norm.NFC.String(strings.TrimSpace(label)))
	s = strings.Join(strings.Fields(s), "-")
	n := 0
	for _, r := range s {
		n++
		if !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsNumber(r) && !strings.ContainsRune("-_.+#'’·", r) && !unicode.Is(unicode.So, r) && r != '\u200d' {
			return "", repo.Errorf(repo.Invalid, "The tag %q has a character that tags cannot have: %q. Use letters, digits, and - _ . + #.", label, r)
		}
	}
	switch {
	case n == 0:
		return "", repo.Errorf(repo.Invalid, "A tag is empty.")
	case n > MaxRunes:
		return "", repo.Errorf(repo.Invalid, "The tag %.60q… is longer than %d characters.", label, MaxRunes)
	case strings.Trim(s, ".") == "":
		return "", repo.Errorf(repo.Invalid, "The tag %q needs a letter or a digit.", label)
	}
	return s, nil
}

// NormalizeAll normalises labels and drops repetitions. Its errors are Normalize's.
func NormalizeAll(labels []string) ([]string, error) {
	out := []string{}
	for _, l := range labels {
		s, err := Normalize(l)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	if len(out) > MaxCount {
		return nil, repo.Errorf(repo.Invalid, "There are %d tags; a post can have %d.", len(out), MaxCount)
	}
	return out, nil
}

// Set gives the post exactly these labels, in this order, making the tags that
// are new and removing those that no post carries any more. The labels must be
// normalised.
func Set(ctx context.Context, tx *repo.Tx, postID int64, labels []string) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM post_tags WHERE post_id = ?", postID); err != nil {
		return fmt.Errorf("clear tags: %w", err)
	}
	for i, label := range labels {
		if _, err := tx.ExecContext(ctx, "INSERT INTO tags (label) VALUES (?) ON CONFLICT (label) DO NOTHING", label); err != nil {
			return fmt.Errorf("make tag: %w", err)
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO post_tags (post_id, tag_id, position)
			SELECT ?, id, ? FROM tags WHERE label = ?`, postID, i, label)
		if err != nil {
			return fmt.Errorf("set tag: %w", err)
		}
	}
	return RemoveUnused(ctx, tx)
}

// RemoveUnused removes the tags that no post carries any more.
func RemoveUnused(ctx context.Context, tx *repo.Tx) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM tags WHERE id NOT IN (SELECT tag_id FROM post_tags)"); err != nil {
		return fmt.Errorf("remove unused tags: %w", err)
	}
	return nil
}

// Visible returns the tags that published posts carry, by label, with how many do.
func Visible(ctx context.Context, rd repo.Reader) (_ []Tag, err error) {
	return list(ctx, rd, `
		SELECT t.label, COUNT(*)
		FROM tags t
		JOIN post_tags pt ON pt.tag_id = t.id
		JOIN posts p ON p.id = pt.post_id AND p.state = 'published'
		GROUP BY t.id
		ORDER BY t.label`)
}

// All returns every tag, by label, with how many published posts carry it: for authors.
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
