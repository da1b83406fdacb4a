package posts

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"time"

	"blog/internal/accounts"
	"blog/internal/dialect"
	"blog/internal/frontmatter"
	"blog/internal/repo"
	"blog/internal/tags"
)

// Exported is a post with everything that its Markdown file is made from. See Export.
type Exported struct {
	Post
	Pictures map[string]string // content hash by the path in the text

	path     string // of the file that the post was last imported from; "" when it was never imported
	raw      []byte // bytes of that file
	revision int64  // revision of the post that the import made
	pinned   bool   // whether the import pinned the post
	byFirst  bool   // whether the author is the user that an import without an author chooses
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

// Export returns what the file of the post with this id is made from. It fails with NotFound when
// there is no such post.
func Export(ctx context.Context, rd repo.Reader, id int64) (Exported, error) {
	var e Exported
	var err error
	if e.Post, err = ByID(ctx, rd, id); err != nil {
		return e, err
	}
	if e.Pictures, err = mediaOf(ctx, rd, id); err != nil {
		return e, err
	}
	first, err := accounts.First(ctx, rd) // the post has an author, so there is a first user
	if err != nil {
		return e, fmt.Errorf("find first author: %w", err)
	}
	e.byFirst = first.ID == e.AuthorID
	err = rd.QueryRowContext(ctx, "SELECT path, raw, revision, pinned FROM imports WHERE post_id = ?", id).
		Scan(&e.path, &e.raw, &e.revision, &e.pinned)
	if err != nil && !noRows(err) {
		return e, fmt.Errorf("read imported file: %w", err)
	}
	return e, nil
}

// Paths returns the paths that the post's file may have, best first: the path that it was imported
// from, then names made from its slug and its id. They are relative, have forward slashes and stay
// inside the folder.
func (e Exported) Paths() []string {
	files := []string{e.Slug + ".md", fmt.Sprintf("%s-%d.md", e.Slug, e.ID)}
	if e.path != "" && filepath.IsLocal(filepath.FromSlash(e.path)) {
		return append([]string{e.path}, files...)
	}
	return files
}

// File returns the post's Markdown file: the very bytes that it was imported
// from while nothing was edited here, otherwise those with what was, or with is_draft
// where only its folder said that the post is not for everybody. loc is the
// zone of dates that name none.
func (e Exported) File(loc *time.Location) []byte {
	want := frontmatter.Fields{
		Title: e.Title, Slug: e.Slug, Description: e.Description, Body: e.Body, Tags: e.Labels, Permalinks: e.Permalinks,
		Draft: e.State == Draft, Pinned: e.Pinned != 0,
	}
	if !e.PublishedAt.IsZero() {
		want.PublishedAt = &e.PublishedAt
	}
	if !e.byFirst {
		want.Author = e.Author
	}
	want.Verbatim = isForeign(e.path, e.Body)
	if e.path == "" {
		return frontmatter.Render(nil, want)
	}
	f, problems := frontmatter.Parse(e.path, e.raw, loc)
	// A post that got only a new slug since counts as unedited by its revision (see renamed), but
	// the file has the old slug.
	unedited := e.revision == e.Revision && e.pinned == want.Pinned
	// What made it a draft was not in the file but in its folder, and has to be in the file from now on.
	if want.Draft && !f.Draft && f.Expires == nil && !frontmatter.Failed(problems) {
		unedited = false
	}
	if slug, _ := CheckSlug(f.Slug); unedited && (slug == e.Slug || frontmatter.Failed(problems)) {
		return e.raw
	}
	if frontmatter.Failed(problems) { // an earlier release, which accepted more, imported the file
		return frontmatter.Render(nil, want)
	}
	if f.Author == e.Author || f.Author != "" && strings.EqualFold(f.Author, e.AuthorEmail) {
		want.Author = f.Author
	}
	want.Verbatim = want.Verbatim || f.Verbatim
	imported := f.Imported(e.stored(f))
	return frontmatter.Render(&imported, want)
}

// isForeign reports whether an import would take something in a text for another system's.
func isForeign(file, body string) bool {
	text := dialect.Text(body, dialect.Options{MDX: strings.EqualFold(path.Ext(file), ".mdx")}).Text
	return text != body
}

// stored is what the import has made of f: what differs from it now was edited.
func (e Exported) stored(f frontmatter.File) frontmatter.Fields {
	out := f.Fields
	var c checker = map[string]string{} // f was imported, so its fields have no problems to collect
	out.Title, out.Description, out.Slug = c.title(f.Title), c.description(f.Description), c.slug(f.Slug)
	out.Permalinks = c.permalinks(permalinksOfFile(f))
	if labels, err := tags.NormalizeAll(f.Tags); err == nil {
		out.Tags = labels
	}
	if f.PublishedAt == nil && !f.Draft && !e.PublishedAt.IsZero() {
		out.PublishedAt = &e.PublishedAt
	}
	return out
}
