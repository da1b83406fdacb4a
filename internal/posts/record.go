package posts

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"blog/internal/apperr"
	"blog/internal/markdown"
	"blog/internal/repo"
	"blog/internal/tags"
)

// record is a post as the commands read and write it.
type record struct {
	id                       int64
	slug, title, description string
	body                     string
	authorID                 int64
	state                    State
	publishedAt              *time.Time
	revision                 int64
	labels, permalinks       []string
	pinned                   bool
	anchor                   string
	doc                      *rendered // nil when the rendered text is not to be changed
}

// clone returns a copy of r. Apply changes the copy, because Apply may run again on r.
func (r *record) clone() *record {
	c := *r
	return &c
}

// Target names the post of a command: by ID, or by its present slug in any letter case and Unicode
// composition.
type Target struct {
	ID   int64  `json:"id,omitempty"`
	Post string `json:"post,omitempty"`
}

// slug returns the slug that t names, in its stored form.
func (t Target) slug() string {
	slug, problem := CheckSlug(t.Post)
	if problem != "" {
		return t.Post
	}
	return slug
}

// load reads the post that t names. It fails with NotFound when there is none.
func (t Target) load(ctx context.Context, rd repo.Reader) (record, error) {
	var r record
	var published *string
	var labels string
	err := rd.QueryRowContext(ctx, `
		SELECT id, slug, title, description, body, author_id, state, published_at, revision, labels, anchor,
			EXISTS (SELECT 1 FROM pins WHERE post_id = posts.id)
		FROM posts
		WHERE (?1 <> 0 AND id = ?1) OR (?1 = 0 AND slug = ?2)`, t.ID, t.slug()).
		Scan(&r.id, &r.slug, &r.title, &r.description, &r.body, &r.authorID, &r.state, &published, &r.revision, &labels,
			&r.anchor, &r.pinned)
	if noRows(err) {
		return r, apperr.Errorf(apperr.NotFound, "There is no such post.")
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

// loadWithMedia reads the post that t names and the hashes of its pictures by path, in a
// transaction of its own.
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

// publish sets the state for a post that is to be visible at its date: published, or scheduled when
// the date is later than now. A post without a date gets now.
func (r *record) publish(now time.Time) {
	if r.publishedAt == nil {
		r.publishedAt = &now
	}
	r.state = Published
	if r.publishedAt.After(now) {
		r.state = Scheduled
	}
}

// updateState sets the state after a change of the date. A draft stays a draft.
func (r *record) updateState(now time.Time) {
	if r.state != Draft {
		r.publish(now)
	}
}

func (r *record) ref() Ref {
	return Ref{ID: r.id, Slug: r.slug, State: r.state, Revision: r.revision}
}

// same reports whether r and o agree in everything that an author writes. A pin is not part of
// that.
func (r *record) same(o *record) bool {
	dates := (r.publishedAt == nil) == (o.publishedAt == nil) &&
		(r.publishedAt == nil || r.publishedAt.Equal(*o.publishedAt))
	return dates && r.slug == o.slug && r.title == o.title && r.description == o.description && r.body == o.body &&
		r.state == o.state && r.authorID == o.authorID &&
		slices.Equal(r.labels, o.labels) && slices.Equal(r.permalinks, o.permalinks)
}

// saveChange stores after in place of before under the next revision. When both are the same it
// writes nothing and returns a Ref with Unchanged.
func saveChange(ctx context.Context, tx *repo.Tx, before, after *record) (Ref, error) {
	if after.same(before) {
		tx.NoChange()
		return unchanged(before), nil
	}
	after.revision++
	if err := save(ctx, tx, before, after); err != nil {
		return Ref{}, err
	}
	return after.ref(), nil
}

// save stores after in place of before, or as a new post when before is nil. It also updates what
// depends on the post: old slugs, tags, the pin, pictures and the search index, and touches the
// topics of both versions. It sets after.id. Callers raise the revision.
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
		if err := storeOldSlug(ctx, tx, before, after); err != nil {
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
	if after.pinned != (before != nil && before.pinned) {
		if err := storePin(ctx, tx, after); err != nil {
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

// touch touches the topics of every page that shows r. A post that readers do not see touches
// nothing.
func touch(tx *repo.Tx, r *record) {
	if r == nil || r.state != Published {
		return
	}
	touchLists(tx, r)
	tx.Touch(PostTopic(r.slug), "")
}

// touchLists touches the topics of the lists that show the post's card.
func touchLists(tx *repo.Tx, r *record) {
	if r.state != Published {
		return
	}
	subject := Card{ID: r.id}.Subject()
	tx.Touch(Topic, subject)
	for _, l := range r.labels {
		tx.Touch(tags.Topic(l), subject)
	}
}

// insert inserts r at revision 1, and sets its id.
func insert(ctx context.Context, tx *repo.Tx, r *record) error {
	r.revision = 1
	d := r.doc
	err := tx.QueryRowContext(ctx, `
		INSERT INTO posts (slug, title, description, body, author_id, state, published_at, created_at, updated_at,
			revision, labels, anchor, renderer, minutes, excerpt, headings, html, plain)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		RETURNING id`,
		r.slug, r.title, r.description, r.body, r.authorID, r.state, stored(r.publishedAt), repo.FormatTime(tx.Now()),
		repo.FormatTime(tx.Now()),
		r.revision, joinLabels(r.labels), d.anchor, markdown.Version, d.minutes, d.excerpt, d.headings, d.html, d.plain).
		Scan(&r.id)
	if err != nil {
		return fmt.Errorf("insert post: %w", err)
	}
	return nil
}

// update writes the post in a single statement, because every UPDATE writes the whole long row
// again.
func update(ctx context.Context, tx *repo.Tx, r *record) error {
	tx.Rewrites(rowSize * len(r.body))
	set := `slug = ?, title = ?, description = ?, author_id = ?, state = ?, published_at = ?, updated_at = ?, revision ` +
		`= ?, labels = ?`
	args := []any{
		r.slug, r.title, r.description, r.authorID, r.state, stored(r.publishedAt), repo.FormatTime(tx.Now()), r.revision,
		joinLabels(r.labels),
	}
	if d := r.doc; d != nil {
		set += `, anchor = ?, renderer = ?, minutes = ?, excerpt = ?, headings = ?, html = ?, plain = ?, body = ?`
		args = append(args, d.anchor, markdown.Version, d.minutes, d.excerpt, d.headings, d.html, d.plain, r.body)
	}
	// #nosec G202 -- constants
	if _, err := tx.ExecContext(ctx, "UPDATE posts SET "+set+" WHERE id = ?", append(args, r.id)...); err != nil {
		return fmt.Errorf("update post: %w", err)
	}
	return nil
}

// rowSize is about how many times as long as its body a post's row is: it has the HTML and the
// plain text too.
const rowSize = 4

// storeDoc stores what was rendered from a body, and leaves the rest of the post as it is.
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

// checkUnique returns an Invalid error, by field, when another post has the slug or a permalink of
// r.
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

// storeOldSlug makes the slug of before lead to the post. When the slug led to another post
// already, it changes that only if readers saw this post there: renaming a draft must not end
// another post's redirect.
func storeOldSlug(ctx context.Context, tx *repo.Tx, before, after *record) error {
	if before.slug == after.slug {
		return nil
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM old_slugs WHERE slug = ? AND post_id = ?", after.slug,
		after.id); err != nil {
		return fmt.Errorf("drop old slug: %w", err)
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO old_slugs (slug, post_id)
		VALUES (?, ?)
		ON CONFLICT (slug) DO UPDATE SET post_id = excluded.post_id WHERE ?`,
		before.slug, after.id, before.state == Published)
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
		if _, err := tx.ExecContext(ctx, "INSERT INTO permalinks (path, post_id, position) VALUES (?, ?, ?)", p, r.id,
			i); err != nil {
			return fmt.Errorf("set permalink: %w", err)
		}
	}
	return nil
}

// stored returns t as a column has it: nil, or the formatted time.
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
