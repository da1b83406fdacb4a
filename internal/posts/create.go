package posts

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"blog/internal/accounts"
	"blog/internal/apperr"
	"blog/internal/repo"
)

// Create is the command that makes a post. Title is required. An empty Slug is made from the title.
// With Publish the post is published at PublishedAt, or now when that is nil; a date to come makes
// it scheduled. It fails with Invalid, by field.
type Create struct {
	Title       string     `json:"title"`
	Slug        string     `json:"slug,omitempty"`
	Description string     `json:"description,omitempty"`
	Body        string     `json:"body,omitempty"`
	Tags        []string   `json:"tags,omitempty"`
	Permalinks  []string   `json:"permalinks,omitempty"`
	Author      string     `json:"author,omitempty"` // e-mail address or name; "": who writes, else the first user
	PublishedAt *time.Time `json:"published_at,omitempty"`
	Publish     bool       `json:"publish,omitempty"`
	Pinned      bool       `json:"pinned,omitempty"`

	rec *record
}

// Name returns "posts.create".
func (Create) Name() string { return "posts.create" }

// Prepare checks the fields and renders the body.
func (c Create) Prepare(ctx context.Context, v repo.Viewer) (repo.Command[Ref], error) {
	f := checker{}
	r := &record{
		title: f.title(c.Title), description: f.description(c.Description), body: f.body(c.Body),
		labels: f.tags(c.Tags), permalinks: f.permalinks(c.Permalinks), publishedAt: f.date(c.PublishedAt),
		state: Draft, pinned: c.Pinned,
	}
	if c.Slug != "" {
		r.slug = f.slug(c.Slug)
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	doc, err := render(ctx, v, r.body, newAnchor(), nil)
	r.doc, c.rec = &doc, r
	return c, err
}

// Apply inserts the post.
func (c Create) Apply(ctx context.Context, tx *repo.Tx) (Ref, error) {
	r := c.rec.clone()
	var err error
	if r.authorID, err = author(ctx, tx, c.Author); err != nil {
		return Ref{}, err
	}
	if r.slug == "" {
		if r.slug, err = freeSlug(ctx, tx, r.title); err != nil {
			return Ref{}, err
		}
	}
	if c.Publish {
		r.publish(tx.Now())
	}
	if err := save(ctx, tx, nil, r); err != nil {
		return Ref{}, err
	}
	return r.ref(), nil
}

// newAnchor returns a random prefix for the ids of a post's footnotes, which keeps them different from
// those of other posts on the same page.
func newAnchor() string { return strings.ToLower(rand.Text()[:8]) }

// author returns the id of the user that a new post belongs to: the user with that e-mail address
// or name when email is not empty, otherwise the user who writes, otherwise the first user. It
// fails with Invalid when there is no such user.
func author(ctx context.Context, tx *repo.Tx, email string) (int64, error) {
	var id int64
	var err error
	user, isUser := tx.Actor().UserID()
	switch {
	case email != "":
		err = tx.QueryRowContext(ctx, `
			SELECT id FROM users WHERE email = ?1 OR name = ?2
			ORDER BY email = ?1 DESC, id
			LIMIT 1`, accounts.NormalEmail(email), oneLine(email)).Scan(&id)
		if noRows(err) {
			return 0, apperr.InvalidFields(map[string]string{
				"author": "is nobody here; make one with `blog user add EMAIL --name NAME --password-file FILE`",
			})
		}
	case isUser:
		id = user
	default:
		var first accounts.User
		first, err = accounts.First(ctx, tx)
		if id = first.ID; errors.Is(err, apperr.NotFound) {
			return 0, &apperr.Error{
				Code: apperr.Invalid, Reason: NoAuthor, Message: apperr.From(err).Message,
				Fields: map[string]string{"author": "does not exist yet"},
			}
		}
	}
	if err != nil {
		return 0, fmt.Errorf("find author: %w", err)
	}
	return id, nil
}

// NoAuthor is the reason of the Invalid error for a post when the blog has no user who could be its
// author.
const NoAuthor = "no_author"

// freeSlug returns a slug made from title, with a number at its end where one is needed. No post
// has that slug and no redirect uses it, so a new post never replaces another post's old address.
func freeSlug(ctx context.Context, tx *repo.Tx, title string) (string, error) {
	base := Slugify(title)
	if _, problem := CheckSlug(base); problem != "" {
		base = strings.Trim("post-"+base, "-")
	}
	taken := func(slug string) (yes bool, err error) {
		err = tx.QueryRowContext(ctx, `
			SELECT
				EXISTS (SELECT 1 FROM posts WHERE slug = ?1) OR
				EXISTS (SELECT 1 FROM old_slugs WHERE slug = ?1)`, slug).Scan(&yes)
		if err != nil {
			return false, fmt.Errorf("look for a free slug: %w", err)
		}
		return yes, nil
	}
	// The loop doubles the number until a slug is free, and the search between the last two numbers
	// then finds a free one whose predecessor is taken. That needs few steps even among thousands
	// of posts with one title. Free numbers below it are not found, and are not needed.
	numbered := func(n int) string {
		if n == 1 {
			return base
		}
		return cut(base, MaxSlug-len(strconv.Itoa(n))-1) + "-" + strconv.Itoa(n)
	}
	high := 1
	for {
		yes, err := taken(numbered(high))
		if err != nil {
			return "", err
		}
		if !yes {
			break
		}
		high *= 2
	}
	for low := high / 2; high-low > 1; {
		mid := (low + high) / 2
		yes, err := taken(numbered(mid))
		if err != nil {
			return "", err
		}
		if yes {
			low = mid
		} else {
			high = mid
		}
	}
	return numbered(high), nil
}

// cut returns the first n characters of slug, without a hyphen at the end.
func cut(slug string, n int) string {
	if r := []rune(slug); len(r) > n {
		slug = strings.TrimRight(string(r[:n]), "-")
	}
	return slug
}
