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
	"blog/internal/repo"
)

// Create makes a post. Title is required; the slug is made from it when it is
// left out. With Publish it is published at PublishedAt, or now.
type Create struct {
	Title       string     `json:"title"`
	Slug        string     `json:"slug,omitempty"`
	Description string     `json:"description,omitempty"`
	Body        string     `json:"body,omitempty"`
	Tags        []string   `json:"tags,omitempty"`
	Permalinks  []string   `json:"permalinks,omitempty"`
	Author      string     `json:"author,omitempty"` // e-mail address; left out: who writes, or the first author
	PublishedAt *time.Time `json:"published_at,omitempty"`
	Publish     bool       `json:"publish,omitempty"`

	rec *record
}

// Name is "posts.create".
func (Create) Name() string { return "posts.create" }

// Prepare checks the fields and renders the body.
func (c Create) Prepare(ctx context.Context, v repo.Viewer) (repo.Command[Ref], error) {
	f := checker{}
	r := &record{
		title: f.title(c.Title), description: f.description(c.Description), body: f.body(c.Body),
		labels: f.tags(c.Tags), permalinks: f.permalinks(c.Permalinks), publishedAt: f.date(c.PublishedAt),
		state: Draft,
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
	r := c.rec.own()
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

// newAnchor returns what keeps a post's footnotes apart from other posts'.
func newAnchor() string { return strings.ToLower(rand.Text()[:8]) }

// author returns the user that a new post belongs to: the one with that e-mail
// address or name, else the user who writes, else the first there is.
func author(ctx context.Context, tx *repo.Tx, email string) (int64, error) {
	var id int64
	var err error
	user, isUser := strings.CutPrefix(tx.Actor().Name, "user:")
	switch {
	case email != "":
		err = tx.QueryRowContext(ctx, `
			SELECT id FROM users WHERE email = ?1 OR name = ?2
			ORDER BY email = ?1 DESC, id
			LIMIT 1`, accounts.NormalEmail(email), oneLine(email)).Scan(&id)
		if noRows(err) {
			return 0, repo.InvalidFields(map[string]string{"author": "is nobody here; make one with `blog user add EMAIL --name NAME --password-file FILE`"})
		}
	case isUser:
		id, err = strconv.ParseInt(user, 10, 64)
	default:
		var first accounts.User
		first, err = accounts.First(ctx, tx)
		if id = first.ID; errors.Is(err, repo.NotFound) {
			return 0, &repo.Error{
				Code: repo.Invalid, Reason: NoAuthor, Message: repo.AsError(err).Message,
				Fields: map[string]string{"author": "does not exist yet"},
			}
		}
	}
	if err != nil {
		return 0, fmt.Errorf("find author: %w", err)
	}
	return id, nil
}

// NoAuthor is the reason of the Invalid error of a post while nobody can be its author.
const NoAuthor = "no_author"

// freeSlug makes a slug from title, with a number behind it where needed, that no
// post has and that leads to none: a new post takes no other's old address by
// accident.
func freeSlug(ctx context.Context, tx *repo.Tx, title string) (string, error) {
	base := Slugify(title)
	if _, problem := CheckSlug(base); problem != "" {
		base = strings.Trim("post-"+base, "-")
	}
	taken := func(slug string) (yes bool, err error) {
		err = tx.QueryRowContext(ctx, `
			SELECT EXISTS (SELECT 1 FROM posts WHERE slug = ?1) OR EXISTS (SELECT 1 FROM old_slugs WHERE slug = ?1)`, slug).Scan(&yes)
		if err != nil {
			return false, fmt.Errorf("look for a free slug: %w", err)
		}
		return yes, nil
	}
	// Doubling finds a free number among thousands of posts with one title in a
	// few steps, and the search between the last two finds one after which none
	// was taken. Gaps below it stay gaps.
	numbered := func(n int) string {
		if n == 1 {
			return base
		}
		return cut(base, maxSlug-len(strconv.Itoa(n))-1) + "-" + strconv.Itoa(n)
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

// cut returns at most n characters of slug.
func cut(slug string, n int) string {
	if r := []rune(slug); len(r) > n {
		slug = strings.TrimRight(string(r[:n]), "-")
	}
	return slug
}
