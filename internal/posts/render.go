package posts

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"blog/internal/markdown"
	"blog/internal/media"
	"blog/internal/repo"
)

// rendered is what follows from a body.
type rendered struct {
	html, headings, plain, excerpt string
	minutes                        int
	anchor                         string            // what its footnotes' ids have
	media                          map[string]string // hash by path in the text
	gone                           []string          // paths whose picture is not stored
}

// renderer is immutable and safe for concurrent use.
var renderer = markdown.New(markdown.Words{})

// render turns body into what is stored. files gives pictures by the relative
// path that the text names them with; pictures named by their own address are
// found by it. No transaction is open while it renders: each picture is looked up
// in one of its own.
func render(ctx context.Context, v repo.Viewer, body, anchor string, files map[string]string) (rendered, error) {
	pictures := newPictures(files, lookupIn(ctx, v))
	out := rendered{anchor: anchor, media: pictures.used}
	doc, err := renderer.Render(body, markdown.Options{Prefix: anchor, Image: pictures.image})
	switch {
	case errors.Is(err, markdown.ErrTooComplex):
		return out, repo.InvalidFields(map[string]string{"body": "is too complex to be rendered: " + strings.TrimPrefix(err.Error(), markdown.ErrTooComplex.Error()+": ")})
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
	out.html, out.headings, out.plain, out.excerpt, out.minutes = doc.HTML, string(list), doc.Plain, doc.Excerpt, doc.ReadingMinutes
	if len(out.html) > maxHTML {
		return out, repo.InvalidFields(map[string]string{"body": fmt.Sprintf("gives %d KB of HTML; at most %d KB can be kept", len(out.html)>>10, maxHTML>>10)})
	}
	return out, nil
}

// pictures finds the stored pictures that a text names.
type pictures struct {
	lookup func(hash string) (media.Picture, error)
	files  map[string]string  // hash by path
	used   map[string]string  // what was found, hash by path
	found  map[string]picture // by destination: a text may show one a thousand times
	gone   []string           // paths in files whose picture is not stored
	failed error
}

// picture is what is known of a destination. One that is ok without an address is gone.
type picture struct {
	url           string
	width, height int
	ok            bool
}

func newPictures(files map[string]string, lookup func(hash string) (media.Picture, error)) *pictures {
	return &pictures{lookup: lookup, files: files, used: map[string]string{}, found: map[string]picture{}}
}

// image is markdown.Options.Image.
func (p *pictures) image(dest string) (url string, width, height int, ok bool) {
	f, seen := p.found[dest]
	if !seen {
		f = p.find(dest)
		p.found[dest] = f
	}
	return f.url, f.width, f.height, f.ok
}

func (p *pictures) find(dest string) picture {
	hash, ok := p.files[dest]
	if !ok {
		hash, ok = hashIn(dest)
	}
	if !ok || p.failed != nil {
		return picture{}
	}
	m, err := p.lookup(hash)
	switch {
	case errors.Is(err, repo.NotFound):
		if p.files[dest] == hash {
			p.gone = append(p.gone, dest)
		}
		return picture{ok: true} // an address of this site's that leads nowhere
	case err != nil:
		p.failed = err
		return picture{}
	}
	p.used[dest] = hash
	return picture{url: media.Address(hash, media.SafeName(path.Base(dest), m.Ext)), width: m.Width, height: m.Height, ok: true}
}

// maxHTML bounds what a body may grow to: code with a token a character becomes
// twenty times its size.
const maxHTML = 640 << 10

// hashIn returns the hash of a picture that is named by its own address.
func hashIn(dest string) (string, bool) {
	rest, ok := strings.CutPrefix(dest, "/media/")
	hash, _, found := strings.Cut(rest, "/")
	return hash, ok && found && len(hash) == 64
}

// mediaOf returns the pictures of a post, hash by path.
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

// setMedia makes files, hash by path, the pictures that the post shows. What it showed
// before and shows no longer stays for a day: the next edit may put it back.
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

// addMedia makes the post show files beside what it shows. Where one of them was removed
// since Prepare found it, the call is prepared again: its HTML would lead nowhere.
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

func picturesRemoved(tx *repo.Tx) error {
	if err := tx.PrepareAgain(); err != nil {
		return err
	}
	return &repo.Error{
		Code: repo.Unavailable, Reason: repo.NotNow, RetryAfter: 1,
		Message: "Pictures of this text were removed while it was saved; nothing was saved. Try again.",
	}
}

func noRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }

// lookupIn returns what finds a picture in a transaction of its own.
func lookupIn(ctx context.Context, v repo.Viewer) func(hash string) (media.Picture, error) {
	return func(hash string) (m media.Picture, err error) {
		err = v.View(ctx, func(rd repo.Reader) (err error) {
			m, err = media.Lookup(ctx, rd, hash)
			return err
		})
		return m, err
	}
}

// Preview renders body on this node as saving it into the post with that id (0:
// a new post) would on the primary. It renders outside of any read transaction,
// which would hold up the node's writes and replication all the while: each
// picture is looked up in one of its own.
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
	doc, err = renderer.Render(body, markdown.Options{Prefix: "preview", Image: pictures.image})
	if errors.Is(err, markdown.ErrTooComplex) {
		return doc, repo.InvalidFields(map[string]string{"body": "is too complex to be rendered: " + strings.TrimPrefix(err.Error(), markdown.ErrTooComplex.Error()+": ")})
	}
	return doc, errors.Join(err, pictures.failed)
}
