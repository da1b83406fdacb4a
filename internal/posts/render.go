package posts

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"blog/internal/apperr"
	"blog/internal/markdown"
	"blog/internal/media"
	"blog/internal/repo"
)

// rendered is what is made from a body.
type rendered struct {
	html, headings, plain, excerpt string
	minutes                        int
	anchor                         string            // prefix of the ids of footnotes
	media                          map[string]string // content hash by the path in the text
	gone                           []string          // paths in the text whose picture is not stored
}

// renderer is immutable and safe for concurrent use.
var renderer = markdown.New(markdown.Words{})

// render returns what is stored for body. files has the content hashes of pictures by their
// relative path in the text; a picture named by its address on this site is found by that. It fails
// with Invalid when the text is too complex or its HTML is too long. No transaction is open while
// it renders: each picture is read in a transaction of its own.
func render(ctx context.Context, v repo.Viewer, body, anchor string, files map[string]string) (rendered, error) {
	pictures := newPictures(files, lookupIn(ctx, v))
	out := rendered{anchor: anchor, media: pictures.used}
	doc, err := renderer.Render(body, markdown.Options{Prefix: anchor, Image: pictures.image, Link: pictures.link})
	switch {
	case errors.Is(err, markdown.ErrTooComplex):
		return out, apperr.InvalidFields(map[string]string{
			"body": "is too complex to be rendered: " + strings.TrimPrefix(err.Error(), markdown.ErrTooComplex.Error()+": "),
		})
	case err != nil:
		return out, fmt.Errorf("render: %w", err)
	case pictures.failed != nil:
		return out, fmt.Errorf("look up pictures: %w", pictures.failed)
	}
	out.gone = pictures.gone
	headings := make([]Heading, 0, len(doc.Headings))
	for _, h := range doc.Headings {
		headings = append(headings, Heading{Level: h.Level, ID: h.ID, Text: h.Text})
	}
	list, err := json.Marshal(headings)
	if err != nil {
		return out, fmt.Errorf("encode headings: %w", err)
	}
	out.html, out.headings, out.plain, out.excerpt, out.minutes = doc.HTML, string(list), doc.Plain, doc.Excerpt,
		doc.ReadingMinutes
	if len(out.html) > maxHTML {
		return out, apperr.InvalidFields(map[string]string{
			"body": fmt.Sprintf("gives %d KB of HTML; at most %d KB can be kept", len(out.html)>>10, maxHTML>>10),
		})
	}
	return out, nil
}

// pictures finds the stored pictures that a text names. See markdown.Options.Image.
type pictures struct {
	lookup func(hash string) (media.Picture, error)
	files  map[string]string  // content hash by path
	used   map[string]string  // the pictures that were found, content hash by path
	found  map[string]picture // by destination, since a text may show a picture a thousand times
	gone   []string           // paths in files whose picture is not stored
	failed error
}

// picture is what is known about a destination. It is ok without an address when its picture is no
// longer stored.
type picture struct {
	url           string
	width, height int
	ok            bool
}

func newPictures(files map[string]string, lookup func(hash string) (media.Picture, error)) *pictures {
	return &pictures{lookup: lookup, files: files, used: map[string]string{}, found: map[string]picture{}}
}

// image implements markdown.Options.Image. It looks each destination up once.
func (p *pictures) image(dest string) (url string, width, height int, ok bool) {
	f, seen := p.found[dest]
	if !seen {
		f = p.find(dest)
		p.found[dest] = f
	}
	return f.url, f.width, f.height, f.ok
}

// link is markdown.Options.Link: a link to a file that is one of the post's pictures leads to the
// stored one.
func (p *pictures) link(dest string) (url string, ok bool) {
	if _, ours := p.files[dest]; !ours {
		return "", false
	}
	url, _, _, ok = p.image(dest)
	return url, ok && url != ""
}

func (p *pictures) find(dest string) picture {
	hash, ok := p.files[dest]
	if !ok {
		hash, ok = hashIn(dest)
	}
	if !ok || p.failed != nil {
		// Of other addresses on this site none has a picture: such a text comes from another site.
		return picture{ok: strings.HasPrefix(dest, "/") && !isServed(dest)}
	}
	m, err := p.lookup(hash)
	switch {
	case errors.Is(err, apperr.NotFound):
		if p.files[dest] == hash {
			p.gone = append(p.gone, dest)
		}
		return picture{ok: true} // an address on this site that leads nowhere
	case err != nil:
		p.failed = err
		return picture{}
	}
	p.used[dest] = hash
	return picture{
		url: media.Address(hash, media.SafeName(path.Base(dest), m.Ext)), width: m.Width, height: m.Height, ok: true,
	}
}

// maxHTML bounds the HTML of a body, in bytes: code in which each character is a token becomes
// twenty times as long.
const maxHTML = 640 << 10

// isServed reports whether dest is an address at which this site has files.
func isServed(dest string) bool {
	return strings.HasPrefix(dest, "/media/") || strings.HasPrefix(dest, "/assets/")
}

