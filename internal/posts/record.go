package posts

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"blog/internal/markdown"
	"blog/internal/repo"
	"blog/internal/tags"
)

// record is a post as the commands change it.
type record struct {
	id                       int64
	slug, title, description string
	body                     string
	authorID                 int64
	state                    State
	publishedAt              *time.Time
	revision                 int64
	labels, permalinks       []string
	anchor                   string
	doc                      *rendered // nil: as stored
}

// own returns a copy whose changes are not seen in r: Apply may run again.
func (r *record) own() *record {
	c := *r
	return &c
}

// Target names the post that a command is about: by ID, or by the slug that it
// has now, in any letter case and composition.
type Target struct {
	ID   int64  `json:"id,omitempty"`
	Post string `json:"post,omitempty"`
}

// slug returns the slug that t names as it is stored.
func (t Target) slug() string {
	slug, problem := CheckSlug(t.Post)
	if problem != "" {
		return t.Post
	}
	return slug
}

// load reads the post that t names. NotFound when there is none.
func (t Target) load(ctx context.Context, rd repo.Reader) (record, error) {
	var r record
	var published *string
	var labels string
	err := rd.QueryRowContext(ctx, `
		SELECT id, slug, title, description, body, author_id, state, published_at, revision, labels, anchor
		FROM posts
		WHERE (?1 <> 0 AND id = ?1) OR (?1 = 0 AND slug = ?2)`, t.ID, t.slug()).
		Scan(&r.id, &r.slug, &r.title, &r.description, &r.body, &r.authorID, &r.state, &published, &r.revision, &labels, &r.anchor)
	if noRows(err) {
		return r, repo.Errorf(repo.NotFound, "There is no such post.")
	}
	if err != nil {
		return r, fmt.Errorf("read post: %w", err)
	}
	if published != nil {
		at, perr := repo.ParseTime(*published)
		if perr != nil {
			return r, perr
		}
		r.publishedAt = &at
	}
	r.labels = splitLabels(labels)
	r.permalinks, err = permalinksOf(ctx, rd, r.id)
	return r, err
}

// loadWithMedia reads, in a transaction of its own, the post that t names and its pictures, hash by path.
func (t Target) loadWithMedia(ctx context.Context, v repo.Viewer) (post record, files map[string]string, err error) {
	err = v.View(ctx, func(rd repo.Reader) (err error) {
		if post, err = t.load(ctx, rd); err != nil {
			return err
		}
		files, err = mediaOf(ctx, rd, post.id)
		return err
	})
	return post, files, err
}

// publish makes the post visible at its date: now when it has none, or by the
// primary when the date comes.
func (r *record) publish(now time.Time) {
	if r.publishedAt == nil {
		r.publishedAt = &now
	}
	r.state = Published
	if r.publishedAt.After(now) {
		r.state = Scheduled
	}
}

// settle makes the state follow a date that was changed.
func (r *record) settle(now time.Time) {
	if r.state != Draft {
		r.publish(now)
	}
}

func (r *record) ref() Ref {
	return Ref{ID: r.id, Slug: r.slug, State: r.state, Revision: r.revision}
}

// same reports whether nothing that an author wrote differs.
func (r *record) same(o *record) bool {
	dates := (r.publishedAt == nil) == (o.publishedAt == nil) && (r.publishedAt == nil || r.publishedAt.Equal(*o.publishedAt))
	return dates && r.slug == o.slug && r.title == o.title && r.description == o.description && r.body == o.body &&
		r.state == o.state && r.authorID == o.authorID &&
		slices.Equal(r.labels, o.labels) && slices.Equal(r.permalinks, o.permalinks)
}

// save stores after in place of before (nil: a new post), with everything that
// follows from it: old slugs, tags, pictures, the index, and the topics that
// readers of either version look at. It sets after's id; the revision is the
// caller's to raise.
func save(ctx context.Context, tx *repo.Tx, before, after *record) error {
	if err := checkUnique(ctx, tx, after); err != nil {
		return err
	}
	if before != nil {
		if err := unindex(ctx, tx, before.id); err != nil {
			return err
		}
		if err := update(ctx, tx, after); err != nil {
			return err
		}
		if err := keepOldSlug(ctx, tx, before, after); err != nil {
			return err
		}
	} else if err := insert(ctx, tx, after); err != nil {
		return err
	}
	if before == nil || !slices.Equal(before.labels, after.labels) {
		if err := tags.Set(ctx, tx, after.id, after.labels); err != nil {
			return err
		}
	}
	if before == nil || !slices.Equal(before.permalinks, after.permalinks) {
		if err := setPermalinks(ctx, tx, after); err != nil {
			return err
		}
	}
	if after.doc != nil {
		if err := setMedia(ctx, tx, after.id, after.doc.media); err != nil {
			return err
		}
	}
	if err := index(ctx, tx, after.id); err != nil {
		return err
	}
	touch(tx, before)
	touch(tx, after)
	return nil
}

// touch notes what readers of the post see change. A post that nobody saw and
// nobody sees touches nothing.
func touch(tx *repo.Tx, r *record) {
	if r == nil || r.state != Published {
		return
	}
	subject := Card{ID: r.id}.Subject()
	tx.Touch(Topic, subject)
	for _, l := range r.labels {
		tx.Touch(tags.Topic(l), subject)
	}
	tx.Touch(PostTopic(r.slug), "")
}

