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
	media                          map[string]string // hash by path in the text
}

// renderer is immutable and safe for concurrent use.
var renderer = markdown.New(markdown.Words{})

// render turns body into what is stored. files gives pictures by the relative
// path that the text names them with; pictures named by their own address are
// found by it.
func render(ctx context.Context, rd repo.Reader, body, anchor string, files map[string]string) (rendered, error) {
	out := rendered{media: map[string]string{}}
	var failed error
	image := func(dest string) (string, int, int, bool) {
		hash, ok := files[dest]
		if !ok {
			hash, ok = hashIn(dest)
		}
		if !ok {
			return "", 0, 0, false
		}
		m, err := media.Lookup(ctx, rd, hash)
		if err != nil {
			if !errors.Is(err, repo.NotFound) {
				failed = errors.Join(failed, err)
			}
			return "", 0, 0, false
		}
		out.media[dest] = hash
		return media.Address(hash, media.SafeName(path.Base(dest), m.Ext)), m.Width, m.Height, true
	}
	doc, err := renderer.Render(body, markdown.Options{Prefix: anchor, Image: image})
	switch {
	case errors.Is(err, markdown.ErrTooComplex):
		return out, repo.InvalidFields(map[string]string{"body": "is too complex to be rendered: " + err.Error()})
	case err != nil:
		return out, fmt.Errorf("render: %w", err)
	case failed != nil:
		return out, fmt.Errorf("look up pictures: %w", failed)
	}
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

func setMedia(ctx context.Context, tx *repo.Tx, id int64, files map[string]string) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM post_media WHERE post_id = ?", id); err != nil {
		return fmt.Errorf("clear pictures: %w", err)
	}
	for p, hash := range files {
		// A picture removed since Prepare looked is left out: its place shows
		// the alternative text after the next edit.
		_, err := tx.ExecContext(ctx, "INSERT INTO post_media (post_id, path, hash) SELECT ?, ?, hash FROM media WHERE hash = ?", id, p, hash)
		if err != nil {
			return fmt.Errorf("set pictures: %w", err)
		}
	}
	return nil
}

func noRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }
