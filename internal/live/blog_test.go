package live_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"blog/internal/live"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// A blog as small as can be: enough commands and a renderer for the hub to
// serve, on the real repository.

func MustSchema(tb testing.TB) fstest.MapFS {
	tb.Helper()
	return repotest.MustSchema(tb,
		`CREATE TABLE entries (id INTEGER PRIMARY KEY, slug TEXT NOT NULL, title TEXT NOT NULL, tags TEXT NOT NULL,
				visible INTEGER NOT NULL);
CREATE TABLE slugs (slug TEXT PRIMARY KEY, id INTEGER NOT NULL);
`)
}

func MustRegistry(tb testing.TB) *repo.Registry {
	tb.Helper()
	return repotest.MustRegistry(tb, []repo.Registration{
		repo.Register[save](), repo.Register[drop](), repo.Register[touch](), repo.Register[many](),
	})
}

type entry struct {
	ID      int64    `json:"id"`
	Slug    string   `json:"slug"`
	Title   string   `json:"title"`
	Tags    []string `json:"tags"`
	Visible bool     `json:"visible"`
}

func find(ctx context.Context, rd repo.Reader, where string, arg any) (entry, bool, error) {
	var e entry
	var tags string
	err := rd.QueryRowContext(ctx, "SELECT id, slug, title, tags, visible FROM entries WHERE "+where, arg).
		Scan(&e.ID, &e.Slug, &e.Title, &tags, &e.Visible)
	if errors.Is(err, sql.ErrNoRows) {
		return e, false, nil
	}
	if err != nil {
		return e, false, err
	}
	return e, true, json.Unmarshal([]byte(tags), &e.Tags)
}

// save makes or changes an entry.
type save struct{ entry }

func (save) Name() string { return "entries.save" }

func (c save) Apply(ctx context.Context, tx *repo.Tx) (int64, error) {
	old, _, err := find(ctx, tx, "id = ?", c.ID)
	if err != nil {
		return 0, err
	}
	tags, err := json.Marshal(c.Tags)
	if err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, "INSERT OR REPLACE INTO entries (id, slug, title, tags, visible) VALUES (?, ?, ?, ?, ?)",
		c.ID, c.Slug, c.Title, string(tags), c.Visible)
	if err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO slugs (slug, id) VALUES (?, ?)", c.Slug, c.ID); err != nil {
		return 0, err
	}
	touchAll(tx, old, c.entry)
	return c.ID, nil
}

// touchAll touches what shows, or showed, one of the entries.
func touchAll(tx *repo.Tx, entries ...entry) {
	for _, e := range entries {
		if e.ID == 0 { // there was none
			continue
		}
		id := strconv.FormatInt(e.ID, 10)
		for _, seen := range entries {
			if !seen.Visible {
				continue
			}
			tx.Touch("posts", id)
			for _, t := range e.Tags {
				tx.Touch("tag:"+t, id)
			}
			if e.Slug != "" {
				tx.Touch("post:"+e.Slug, "")
			}
		}
	}
}

// drop deletes an entry.
type drop struct {
	ID int64 `json:"id"`
}

func (drop) Name() string { return "entries.drop" }

func (c drop) Apply(ctx context.Context, tx *repo.Tx) (int64, error) {
	old, _, err := find(ctx, tx, "id = ?", c.ID)
	if err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM entries WHERE id = ?", c.ID); err != nil {
		return 0, err
	}
	touchAll(tx, old)
	return c.ID, nil
}

// touch touches any topic, such as a private one.
type touch struct {
	Topic   string `json:"topic"`
	Subject string `json:"subject"`
}

func (touch) Name() string { return "topics.touch" }

func (c touch) Apply(_ context.Context, tx *repo.Tx) (int64, error) {
	tx.Touch(c.Topic, c.Subject)
	return 0, nil
}

// many touches that many subjects of posts in one row.
type many struct {
	Count int `json:"count"`
}

func (many) Name() string { return "topics.many" }

func (c many) Apply(_ context.Context, tx *repo.Tx) (int64, error) {
	for i := range c.Count {
		tx.Touch("posts", strconv.Itoa(1000+i))
	}
	return 0, nil
}

// renderer is the blog's side of the hub.
type renderer struct {
	calls  atomic.Int64
	faulty atomic.Pointer[func() error] // asked before each rendering
}

func (r *renderer) Render(ctx context.Context, rd repo.Reader, t repo.Touch) (live.Frame, error) {
	r.calls.Add(1)
	if f := r.faulty.Load(); f != nil {
		if err := (*f)(); err != nil {
			return live.Frame{}, err
		}
	}
	if slug, ok := strings.CutPrefix(t.Topic, "post:"); ok {
		return renderPost(ctx, rd, slug)
	}
	e, ok, err := find(ctx, rd, "id = ?", t.Subject)
	if err != nil {
		return live.Frame{}, err
	}
	id := "post-" + t.Subject
	label, tagged := strings.CutPrefix(t.Topic, "tag:")
	if !ok || !e.Visible || (tagged && !slices.Contains(e.Tags, label)) {
		return live.Frame{Type: live.Gone, ID: id}, nil
	}
	return live.Frame{Type: live.Change, ID: id, HTML: card(e)}, nil
}

func card(e entry) string { return fmt.Sprintf("<li id=\"post-%d\">%s</li>", e.ID, e.Title) }

func renderPost(ctx context.Context, rd repo.Reader, slug string) (live.Frame, error) {
	e, ok, err := find(ctx, rd, "slug = ?", slug)
	if err != nil {
		return live.Frame{}, err
	}
	if !ok {
		if e, ok, err = find(ctx, rd, "id = (SELECT id FROM slugs WHERE slug = ?)", slug); err != nil {
			return live.Frame{}, err
		}
	}
	switch {
	case !ok || !e.Visible:
		return live.Frame{Type: live.Gone}, nil
	case e.Slug != slug:
		return live.Frame{Type: live.Moved, To: "post:" + e.Slug, URL: "/posts/" + e.Slug}, nil
	}
	return live.Frame{Type: live.Change, HTML: "<article id=\"article\">" + e.Title + "</article>"}, nil
}
