package posts_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"blog/internal/apperr"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
	"blog/internal/tags"
)

// explaining is a Reader that notes the query plans of the queries that it runs.
type explaining struct {
	repo.Reader
	w     *world
	plans *[]string
}

func (e explaining) note(query string, args []any) {
	rows, err := e.Reader.QueryContext(e.w.ctx, "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		e.w.tb.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var b strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			e.w.tb.Fatal(err)
		}
		b.WriteString(detail + "; ")
	}
	if err := rows.Err(); err != nil {
		e.w.tb.Fatal(err)
	}
	*e.plans = append(*e.plans, b.String())
}

func (e explaining) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	e.note(query, args)
	return e.Reader.QueryContext(ctx, query, args...)
}

func (e explaining) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	e.note(query, args)
	return e.Reader.QueryRowContext(ctx, query, args...)
}

// TestPlansOfWhatReadersAsk: the queries of readers' pages read an index that has only what readers
// see, in its order. None reads all posts, or all published ones, to show the newest twenty.
func TestPlansOfWhatReadersAsk(t *testing.T) {
	w := mustWorld(t)
	for _, title := range []string{"One", "Two", "Three"} {
		must(w, posts.Create{Title: title, Tags: []string{"a"}, Publish: true})
		must(w, posts.Create{Title: title + " draft", Tags: []string{"a"}})
	}
	for name, run := range map[string]func(rd repo.Reader) error{
		"list": func(rd repo.Reader) error { _, _, err := posts.List(w.ctx, rd, posts.Filter{Limit: 20}); return err },
		"pinned first": func(rd repo.Reader) error {
			_, _, err := posts.List(w.ctx, rd, posts.Filter{PinnedFirst: true, Limit: 20})
			return err
		},
		"tagged": func(rd repo.Reader) error {
			_, _, err := posts.List(w.ctx, rd, posts.Filter{Labels: []string{"a"}, Limit: 20})
			return err
		},
		"feed":   func(rd repo.Reader) error { _, err := posts.Full(w.ctx, rd, 20); return err },
		"post":   func(rd repo.Reader) error { _, err := posts.BySlug(w.ctx, rd, "one"); return err },
		"moved":  func(rd repo.Reader) error { _, err := posts.Moved(w.ctx, rd, "x"); return notFound(err) },
		"link":   func(rd repo.Reader) error { _, err := posts.Permalink(w.ctx, rd, "/x"); return notFound(err) },
		"beside": func(rd repo.Reader) error { _, _, err := posts.Neighbours(w.ctx, rd, posts.Card{ID: 1}); return err },
		"card":   func(rd repo.Reader) error { _, err := posts.VisibleCard(w.ctx, rd, 1); return err },
		"tags":   func(rd repo.Reader) error { _, err := tags.Visible(w.ctx, rd); return err },
	} {
		t.Run(name, func(t *testing.T) {
			var plans []string
			view(w, func(rd repo.Reader) (bool, error) { return true, run(explaining{rd, w, &plans}) })
			for _, plan := range plans {
				// Posts with a tag are found by the tag, and only those are sorted.
				sorted := name != "tags" && name != "tagged" && strings.Contains(plan, "USE TEMP B-TREE FOR ORDER BY")
				scanned := name != "tags" && (strings.Contains(plan, "SCAN p;") || strings.Contains(plan, "SCAN posts;"))
				if sorted {
					t.Errorf("got the plan %s, want no sorting", plan)
				}
				if scanned {
					t.Errorf("got the plan %s, want no scan of all posts", plan)
				}
			}
			listed := name == "list" || name == "pinned first"
			if listed && !strings.Contains(strings.Join(plans, ""), "posts_listed") {
				t.Errorf("got the plans %q, want posts_listed in them", plans)
			}
		})
	}
}

func notFound(err error) error {
	if errors.Is(err, apperr.NotFound) {
		return nil
	}
	return err
}

func TestPreviewIsWhatSavingGives(t *testing.T) {
	w := mustWorld(t)
	pic := mustUpload(w, 4)
	ref := must(w, mustFile(t, "a.md", "---\nis_draft: true\n---\n![x](i.png)\n", map[string]string{"i.png": pic.Hash}))
	body := "## New\n\n![x](i.png) and ![y](/media/" + pic.Hash + "/y.png)\r\n"
	doc, err := posts.Preview(w.ctx, w.replica, ref.ID, body)
	if err != nil {
		t.Fatal(err)
	}
	must(w, posts.Update{Target: posts.Target{ID: ref.ID}, Revision: 1, Body: &body})
	if diff := cmp.Diff(doc.HTML, w.post(ref.ID).HTML); diff != "" {
		t.Errorf("saved (-previewed +saved):\n%s", diff)
	}
	if n := strings.Count(doc.HTML, pic.Hash); n != 2 {
		t.Errorf("the preview has the picture's hash %d times, want 2: %s", n, doc.HTML)
	}
	if doc, err = posts.Preview(w.ctx, w.replica, 0, "![x](i.png)"); err != nil {
		t.Fatalf("a new post: %v", err)
	}
	if strings.Contains(doc.HTML, "<img") {
		t.Errorf("a new post: got %s, want no <img in it", doc.HTML)
	}
	_, err = posts.Preview(w.ctx, w.replica, 0, "\x00")
	repotest.WantFields(t, err, "body")
	_, err = posts.Preview(w.ctx, w.replica, 0, "|"+strings.Repeat("a|", 300)+"\n|"+strings.Repeat("-|", 300)+"\n")
	repotest.WantFields(t, err, "body")
}

// counting is a Viewer that counts read transactions and fails when one is opened inside another.
type counting struct {
	repo.Viewer
	tb          testing.TB
	views, open int
}

func (c *counting) View(ctx context.Context, fn func(rd repo.Reader) error) error {
	if c.views, c.open = c.views+1, c.open+1; c.open > 1 {
		c.tb.Error("a read transaction stays open while the text is rendered")
	}
	defer func() { c.open-- }()
	return c.Viewer.View(ctx, fn)
}

// TestPreviewRendersOutsideOfReads: an open read delays LiteFS, so none may last as long as
// rendering does.
func TestPreviewRendersOutsideOfReads(t *testing.T) {
	w := mustWorld(t)
	var body strings.Builder
	for n := range 3 {
		fmt.Fprintf(&body, "![](/media/%s/a.png)\n\n", mustUpload(w, n+4).Hash)
	}
	c := &counting{Viewer: w.replica, tb: t}
	doc, err := posts.Preview(w.ctx, c, 0, body.String())
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(doc.HTML, "<img"); n != 3 {
		t.Errorf("got %d pictures, want 3, in %s", n, doc.HTML)
	}
	if c.views != 4 { // one for the post's list of pictures, and one for each picture
		t.Errorf("got %d read transactions, want 4", c.views)
	}
}
