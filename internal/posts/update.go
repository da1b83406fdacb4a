package posts

import (
	"context"
	"fmt"
	"time"

	"blog/internal/repo"
)

// Update changes what is given of a post and leaves the rest. Revision is the one
// that the caller saw: with another one in the database nothing changes and the
// error is a Conflict. For an operator, 0 means the one that there is.
type Update struct {
	Target
	Revision    int64      `json:"revision"`
	Title       *string    `json:"title,omitempty"`
	Slug        *string    `json:"slug,omitempty"`
	Description *string    `json:"description,omitempty"`
	Body        *string    `json:"body,omitempty"`
	Tags        *[]string  `json:"tags,omitempty"`
	Permalinks  *[]string  `json:"permalinks,omitempty"`
	PublishedAt *time.Time `json:"published_at,omitempty"`
	// ClearDate takes a draft's date away; with Publish the post gets that moment's.
	ClearDate bool `json:"clear_date,omitempty"`
	// Publish, when given, also publishes the post (or schedules it, by its
	// date) or makes it a draft.
	Publish *bool `json:"publish,omitempty"`

	doc     *rendered
	checked checkedUpdate
}

type checkedUpdate struct {
	title, slug, description, body string
	labels, permalinks             []string
	date                           *time.Time
}

// Name is "posts.update".
func (Update) Name() string { return "posts.update" }

// Prepare checks the fields and renders the body if it is given.
func (u Update) Prepare(ctx context.Context, v repo.Viewer) (repo.Command[Ref], error) {
	f := checker{}
	if u.Revision < 0 {
		f.note("revision", revisionNeeded)
	}
	given(u.Title, &u.checked.title, f.title)
	given(u.Slug, &u.checked.slug, f.slug)
	given(u.Description, &u.checked.description, f.description)
	given(u.Body, &u.checked.body, f.body)
	given(u.Tags, &u.checked.labels, f.tags)
	given(u.Permalinks, &u.checked.permalinks, f.permalinks)
	u.checked.date = f.date(u.PublishedAt)
	if err := f.err(); err != nil || u.Body == nil {
		return u, err
	}
	before, files, err := u.loadWithMedia(ctx, v)
	if err != nil {
		return nil, err
	}
	if u.Revision != 0 && before.revision != u.Revision {
		return nil, conflict(before.revision) // it never comes back to that one
	}
	doc, err := render(ctx, v, u.checked.body, before.anchor, files)
	u.doc = &doc
	return u, err
}

const revisionNeeded = "is needed: the revision of the post that was edited"

func given[T any](from, to *T, check func(T) T) {
	if from != nil {
		*to = check(*from)
	}
}

// Apply stores the changes.
func (u Update) Apply(ctx context.Context, tx *repo.Tx) (Ref, error) {
	before, err := u.load(ctx, tx)
	if err != nil {
		return Ref{}, err
	}
	switch {
	case u.Revision == 0 && tx.Actor().Name != repo.Operator:
		return Ref{}, repo.InvalidFields(map[string]string{"revision": revisionNeeded})
	case u.Revision != 0 && before.revision != u.Revision:
		return Ref{}, conflict(before.revision)
	}
	after := u.merge(before)
	if after.publishedAt == nil && u.Publish == nil && before.state != Draft {
		return Ref{}, repo.InvalidFields(map[string]string{"published_at": "cannot be empty, since the post is " + string(before.state) + ": give a date, or unpublish it"})
	}
	if u.Publish != nil && !*u.Publish {
		after.state = Draft
	} else if u.Publish != nil {
		after.publish(tx.Now())
	} else {
		after.settle(tx.Now())
	}
	if after.same(&before) {
		tx.NoChange()
		ref := before.ref()
		ref.Unchanged = true
		return ref, nil
	}
	after.revision++
	if err := save(ctx, tx, &before, &after); err != nil {
		return Ref{}, err
	}
	return after.ref(), renamed(ctx, tx, &before, &after)
}

// renamed keeps a post that got another slug, and nothing else, the one that its
// file says: an import finds it by the old slug and has nothing to overwrite.
func renamed(ctx context.Context, tx *repo.Tx, before, after *record) error {
	other := before.own()
	other.slug = after.slug
	if !after.same(other) {
		return nil
	}
	_, err := tx.ExecContext(ctx, "UPDATE imports SET revision = ? WHERE post_id = ? AND revision = ?", after.revision, after.id, before.revision)
	if err != nil {
		return fmt.Errorf("keep file of renamed post: %w", err)
	}
	return nil
}

// merge returns before with what is given in its place.
func (u Update) merge(before record) record {
	after := before
	if u.Title != nil {
		after.title = u.checked.title
	}
	if u.Slug != nil {
		after.slug = u.checked.slug
	}
	if u.Description != nil {
		after.description = u.checked.description
	}
	if u.Tags != nil {
		after.labels = u.checked.labels
	}
	if u.Permalinks != nil {
		after.permalinks = u.checked.permalinks
	}
	if u.Body != nil && u.checked.body != before.body {
		after.body, after.doc = u.checked.body, u.doc
	}
	if u.checked.date != nil {
		after.publishedAt = u.checked.date
	} else if u.ClearDate {
		after.publishedAt = nil
	}
	return after
}