func insert(ctx context.Context, tx *repo.Tx, r *record) error {
	r.revision = 1
	d := r.doc
	err := tx.QueryRowContext(ctx, `
		INSERT INTO posts (slug, title, description, body, author_id, state, published_at, created_at, updated_at,
			revision, labels, anchor, renderer, minutes, excerpt, headings, html, plain)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		RETURNING id`,
		r.slug, r.title, r.description, r.body, r.authorID, r.state, stored(r.publishedAt), repo.FormatTime(tx.Now()), repo.FormatTime(tx.Now()),
		r.revision, joinLabels(r.labels), d.anchor, markdown.Version, d.minutes, d.excerpt, d.headings, d.html, d.plain).Scan(&r.id)
	if err != nil {
		return fmt.Errorf("insert post: %w", err)
	}
	return nil
}

// update is one statement in any case: each writes the whole long row anew.
func update(ctx context.Context, tx *repo.Tx, r *record) error {
	set := `slug = ?, title = ?, description = ?, author_id = ?, state = ?, published_at = ?, updated_at = ?, revision = ?, labels = ?`
	args := []any{r.slug, r.title, r.description, r.authorID, r.state, stored(r.publishedAt), repo.FormatTime(tx.Now()), r.revision, joinLabels(r.labels)}
	if d := r.doc; d != nil {
		set += `, anchor = ?, renderer = ?, minutes = ?, excerpt = ?, headings = ?, html = ?, plain = ?, body = ?`
		args = append(args, d.anchor, markdown.Version, d.minutes, d.excerpt, d.headings, d.html, d.plain, r.body)
	}
	if _, err := tx.ExecContext(ctx, "UPDATE posts SET "+set+" WHERE id = ?", append(args, r.id)...); err != nil { // #nosec G202 -- constants
		return fmt.Errorf("update post: %w", err)
	}
	return nil
}

func storeDoc(ctx context.Context, tx *repo.Tx, id int64, d *rendered) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE posts
		SET anchor = ?, renderer = ?, minutes = ?, excerpt = ?, headings = ?, html = ?, plain = ?
		WHERE id = ?`, d.anchor, markdown.Version, d.minutes, d.excerpt, d.headings, d.html, d.plain, id)
	if err != nil {
		return fmt.Errorf("store rendered post: %w", err)
	}
	return nil
}

// checkUnique refuses, by field, a slug or permalink that another post has.
func checkUnique(ctx context.Context, tx *repo.Tx, r *record) error {
	c := checker{}
	var other int64
	err := tx.QueryRowContext(ctx, "SELECT id FROM posts WHERE slug = ? AND id <> ?", r.slug, r.id).Scan(&other)
	if err == nil {
		c.note("slug", "is taken by another post")
	} else if !noRows(err) {
		return fmt.Errorf("check slug: %w", err)
	}
	for _, p := range r.permalinks {
		err := tx.QueryRowContext(ctx, "SELECT post_id FROM permalinks WHERE path = ? AND post_id <> ?", p, r.id).Scan(&other)
		if err == nil {
			c.note("permalinks", p+" is taken by another post")
		} else if !noRows(err) {
			return fmt.Errorf("check permalink: %w", err)
		}
	}
	return c.err()
}

// keepOldSlug makes the slug that a post had lead to it. Where that slug led to
// another post before, only a post that readers saw there takes it over: a draft
// that was renamed must not end another's redirect.
func keepOldSlug(ctx context.Context, tx *repo.Tx, before, after *record) error {
	if before.slug == after.slug {
		return nil
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM old_slugs WHERE slug = ? AND post_id = ?", after.slug, after.id); err != nil {
		return fmt.Errorf("drop old slug: %w", err)
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO old_slugs (slug, post_id)
		VALUES (?, ?)
		ON CONFLICT (slug) DO UPDATE SET post_id = excluded.post_id WHERE ?`, before.slug, after.id, before.state == Published)
	if err != nil {
		return fmt.Errorf("keep old slug: %w", err)
	}
	return nil
}

func setPermalinks(ctx context.Context, tx *repo.Tx, r *record) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM permalinks WHERE post_id = ?", r.id); err != nil {
		return fmt.Errorf("clear permalinks: %w", err)
	}
	for i, p := range r.permalinks {
		if _, err := tx.ExecContext(ctx, "INSERT INTO permalinks (path, post_id, position) VALUES (?, ?, ?)", p, r.id, i); err != nil {
			return fmt.Errorf("set permalink: %w", err)
		}
	}
	return nil
}

func stored(t *time.Time) any {
	if t == nil {
		return nil
	}
	return repo.FormatTime(*t)
}

func joinLabels(labels []string) string {
	if labels == nil {
		labels = []string{}
	}
	b, err := json.Marshal(labels)
	if err != nil {
		return "[]" // strings always encode
	}
	return string(b)
}

func splitLabels(s string) []string {
	labels := []string{}
	if json.Unmarshal([]byte(s), &labels) != nil {
		return []string{}
	}
	return labels
}
