package posts

import (
	"context"
	"fmt"
	"time"

	"blog/internal/apperr"
	"blog/internal/repo"
)

// Update is the command that changes the given fields of a post and leaves the others. Revision is
// the one that the caller saw. When the post has another revision, Update changes nothing and fails
// with Conflict. An operator may send 0, which accepts every revision.
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
	// ClearDate removes the date of a draft. With Publish the post gets the time of the write as
	// its date.
	ClearDate bool `json:"clear_date,omitempty"`
	// Publish also changes the state when it is not nil: true publishes the post, or schedules it
	// when its date is to come, and false makes it a draft.
	Publish *bool `json:"publish,omitempty"`

	doc     *rendered
	checked checkedUpdate
}

type checkedUpdate struct {
	title, slug, description, body string
	labels, permalinks             []string
	date                           *time.Time
}

// Name returns "posts.update".
func (Update) Name() string { return "posts.update" }

// Prepare checks the given fields, and renders the body if it is given.
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
		return nil, conflict(before.revision) // a post never gets an earlier revision again
	}
	doc, err := render(ctx, v, u.checked.body, before.anchor, files)
	u.doc = &doc
	return u, err
}

const revisionNeeded = "is needed: the revision of the post that was edited"

// given checks *from and stores the result in *to, unless from is nil.
func given[T any](from, to *T, check func(T) T) {
	if from != nil {
		*to = check(*from)
	}
}

// Apply stores the changes. It fails with Invalid when the date is cleared and the post would not
// be a draft.
func (u Update) Apply(ctx context.Context, tx *repo.Tx) (Ref, error) {
	before, err := u.load(ctx, tx)
	if err != nil {
		return Ref{}, err
	}
	switch {
	case u.Revision == 0 && tx.Actor().Name != repo.Operator:
		return Ref{}, apperr.InvalidFields(map[string]string{"revision": revisionNeeded})
	case u.Revision != 0 && before.revision != u.Revision:
		return Ref{}, conflict(before.revision)
	}
	after := u.merge(before)
	if after.publishedAt == nil && u.Publish == nil && before.state != Draft {
		return Ref{}, apperr.InvalidFields(map[string]string{
			"published_at": "cannot be empty, since the post is " + string(before.state) + ": give a date, or unpublish it",
		})
	}
	if u.Publish != nil && !*u.Publish {
		after.state = Draft
	} else if u.Publish != nil {
		after.publish(tx.Now())
	} else {
		after.updateState(tx.Now())
	}
	ref, err := saveChange(ctx, tx, &before, &after)
	if err != nil || ref.Unchanged {
		return ref, err
	}
	return ref, renamed(ctx, tx, &before, &after)
}

// renamed raises the revision stored for the file of a post to after's when only the slug has
// changed. The post then still counts as the unedited post of its file: an import finds it by the
// old slug and overwrites nothing.
func renamed(ctx context.Context, tx *repo.Tx, before, after *record) error {
	other := before.clone()
	other.slug = after.slug
	if !after.same(other) {
		return nil
	}
	_, err := tx.ExecContext(ctx, "UPDATE imports SET revision = ? WHERE post_id = ? AND revision = ?", after.revision,
		after.id, before.revision)
	if err != nil {
		return fmt.Errorf("store the revision of a renamed post: %w", err)
	}
	return nil
}

// merge returns before with the given fields of u in place of its own.
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