// hashIn returns the content hash in the address of a stored picture.
func hashIn(dest string) (string, bool) {
	remainder, ok := strings.CutPrefix(dest, "/media/")
	hash, _, found := strings.Cut(remainder, "/")
	return hash, ok && found && len(hash) == 64
}

// mediaOf returns the content hashes of a post's pictures by path.
func mediaOf(ctx context.Context, rd repo.Reader, id int64) (_ map[string]string, err error) {
	rows, err := rd.QueryContext(ctx, "SELECT path, hash FROM post_media WHERE post_id = ?", id)
	if err != nil {
		return nil, fmt.Errorf("read pictures of post: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	out := map[string]string{}
	for rows.Next() {
		var p, h string
		if err := rows.Scan(&p, &h); err != nil {
			return nil, fmt.Errorf("read pictures of post: %w", err)
		}
		out[p] = h
	}
	return out, rows.Err()
}

// setMedia replaces the pictures of a post by files, content hashes by path. A picture that the
// post no longer shows stays stored for a day, because the next edit may show it again.
func setMedia(ctx context.Context, tx *repo.Tx, id int64, files map[string]string) error {
	before, err := mediaOf(ctx, tx, id)
	if err != nil {
		return err
	}
	for path, hash := range before {
		if files[path] == hash {
			continue
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM post_media WHERE post_id = ? AND path = ?", id, path); err != nil {
			return fmt.Errorf("take picture out: %w", err)
		}
		if err := media.Used(ctx, tx, hash); err != nil {
			return err
		}
	}
	return addMedia(ctx, tx, id, files)
}

// addMedia adds files, content hashes by path, to the pictures of a post. When a picture was
// removed after Prepare found it, the call is prepared again, because its HTML would show an
// address that leads nowhere.
func addMedia(ctx context.Context, tx *repo.Tx, id int64, files map[string]string) error {
	for p, hash := range files {
		res, err := tx.ExecContext(ctx, `
			INSERT INTO post_media (post_id, path, hash)
			SELECT ?, ?, hash FROM media WHERE hash = ? AND complete = 1
			ON CONFLICT (post_id, path) DO UPDATE SET hash = excluded.hash`, id, p, hash)
		if err != nil {
			return fmt.Errorf("set pictures: %w", err)
		}
		found, err := res.RowsAffected()
		if err != nil {
			return fmt.Errorf("set pictures: %w", err)
		}
		if found == 0 {
			return picturesRemoved(tx)
		}
		if err := media.Used(ctx, tx, hash); err != nil {
			return err
		}
	}
	return nil
}

// picturesRemoved returns the error that makes the call be prepared again, or Unavailable when it
// was prepared too often.
func picturesRemoved(tx *repo.Tx) error {
	if err := tx.PrepareAgain(); err != nil {
		return err
	}
	return apperr.NewUnavailable(apperr.NotNow,
		"Pictures of this text were removed while it was saved; nothing was saved. Try again.", time.Second, nil)
}

func noRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }

// lookupIn returns a function that reads a picture in a transaction of its own.
func lookupIn(ctx context.Context, v repo.Viewer) func(hash string) (media.Picture, error) {
	return func(hash string) (m media.Picture, err error) {
		err = v.View(ctx, func(rd repo.Reader) (err error) {
			m, err = media.Lookup(ctx, rd, hash)
			return err
		})
		return m, err
	}
}

// Warnings returns what of body is not shown, with its lines. It returns nil for a body that could not
// be saved.
func Warnings(body string) []markdown.Warning {
	f := checker{}
	if body = f.body(body); f.err() != nil {
		return nil
	}
	return renderer.Warnings(body)
}

// Preview renders body on this node as the primary would when it is saved into the post with this
// id (0: a new post). It fails with Invalid when it could not be saved. No read transaction is open
// while it renders, because that would delay the node's writes and replication: each picture is
// read in a transaction of its own.
func Preview(ctx context.Context, v repo.Viewer, id int64, body string) (doc markdown.Document, err error) {
	f := checker{}
	body = f.body(body)
	if err = f.err(); err != nil {
		return doc, err
	}
	var files map[string]string
	err = v.View(ctx, func(rd repo.Reader) (err error) {
		files, err = mediaOf(ctx, rd, id)
		return err
	})
	if err != nil {
		return doc, err
	}
	pictures := newPictures(files, lookupIn(ctx, v))
	doc, err = renderer.Render(body, markdown.Options{Prefix: "preview", Image: pictures.image, Link: pictures.link})
	if errors.Is(err, markdown.ErrTooComplex) {
		return doc, apperr.InvalidFields(map[string]string{
			"body": "is too complex to be rendered: " + strings.TrimPrefix(err.Error(), markdown.ErrTooComplex.Error()+": "),
		})
	}
	return doc, errors.Join(err, pictures.failed)
}
