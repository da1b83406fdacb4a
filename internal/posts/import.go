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

	"blog/internal/apperr"
	"blog/internal/frontmatter"
	"blog/internal/repo"
)

// Import is the command that stores a Markdown file as a post. The post is the one that has the
// file's slug, or had it earlier; otherwise Import makes a new one. It fails with Conflict and
// reason Edited, and changes nothing, when the post was edited on the blog since this file was last
// imported or was not made from a file; Force overwrites the post all the same. It fails with
// Conflict and reason PicturesGone when a picture of Media is not stored.
type Import struct {
	Path        string            `json:"path"` // relative to the imported folder, with forward slashes
	Raw         []byte            `json:"raw"`  // bytes of the whole file, which an export returns
	Title       string            `json:"title"`
	Slug        string            `json:"slug"`
	Description string            `json:"description,omitempty"`
	Body        string            `json:"body,omitempty"`
	Author      string            `json:"author,omitempty"` // e-mail address or name
	Tags        []string          `json:"tags,omitempty"`
	Permalinks  []string          `json:"permalinks,omitempty"`
	PublishedAt *time.Time        `json:"published_at,omitempty"`
	Draft       bool              `json:"draft,omitempty"`
	Expires     *time.Time        `json:"expires_at,omitempty"` // from when on it is a draft
	Pinned      bool              `json:"pinned,omitempty"`
	Media       map[string]string `json:"media,omitempty"` // content hash by the path in the text
	Force       bool              `json:"force,omitempty"`

	rec *record
}

// Edited is the reason of the Conflict error when an import would overwrite edits made on the blog.
const Edited = "edited"

// NewImport returns the command for a parsed file whose pictures are stored. media has their
// content hashes by the path in the text. When the title comes from a heading at the top of the
// text, the body is stored without this heading, because a page shows the title above the body.
func NewImport(f frontmatter.File, media map[string]string) Import {
	return Import{
		Path: f.Name, Raw: f.Raw, Title: f.Title, Slug: f.Slug, Description: f.Description, Body: untitled(f),
		Author: f.Author, Tags: f.Tags, Permalinks: permalinksOfFile(f), PublishedAt: f.PublishedAt, Draft: f.Draft,
		Expires: f.Expires, Pinned: f.Pinned, Media: media,
	}
}

// permalinksOfFile returns the permalinks that a file gives, without those addresses of another
// system's that LeftAddresses names.
func permalinksOfFile(f frontmatter.File) []string {
	left := map[string]bool{localAddress(f): len(f.Addresses) > 0}
	for _, a := range LeftAddresses(f) {
		left[a.Path] = true
	}
	var out []string
	for _, p := range f.Permalinks {
		if !left[p] {
			out = append(out, p)
		}
	}
	return out
}

// localAddress is the one that the file's post has here.
func localAddress(f frontmatter.File) string {
	slug, _ := CheckSlug(f.Slug)
	return "/posts/" + slug
}

// LeftAddress is an address in another system that cannot lead to the post, and why.
type LeftAddress struct {
	frontmatter.Address
	Problem string
}

// LeftAddresses returns the addresses that the post had in another system and that cannot lead to it
// here: what the site itself uses, and those beyond the most that a post has. Its own address is
// none of them, and no permalink either.
func LeftAddresses(f frontmatter.File) []LeftAddress {
	var left []LeftAddress
	room := maxPermalinks - len(f.Permalinks) + len(f.Addresses)
	for _, a := range f.Addresses {
		if a.Path == localAddress(f) {
			continue
		}
		_, problem := CheckPermalink(a.Path)
		if problem == "" && room <= 0 {
			problem = fmt.Sprintf("is one more than the %d that a post has", maxPermalinks)
		}
		if problem != "" {
			left = append(left, LeftAddress{a, problem})
		} else {
			room--
		}
	}
	return left
}

