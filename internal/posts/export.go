package posts

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"blog/internal/accounts"
	"blog/internal/frontmatter"
	"blog/internal/repo"
	"blog/internal/tags"
)

// Exported is a post with what its file is made of.
type Exported struct {
	Post
	Pictures map[string]string // content hash by path in the text

	path     string // of the file it was last imported from, "" when of none
	raw      []byte
	revision int64 // that the import made
	byFirst  bool  // its author is the one that an import takes by default
}

// IDs returns the ids of all posts, the oldest first.
func IDs(ctx context.Context, rd repo.Reader) (_ []int64, err error) {
	rows, err := rd.QueryContext(ctx, "SELECT id FROM posts ORDER BY id")
	if err != nil {
		return nil, fmt.Errorf("list posts: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("list posts: %w", err)
		}
		out = append(out, id)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list posts: %w", err)
	}
	return out, nil
}

// Export returns the post with id for its file. NotFound when there is none.
func Export(ctx context.Context, rd repo.Reader, id int64) (Exported, error) {
	var e Exported
	var err error
	if e.Post, err = ByID(ctx, rd, id); err != nil {
		return e, err
	}
	if e.Pictures, err = mediaOf(ctx, rd, id); err != nil {
		return e, err
	}
	first, err := accounts.First(ctx, rd) // there is one: the post has an author
	if err != nil {
		return e, fmt.Errorf("find first author: %w", err)
	}
	e.byFirst = first.ID == e.AuthorID
	err = rd.QueryRowContext(ctx, "SELECT path, raw, revision FROM imports WHERE post_id = ?", id).Scan(&e.path, &e.raw, &e.revision)
	if err != nil && !noRows(err) {
		return e, fmt.Errorf("read imported file: %w", err)
	}
	return e, nil
}

// Paths returns where the post's file may go, the best first, with forward
// slashes and inside the folder: where it came from, else a name made of its slug.
func (e Exported) Paths() []string {
	own := []string{e.Slug + ".md", fmt.Sprintf("%s-%d.md", e.Slug, e.ID)}
	if e.path != "" && filepath.IsLocal(filepath.FromSlash(e.path)) {
		return append([]string{e.path}, own...)
	}
	return own
}

// File returns the post's Markdown file: the very bytes that it was imported
// from while nothing was edited here, otherwise those with what was. loc is the
// zone of dates that name none.
func (e Exported) File(loc *time.Location) []byte {
	want := frontmatter.Fields{
		Title: e.Title, Slug: e.Slug, Description: e.Description, Body: e.Body, Tags: e.Labels, Permalinks: e.Permalinks, Draft: e.State == Draft,
	}
	if !e.PublishedAt.IsZero() {
		want.PublishedAt = &e.PublishedAt
	}
	if !e.byFirst {
		want.Author = e.Author
	}
	if e.path == "" {
		return frontmatter.Render(nil, want)
	}
	f, problems := frontmatter.Parse(e.path, e.raw, loc)
	// A post that was renamed here is still the file's, by its old slug.
	if slug, _ := CheckSlug(f.Slug); e.revision == e.Revision && (slug == e.Slug || frontmatter.Failed(problems)) {
		return e.raw
	}
	if frontmatter.Failed(problems) { // written by a release that read more
		return frontmatter.Render(nil, want)
	}
	if f.Author == e.Author || f.Author != "" && strings.EqualFold(f.Author, e.AuthorEmail) {
		want.Author = f.Author
	}
	imported := f.Imported(e.stored(f))
	return frontmatter.Render(&imported, want)
}

// stored is what the import has made of f: what differs from it now was edited.
func (e Exported) stored(f frontmatter.File) frontmatter.Fields {
	out := f.Fields
	var c checker = map[string]string{} // f was imported: there is nothing to note
	out.Title, out.Description, out.Slug = c.title(f.Title), c.description(f.Description), c.slug(f.Slug)
	out.Permalinks = c.permalinks(f.Permalinks)
	if labels, err := tags.NormalizeAll(f.Tags); err == nil {
		out.Tags = labels
	}
	if f.PublishedAt == nil && !f.Draft && !e.PublishedAt.IsZero() {
		out.PublishedAt = &e.PublishedAt
	}
	return out
}
