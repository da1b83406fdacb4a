package posts

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"blog/internal/frontmatter"
	"blog/internal/repo"
)

// Import stores a Markdown file as a post. The post is the one that has the
// file's slug, or had it before; else it is new. A post that was edited here
// since this file was last imported is left alone, with a Conflict error, unless
// Force is set.
type Import struct {
	Path        string            `json:"path"` // relative to the folder that is imported, with forward slashes
	Raw         []byte            `json:"raw"`  // the whole file, for the export
	Title       string            `json:"title"`
	Slug        string            `json:"slug"`
	Description string            `json:"description,omitempty"`
	Body        string            `json:"body,omitempty"`
	Author      string            `json:"author,omitempty"` // e-mail address or name
	Tags        []string          `json:"tags,omitempty"`
	Permalinks  []string          `json:"permalinks,omitempty"`
	PublishedAt *time.Time        `json:"published_at,omitempty"`
	Draft       bool              `json:"draft,omitempty"`
	Media       map[string]string `json:"media,omitempty"` // content hash by path in the text
	Force       bool              `json:"force,omitempty"`

	rec *record
}

// Edited is the reason of the Conflict error of an import onto a post that was
// edited here.
const Edited = "edited"

// NewImport returns the command for a parsed file whose pictures are stored. A
// heading on top of the text that is where the title comes from is left out of
// the body: a page shows the title above it.
func NewImport(f frontmatter.File, media map[string]string) Import {
	return Import{
		Path: f.Name, Raw: f.Raw, Title: f.Title, Slug: f.Slug, Description: f.Description, Body: untitled(f), Author: f.Author,
		Tags: f.Tags, Permalinks: f.Permalinks, PublishedAt: f.PublishedAt, Draft: f.Draft, Media: media,
	}
}

// untitled returns the body without the heading that gave the title.
func untitled(f frontmatter.File) string {
	first, rest, _ := strings.Cut(f.Body, "\n")
	if f.HasTitle {
		return f.Body
	}
	// The very reader that found the title says whether this line is where. The
	// name is one that no heading is: what the title is without any.
	const nameless = "\u2060"
	alone, _ := frontmatter.Parse(nameless, []byte(first), time.UTC)
	if alone.Title != f.Title || alone.Title == nameless {
		return f.Body
	}
	return frontmatter.CanonicalBody(rest)
}

// Name is "posts.import".
func (Import) Name() string { return "posts.import" }

// Bulk says that it comes by the folder.
func (Import) Bulk() {}

// Prepare checks the fields and renders the body.
func (i Import) Prepare(ctx context.Context, v repo.Viewer) (repo.Command[Ref], error) {
	f := checker{}
	r := &record{
		title: f.title(i.Title), slug: f.slug(i.Slug), description: f.description(i.Description), body: f.body(i.Body),
		labels: f.tags(i.Tags), permalinks: f.permalinks(i.Permalinks), publishedAt: f.date(i.PublishedAt),
		state: Draft,
	}
	if len(i.Raw) > maxRaw {
		f.note("raw", fmt.Sprintf("is longer than %d KB", maxRaw>>10))
	}
	f.note("path", checkPath(i.Path))
	if err := f.err(); err != nil {
		return nil, err
	}
	// The anchor of a post that is there already stays; whether it is there is
	// looked up again under the lock.
	var before *record
	err := v.View(ctx, func(rd repo.Reader) (err error) {
		before, _, err = i.find(ctx, rd)
		return err
	})
	if err != nil {
		return nil, err
	}
	anchor := newAnchor()
	if before != nil {
		anchor = before.anchor
	}
	doc, err := render(ctx, v, r.body, anchor, i.Media)
	if err == nil && len(doc.gone) > 0 {
		return nil, picturesGone(doc.gone)
	}
	r.doc, i.rec = &doc, r
	return i, err
}

// PicturesGone is the reason of the Conflict error of an import whose pictures are not
// stored, or not any more. Whoever has the files uploads them again, and asks again with
// the same key.
const PicturesGone = "pictures_gone"

func picturesGone(paths []string) error {
	slices.Sort(paths)
	return &repo.Error{
		Code: repo.Conflict, Reason: PicturesGone,
		Message: fmt.Sprintf("Pictures of this file are not stored any more (%s); nothing was saved. Import it again.", strings.Join(paths, ", ")),
	}
}

// imported is what is kept of the file that a post came from.
type imported struct {
	path     string
	raw      []byte
	revision int64
}

