package posts

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"blog/internal/apperr"
	"blog/internal/repo"
)

const cardColumns = `
	p.id, p.slug, p.title, p.description, p.excerpt, u.name, p.state, p.published_at, p.updated_at,
	p.minutes, p.labels, p.revision, COALESCE((SELECT position FROM pins WHERE post_id = p.id), 0)`

// scan returns where to scan cardColumns and more columns into, and a function that converts the
// scanned texts into the fields of c afterwards.
func (c *Card) scan(more ...any) (into []any, finish func() error) {
	var published *string
	var updated, labels string
	into = append([]any{
		&c.ID, &c.Slug, &c.Title, &c.Description, &c.Excerpt, &c.Author, &c.State, &published, &updated, &c.Minutes, &labels,
		&c.Revision, &c.Pinned,
	}, more...)
	return into, func() error {
		c.Labels = splitLabels(labels)
		var err, err2 error
		if published != nil {
			c.PublishedAt, err = repo.ParseTime(*published)
		}
		c.UpdatedAt, err2 = repo.ParseTime(updated)
		return errors.Join(err, err2)
	}
}

// Filter chooses the posts of List and their order. The zero Filter selects all posts that readers
// see, newest first.
type Filter struct {
	Labels      []string // posts with any of them; all posts when empty
	Hidden      bool     // drafts and scheduled posts too, before all others
	PinnedFirst bool     // pinned posts before all others, the newest pin first; ignored with Hidden
	Offset      int      // number of cards to skip
	Limit       int      // 0 means no limit
}

// List returns the cards that f selects, and how many there are without its Limit and Offset.
func List(ctx context.Context, rd repo.Reader, f Filter) (_ []Card, total int, err error) {
	where, order, args, err := f.clauses()
	if err != nil {
		return nil, 0, err
	}
	if err = rd.QueryRowContext(ctx, "SELECT COUNT(*) FROM posts p"+where, args...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("count posts: %w", err)
	}
	limit, offset := f.Limit, max(0, f.Offset)
	if limit == 0 {
		limit = -1
	}
	out := []Card{}
	if f.PinnedFirst && !f.Hidden {
		var pinned int
		if out, pinned, err = listPinned(ctx, rd, where, args, limit, offset); err != nil {
			return nil, 0, err
		}
		where += " AND p.id NOT IN (SELECT post_id FROM pins)"
		offset = max(0, offset-pinned)
		if limit > 0 {
			limit -= len(out)
		}
	}
	others, err := readCards(ctx, rd, "posts p", where+order, args, limit, offset)
	return append(out, others...), total, err
}

// listPinned returns the pinned posts of a list, the newest pin first, from offset on, and how many
// the list has in all. It starts from the table of pins: an ORDER BY over all posts would read
// every post to show the first page.
func listPinned(
	ctx context.Context, rd repo.Reader, where string, args []any, limit, offset int,
) (_ []Card, total int, err error) {
	const from = "pins n CROSS JOIN posts p ON p.id = n.post_id"
	if err = rd.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+from+where, args...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("count pinned posts: %w", err)
	}
	list, err := readCards(ctx, rd, from, where+" ORDER BY n.position DESC", args, limit, offset)
	return list, total, err
}