// untitled returns the body without the heading that gave the title.
func untitled(f frontmatter.File) string {
	first, remainder, _ := strings.Cut(f.Body, "\n")
	if f.HasTitle {
		return f.Body
	}
	// Parsing the first line alone gives the file's title if, and only if, the title came from this
	// line. The file gets a name that no heading can have, since a file without a heading has its
	// name as its title.
	const nameless = "\u2060"
	alone, _ := frontmatter.Parse(nameless, []byte(first), time.UTC)
	if alone.Title != f.Title || alone.Title == nameless {
		return f.Body
	}
	return frontmatter.CanonicalBody(remainder)
}

// Name returns "posts.import".
func (Import) Name() string { return "posts.import" }

// Bulk marks the command as one of many: an import sends one for each file of a folder.
func (Import) Bulk() {}

// Prepare checks the fields and renders the body.
func (i Import) Prepare(ctx context.Context, v repo.Viewer) (repo.Command[Ref], error) {
	f := checker{}
	r := &record{
		title: f.title(i.Title), slug: f.slug(i.Slug), description: f.description(i.Description), body: f.body(i.Body),
		labels: f.tags(i.Tags), permalinks: f.permalinks(i.Permalinks), publishedAt: f.date(i.PublishedAt),
		state: Draft, pinned: i.Pinned,
	}
	if len(i.Raw) > maxRaw {
		f.note("raw", fmt.Sprintf("is longer than %d KB", maxRaw>>10))
	}
	f.note("path", checkPath(i.Path))
	if err := f.err(); err != nil {
		return nil, err
	}
	// A post that exists already retains its anchor. Apply reads again, under the lock, whether it
	// exists.
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

// PicturesGone is the reason of the Conflict error of an import when some of its pictures are not
// stored, or no longer stored. A caller that has the files uploads them again and repeats the
// import with the same key.
const PicturesGone = "pictures_gone"

func picturesGone(paths []string) error {
	slices.Sort(paths)
	return &apperr.Error{
		Code: apperr.Conflict, Reason: PicturesGone,
		Message: fmt.Sprintf("Pictures of this file are not stored any more (%s); nothing was saved. Import it again.",
			strings.Join(paths, ", ")),
	}
}

// imported is what is stored about the file that a post was imported from.
type imported struct {
	path     string
	raw      []byte
	revision int64
	pinned   bool
}

// made reports whether r still has the revision and the pin that the import gave it.
func (m *imported) made(r *record) bool { return m.revision == r.revision && m.pinned == r.pinned }

// find returns the post that has the slug of i, or else the post that had it, and what is stored of
// its file; the second is zero when it was not imported. Both are nil when there is no such post.
func (i Import) find(ctx context.Context, rd repo.Reader) (*record, *imported, error) {
	var id int64
	var from imported
	err := rd.QueryRowContext(ctx, `
		SELECT p.id, COALESCE(m.path, ''), COALESCE(m.raw, x''), COALESCE(m.revision, 0), COALESCE(m.pinned, 0)
		FROM (SELECT id, 0 AS rank FROM posts WHERE slug = ?1 UNION ALL SELECT post_id, 1 FROM old_slugs WHERE slug = ?1) p
		LEFT JOIN imports m ON m.post_id = p.id
		ORDER BY p.rank
		LIMIT 1`, i.slug()).Scan(&id, &from.path, &from.raw, &from.revision, &from.pinned)
	if noRows(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("find post of file: %w", err)
	}
	r, err := Target{ID: id}.load(ctx, rd)
	return &r, &from, err
}

// maxRaw is the largest file in bytes: the longest body, a quarter of it for line ends of two
// bytes, and 64 KB of front matter.
const maxRaw = MaxBody + MaxBody/4 + 64<<10

// checkPath returns what is wrong with a file's path, or "". An export makes a file with this path.
func checkPath(p string) string {
	switch {
	case !fs.ValidPath(p), p == ".", strings.ContainsFunc(p, unicode.IsControl), strings.Contains(p, `\`):
		return "must be the file's path below the folder that is imported, with forward slashes"
	case len(p) > 1000:
		return "is longer than 1000 bytes"
	}
	return ""
}

// State returns the state that a new post of this file has at a time.
func (i Import) State(now time.Time) State {
	r := record{publishedAt: i.PublishedAt, state: Draft}
	if !i.draft(now) {
		r.publish(now)
	}
	return r.state
}

// draft reports whether the file says that the post is not for everybody, or not any more.
func (i Import) draft(now time.Time) bool {
	return i.Draft || i.Expires != nil && !i.Expires.After(now)
}

func (i Import) slug() string {
	stored, _ := CheckSlug(i.Slug)
	return stored
}

// Apply inserts the post or updates it. It writes nothing when post and file are as at the last
// import.
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
	known := bytes.Equal(from.raw, i.Raw) && from.made(before) && from.path == i.Path
	same := after.same(before) && maps.Equal(pictures, after.doc.media)
	samePin := after.pinned == before.pinned
	switch {
	case known && same && samePin:
		tx.NoChange()
		return unchanged(before), nil
	case same && samePin: // the post has what the file says already, so only the file is stored
		return unchanged(before), i.remember(ctx, tx, before)
	case from.revision == 0 && !i.Force:
		return Ref{}, edited(
			"The post %q was not made from this file; nothing was changed. --force overwrites it with the file.", before, &after)
	case !from.made(before) && !i.Force:
		return Ref{}, edited("The post %q was edited here since this file was last imported; nothing was changed. "+
			"--force overwrites it with the file.", before, &after)
	}
	var ref Ref
	if same {
		ref, err = savePin(ctx, tx, &after)
	} else {
		after.revision++
		ref, err = after.ref(), save(ctx, tx, before, &after)
	}
	if err != nil {
		return Ref{}, err
	}
	return ref, i.remember(ctx, tx, &after)
}

// edited refuses a file whose post was edited here. Who published the post here may have meant
// that, so it stays published, and the refusal says so.
func edited(format string, before, after *record) error {
	message := fmt.Sprintf(format, before.slug)
	if before.state != Draft && after.state == Draft {
		message += " It is not a draft here, as the file has it: `blog post unpublish " + before.slug + "` makes it one."
	}
	return &apperr.Error{Code: apperr.Conflict, Reason: Edited, Message: message}
}

// unchanged returns the Ref of a post that a command did not have to change.
func unchanged(r *record) Ref {
	ref := r.ref()
	ref.Unchanged = true
	return ref
}

func (i Import) create(ctx context.Context, tx *repo.Tx) (Ref, error) {
	r := i.rec.clone()
	var err error
	if r.authorID, err = author(ctx, tx, i.Author); err != nil {
		return Ref{}, err
	}
	if !i.draft(tx.Now()) {
		r.publish(tx.Now())
	}
	if err := save(ctx, tx, nil, r); err != nil {
		return Ref{}, err
	}
	return r.ref(), i.remember(ctx, tx, r)
}

// over returns before with what the file gives in its place. A post that was found by an old slug
// retains its present slug.
func (i Import) over(ctx context.Context, tx *repo.Tx, before record) (record, error) {
	after := before
	f := i.rec
	after.title, after.description, after.body = f.title, f.description, f.body
	after.labels, after.permalinks, after.pinned, after.doc = f.labels, f.permalinks, f.pinned, f.doc
	if f.publishedAt != nil {
		after.publishedAt = f.publishedAt
	}
	if i.Author != "" {
		var err error
		if after.authorID, err = author(ctx, tx, i.Author); err != nil {
			return after, err
		}
	}
	if i.draft(tx.Now()) {
		after.state, after.publishedAt = Draft, f.publishedAt
	} else {
		after.publish(tx.Now())
	}
	return after, nil
}

// remember stores the file that r was imported from, with the revision and the pin that r has now.
func (i Import) remember(ctx context.Context, tx *repo.Tx, r *record) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO imports (post_id, path, raw, revision, pinned)
		VALUES (?, ?, COALESCE(?, x''), ?, ?)
		ON CONFLICT (post_id) DO UPDATE
		SET path = excluded.path, raw = excluded.raw, revision = excluded.revision, pinned = excluded.pinned`,
		r.id, i.Path, i.Raw, r.revision, r.pinned)
	if err != nil {
		return fmt.Errorf("remember file: %w", err)
	}
	return nil
}