func (i Import) find(ctx context.Context, rd repo.Reader) (*record, *imported, error) {
	var id, rev int64
	var raw []byte
	var path string
	err := rd.QueryRowContext(ctx, `
		SELECT p.id, COALESCE(m.path, ''), COALESCE(m.raw, x''), COALESCE(m.revision, 0)
		FROM (SELECT id, 0 AS rank FROM posts WHERE slug = ?1 UNION ALL SELECT post_id, 1 FROM old_slugs WHERE slug = ?1) p
		LEFT JOIN imports m ON m.post_id = p.id
		ORDER BY p.rank
		LIMIT 1`, i.slug()).Scan(&id, &path, &raw, &rev)
	if noRows(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("find post of file: %w", err)
	}
	r, err := Target{ID: id}.load(ctx, rd)
	return &r, &imported{path: path, raw: raw, revision: rev}, err
}

// maxRaw is the largest file, in bytes: the longest body with line ends of two
// bytes, and the longest front matter.
const maxRaw = MaxBody + MaxBody/4 + 64<<10

// checkPath says what is wrong with a file's path: an export makes a file of it.
func checkPath(p string) string {
	switch {
	case !fs.ValidPath(p), p == ".", strings.ContainsFunc(p, unicode.IsControl), strings.Contains(p, `\`):
		return "must be the file's path below the folder that is imported, with forward slashes"
	case len(p) > 1000:
		return "is longer than 1000 bytes"
	}
	return ""
}

func (i Import) slug() string {
	stored, _ := CheckSlug(i.Slug)
	return stored
}

// Apply inserts or updates the post, or finds nothing to do.
func (i Import) Apply(ctx context.Context, tx *repo.Tx) (Ref, error) {
	before, from, err := i.find(ctx, tx)
	if err != nil {
		return Ref{}, err
	}
	if before == nil {
		return i.create(ctx, tx)
	}
	after, err := i.over(ctx, tx, *before)
	if err != nil {
		return Ref{}, err
	}
	pictures, err := mediaOf(ctx, tx, before.id)
	if err != nil {
		return Ref{}, err
	}
	known := bytes.Equal(from.raw, i.Raw) && from.revision == before.revision && from.path == i.Path
	same := after.same(before) && maps.Equal(pictures, after.doc.media)
	switch {
	case known && same:
		tx.NoChange()
		return unchanged(before), nil
	case same: // the file says what the post is: only remember the file
		return unchanged(before), i.remember(ctx, tx, before)
	case from.revision == 0 && !i.Force:
		return Ref{}, edited("The post %q was not made from this file; nothing was changed. --force overwrites it with the file.", before.slug)
	case from.revision != before.revision && !i.Force:
		return Ref{}, edited("The post %q was edited here since this file was last imported; nothing was changed. --force overwrites it with the file.", before.slug)
	}
	after.revision++
	if err := save(ctx, tx, before, &after); err != nil {
		return Ref{}, err
	}
	return after.ref(), i.remember(ctx, tx, &after)
}

func edited(format, slug string) error {
	return &repo.Error{Code: repo.Conflict, Reason: Edited, Message: fmt.Sprintf(format, slug)}
}

func unchanged(r *record) Ref {
	ref := r.ref()
	ref.Unchanged = true
	return ref
}

func (i Import) create(ctx context.Context, tx *repo.Tx) (Ref, error) {
	r := i.rec.own()
	var err error
	if r.authorID, err = author(ctx, tx, i.Author); err != nil {
		return Ref{}, err
	}
	if !i.Draft {
		r.publish(tx.Now())
	}
	if err := save(ctx, tx, nil, r); err != nil {
		return Ref{}, err
	}
	return r.ref(), i.remember(ctx, tx, r)
}

// over returns what the file makes of the post. A post that was found by an old
// slug keeps the slug that it has.
func (i Import) over(ctx context.Context, tx *repo.Tx, before record) (record, error) {
	after := before
	f := i.rec
	after.title, after.description, after.body = f.title, f.description, f.body
	after.labels, after.permalinks, after.doc = f.labels, f.permalinks, f.doc
	if f.publishedAt != nil {
		after.publishedAt = f.publishedAt
	}
	if i.Author != "" {
		var err error
		if after.authorID, err = author(ctx, tx, i.Author); err != nil {
			return after, err
		}
	}
	if i.Draft {
		after.state, after.publishedAt = Draft, f.publishedAt
	} else {
		after.publish(tx.Now())
	}
	return after, nil
}

func (i Import) remember(ctx context.Context, tx *repo.Tx, r *record) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO imports (post_id, path, raw, revision)
		VALUES (?, ?, COALESCE(?, x''), ?)
		ON CONFLICT (post_id) DO UPDATE SET path = excluded.path, raw = excluded.raw, revision = excluded.revision`,
		r.id, i.Path, i.Raw, r.revision)
	if err != nil {
		return fmt.Errorf("remember file: %w", err)
	}
	return nil
}