// readCards returns the cards of the posts p that from names.
func readCards(
	ctx context.Context, rd repo.Reader, from, clauses string, args []any, limit, offset int,
) (_ []Card, err error) {
	rows, err := rd.QueryContext(ctx,
		"SELECT "+cardColumns+" FROM "+from+" JOIN users u ON u.id = p.author_id"+clauses+" LIMIT ? OFFSET ?",
		append(slices.Clip(args), limit, offset)...)
	if err != nil {
		return nil, fmt.Errorf("list posts: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	out := []Card{}
	for rows.Next() {
		var c Card
		into, finish := c.scan()
		if err := rows.Scan(into...); err != nil {
			return nil, fmt.Errorf("list posts: %w", err)
		}
		if err := finish(); err != nil {
			return nil, fmt.Errorf("list posts: %w", err)
		}
		out = append(out, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list posts: %w", err)
	}
	return out, nil
}

// After returns the posts that readers see although their date is later than t, latest first. A
// clock that was ahead has released them too early.
func After(ctx context.Context, rd repo.Reader, t time.Time) ([]Card, error) {
	all, _, err := List(ctx, rd, Filter{})
	for i, c := range all {
		if !c.PublishedAt.After(t) {
			return all[:i], err
		}
	}
	return all, err
}

// clauses returns the SQL clauses for f. Each filter has its own text instead of one condition with
// OR, because only then SQLite reads the list in its order from the index of visible posts.
func (f Filter) clauses() (where, order string, args []any, err error) {
	where = " WHERE p.state = 'published'"
	order = " ORDER BY p.published_at DESC, p.id DESC"
	if f.Hidden { // what is not published yet comes first
		where = " WHERE true"
		order = " ORDER BY p.state = 'published', COALESCE(p.published_at, p.updated_at) DESC, p.id DESC"
	}
	if len(f.Labels) > 0 {
		labels, err := json.Marshal(f.Labels)
		if err != nil {
			return "", "", nil, fmt.Errorf("encode labels: %w", err)
		}
		where += `
			AND p.id IN (
				SELECT pt.post_id FROM post_tags pt JOIN tags t ON t.id = pt.tag_id
				WHERE t.label IN (SELECT value FROM json_each(?)))`
		args = append(args, string(labels))
	}
	return where, order, args, nil
}

// BySlug returns the post that has exactly this slug now, visible or not. It fails with NotFound
// otherwise. Other spellings of the slug do not match, so that a page has one address.
func BySlug(ctx context.Context, rd repo.Reader, slug string) (Post, error) {
	return one(ctx, rd, "p.slug = ?", slug)
}

// ByID returns the post with this id, visible or not. It fails with NotFound when there is none.
func ByID(ctx context.Context, rd repo.Reader, id int64) (Post, error) {
	return one(ctx, rd, "p.id = ?", id)
}

// Find returns the post that t names, visible or not. It fails with NotFound when there is none.
func (t Target) Find(ctx context.Context, rd repo.Reader) (Post, error) {
	if t.ID != 0 {
		return ByID(ctx, rd, t.ID)
	}
	return BySlug(ctx, rd, t.slug())
}

func one(ctx context.Context, rd repo.Reader, where string, arg any) (Post, error) {
	var p Post
	var headings, created string
	into, finish := p.scan(&p.AuthorID, &p.AuthorEmail, &p.Body, &p.HTML, &headings, &created)
	err := rd.QueryRowContext(ctx, `
		SELECT `+cardColumns+`, p.author_id, u.email, p.body, p.html, p.headings, p.created_at
		FROM posts p
		JOIN users u ON u.id = p.author_id
		WHERE `+where, arg).Scan(into...)
	if noRows(err) {
		return p, apperr.Errorf(apperr.NotFound, "There is no such post.")
	}
	if err != nil {
		return p, fmt.Errorf("read post: %w", err)
	}
	if err = finish(); err != nil {
		return p, err
	}
	if p.CreatedAt, err = repo.ParseTime(created); err != nil {
		return p, err
	}
	if err = json.Unmarshal([]byte(headings), &p.Headings); err != nil {
		return p, fmt.Errorf("headings of post %d: %w", p.ID, err)
	}
	p.Permalinks, err = permalinksOf(ctx, rd, p.ID)
	return p, err
}

// VisibleCard returns the card of a post that readers see. It fails with NotFound when there is
// none.
func VisibleCard(ctx context.Context, rd repo.Reader, id int64) (Card, error) {
	var c Card
	into, finish := c.scan()
	err := rd.QueryRowContext(ctx, `
		SELECT `+cardColumns+`
		FROM posts p
		JOIN users u ON u.id = p.author_id
		WHERE p.id = ? AND p.state = 'published'`, id).Scan(into...)
	if noRows(err) {
		return c, apperr.Errorf(apperr.NotFound, "There is no such post.")
	}
	if err != nil {
		return c, fmt.Errorf("read post: %w", err)
	}
	return c, finish()
}

// Neighbours returns the visible posts next to c by date, newer and older. Each has only ID, Slug
// and Title, and is nil when there is none.
func Neighbours(ctx context.Context, rd repo.Reader, c Card) (newer, older *Card, err error) {
	at := repo.FormatTime(c.PublishedAt)
	newer, err = neighbour(ctx, rd, "(published_at, id) > (?, ?) ORDER BY published_at, id", at, c.ID)
	if err != nil {
		return nil, nil, err
	}
	older, err = neighbour(ctx, rd, "(published_at, id) < (?, ?) ORDER BY published_at DESC, id DESC", at, c.ID)
	return newer, older, err
}

func neighbour(ctx context.Context, rd repo.Reader, where, at string, id int64) (*Card, error) {
	var c Card
	err := rd.QueryRowContext(ctx, "SELECT id, slug, title FROM posts WHERE state = 'published' AND "+where+" LIMIT 1", at,
		id).Scan(&c.ID, &c.Slug, &c.Title)
	if noRows(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read neighbour: %w", err)
	}
	return &c, nil
}

// Moved returns the present slug of the visible post that had this slug earlier. It fails with
// NotFound when there is none. A visible post that has the slug now comes first, so callers ask
// BySlug before.
func Moved(ctx context.Context, rd repo.Reader, slug string) (string, error) {
	return visibleSlug(ctx, rd,
		"SELECT p.slug FROM old_slugs o JOIN posts p ON p.id = o.post_id WHERE o.slug = ? AND p.state = 'published'", slug)
}

// Permalink returns the slug of the visible post that path leads to; path has a slash at its
// beginning and none at its end. It fails with NotFound when there is none.
func Permalink(ctx context.Context, rd repo.Reader, path string) (string, error) {
	return visibleSlug(ctx, rd,
		"SELECT p.slug FROM permalinks l JOIN posts p ON p.id = l.post_id WHERE l.path = ? AND p.state = 'published'", path)
}

func visibleSlug(ctx context.Context, rd repo.Reader, query, arg string) (string, error) {
	var slug string
	err := rd.QueryRowContext(ctx, query, arg).Scan(&slug)
	if noRows(err) {
		return "", apperr.Errorf(apperr.NotFound, "There is no such page.")
	}
	if err != nil {
		return "", fmt.Errorf("read address: %w", err)
	}
	return slug, nil
}

func permalinksOf(ctx context.Context, rd repo.Reader, id int64) ([]string, error) {
	var list sql.NullString
	err := rd.QueryRowContext(ctx, "SELECT json_group_array(path ORDER BY position) FROM permalinks WHERE post_id = ?",
		id).Scan(&list)
	if err != nil {
		return nil, fmt.Errorf("read permalinks: %w", err)
	}
	return splitLabels(list.String), nil
}

// Full returns the newest visible posts, at most limit, with their cards and their HTML only.
func Full(ctx context.Context, rd repo.Reader, limit int) (_ []Post, err error) {
	rows, err := rd.QueryContext(ctx, `
		SELECT `+cardColumns+`, p.html
		FROM posts p
		JOIN users u ON u.id = p.author_id
		WHERE p.state = 'published'
		ORDER BY p.published_at DESC, p.id DESC
		LIMIT ?`, limit)
	if err != nil {
		return nil, fmt.Errorf("read posts: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	out := []Post{}
	for rows.Next() {
		var p Post
		into, finish := p.scan(&p.HTML)
		if err := rows.Scan(into...); err != nil {
			return nil, fmt.Errorf("read posts: %w", err)
		}
		if err := finish(); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read posts: %w", err)
	}
	return out, nil
}
