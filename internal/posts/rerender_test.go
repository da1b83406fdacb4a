package posts_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/apperr"
	"blog/internal/markdown"
	"blog/internal/media"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// rerender runs the task to its end.
func (w *world) rerender() {
	w.tb.Helper()
	ctx, cancel := context.WithTimeout(repotest.As(w.tb.Context(), repo.System), 20*time.Second)
	defer cancel()
	posts.Rerenderer(slog.New(slog.DiscardHandler))(ctx, w.primary)
	if ctx.Err() != nil {
		w.tb.Fatal("the task did not come to an end")
	}
}

// age marks posts as rendered by another release.
func (w *world) age(where string) {
	w.tb.Helper()
	for _, query := range []string{
		"INSERT INTO search (search, rowid, title, description, plain, labels) SELECT 'delete', id, title, description, " +
			"plain, labels FROM searchable WHERE " + where,
		"UPDATE posts SET renderer = renderer + 100, html = 'old', plain = 'oldplain', excerpt = 'old', minutes = 9, " +
			"headings = '[]' WHERE " + where,
		"INSERT INTO search (rowid, title, description, plain, labels) SELECT id, title, description, plain, labels FROM " +
			"searchable WHERE " + where,
	} {
		w.exec(query)
	}
}

func (w *world) stale() int {
	w.tb.Helper()
	return w.count("SELECT COUNT(*) FROM posts WHERE renderer <> ?", markdown.Version)
}

// wantStale checks how many posts are not rendered by this release.
func (w *world) wantStale(when string, want int) {
	w.tb.Helper()
	if got := w.stale(); got != want {
		w.tb.Errorf("%s: %d posts are left, want %d", when, got, want)
	}
}

func TestRendersAgainAfterAnotherRelease(t *testing.T) {
	w := mustWorld(t)
	pic := mustUpload(w, 5)
	file := mustFile(t, "a.md",
		"---\npublished_at: 2024-05-01\ntags: [x]\n---\n## Part\n\nFresh[^1] text ![](i.png)\n\n[^1]: Note\n",
		map[string]string{"i.png": pic.Hash})
	ref := must(w, file)
	must(w, posts.Create{Title: "Draft", Body: "*draft*"})
	before := []posts.Post{w.post(1), w.post(2)}
	rows := w.rows()
	w.rerender()
	w.wantRows("nothing to do", rows)
	w.age("true")
	w.clock.Advance(time.Hour)
	if got := slugs(w.search("oldplain")); got != ref.Slug {
		t.Fatalf("aged: the old text finds %q, want %q", got, ref.Slug)
	}
	w.rerender()
	for i, p := range before {
		if diff := cmp.Diff(p, w.post(p.ID)); diff != "" {
			t.Errorf("%d (-before +after):\n%s", i, diff)
		}
	}
	if got := slugs(w.search("fresh")); got != ref.Slug {
		t.Errorf("the text finds %q, want %q", got, ref.Slug)
	}
	if got := slugs(w.search("oldplain")); got != "" {
		t.Errorf("the old text finds %q, want nothing", got)
	}
	w.wantStale("rendered again", 0)
	w.wantRows("rendered again", rows+2)
	if n := w.count("SELECT COUNT(*) FROM writes WHERE name = 'posts.rerender' AND topics <> '[]'"); n != 1 {
		t.Errorf("%d of the two touch topics, want 1", n)
	}
	// Rendering again is no edit, neither of the post nor of its file.
	rows = w.rows()
	if got, want := must(w, file), unchanged(ref); got != want {
		t.Errorf("the file: got %+v, want %+v", got, want)
	}
	w.wantRows("the file", rows)
	if n := w.count("SELECT COUNT(*) FROM post_media"); n != 1 {
		t.Errorf("got %d pictures, want 1", n)
	}
}

func TestRenderingAgainGoesOnWhereOnePostFails(t *testing.T) {
	w := mustWorld(t)
	for _, title := range []string{"One", "Two", "Three"} {
		must(w, posts.Create{Title: title, Body: "text", Publish: true})
	}
	w.age("true")
	// A body that an older release accepted and this one does not.
	w.exec("UPDATE posts SET body = ? WHERE slug = 'two'",
		"|"+strings.Repeat("a|", 300)+"\n|"+strings.Repeat("-|", 300)+"\n")
	w.rerender()
	w.wantStale("one fails", 1)
	if got := w.post(2).HTML; got != "old" {
		t.Errorf("the post that fails: got %q, want %q", got, "old")
	}
	if got := w.post(3).HTML; got == "old" {
		t.Errorf("the post after it: got %q, want it rendered again", got)
	}
	_, err := try(w, posts.Rerender{ID: 2, Version: markdown.Version})
	repotest.WantFields(t, err, "body")
}

// TestRenderingAgainSkipsWhatIsDeletedMeanwhile: a post that is deleted before its turn is skipped
// without an error.
func TestRenderingAgainSkipsWhatIsDeletedMeanwhile(t *testing.T) {
	w := mustWorld(t)
	for _, title := range []string{"One", "Two"} {
		must(w, posts.Create{Title: title, Body: "text"})
	}
	w.age("true")
	o := w.options()
	o.LiteFS, o.Node = true, w.node
	o.Middleware = []repo.Middleware{func(next repo.Handler) repo.Handler {
		return func(ctx context.Context, call *repo.Call) error {
			if w.count("SELECT COUNT(*) FROM posts WHERE id = 1") == 1 {
				must(w, posts.Delete{Target: posts.Target{ID: 1}})
			}
			return next(ctx, call)
		}
	}}
	r := repotest.MustOpen(t, o)
	var log strings.Builder
	posts.Rerenderer(slog.New(slog.NewTextHandler(&log, nil)))(repotest.As(t.Context(), repo.System), r)
	if log.Len() > 0 {
		t.Errorf("got the log %s, want none", &log)
	}
	w.wantStale("one is deleted", 0)
	if got := w.post(2).HTML; got == "old" {
		t.Errorf("the post after it: got %q, want it rendered again", got)
	}
}

// before marks all posts as rendered by the release before.
func (w *world) before() { w.exec("UPDATE posts SET renderer = ?", markdown.Version-1) }

// TestRenderingAgainEndsBesideAnotherRelease: nodes of two releases are primary in turn during an upgrade. Each
// renders every post once in its term and ends, also when the other's renderings appear meanwhile, and
// the task of a node that is primary no more writes nothing.
func TestRenderingAgainEndsBesideAnotherRelease(t *testing.T) {
	w := mustWorld(t)
	titles := []string{"One", "Two", "Three"}
	for _, title := range titles {
		must(w, posts.Create{Title: title, Body: "text", Publish: true})
	}
	for term := range 3 {
		w.age("true")
		rows := w.rows()
		w.rerender()
		w.rerender()
		w.wantRows(fmt.Sprint("term ", term), rows+len(titles))
		w.wantStale(fmt.Sprint("term ", term), 0)
	}

	w.age("true")
	o := w.options()
	o.LiteFS, o.Node = true, w.node
	o.Middleware = []repo.Middleware{func(next repo.Handler) repo.Handler {
		return func(ctx context.Context, call *repo.Call) error {
			err := next(ctx, call)
			w.before() //nolint:contextcheck // it opens the file with a context of its own
			return err
		}
	}}
	rows := w.rows()
	ctx, cancel := context.WithTimeout(repotest.As(t.Context(), repo.System), 20*time.Second)
	defer cancel()
	posts.Rerenderer(slog.New(slog.DiscardHandler))(ctx, repotest.MustOpen(t, o))
	w.wantRows("beside the other release", rows+len(titles))
	if err := ctx.Err(); err != nil {
		t.Errorf("beside the other release: got %v, want the task to end", err)
	}

	for _, version := range []int{markdown.Version - 1, markdown.Version + 1} {
		rows = w.rows()
		_, err := try(w, posts.Rerender{ID: 1, Version: version})
		if !errors.Is(err, apperr.Unavailable) {
			t.Errorf("version %d: got %v, want %v", version, err, apperr.Unavailable)
		}
		w.wantRows(fmt.Sprint("version ", version), rows)
	}
}

func TestRenderingAgainGivesWayToAnEdit(t *testing.T) {
	w := mustWorld(t)
	ref := must(w, posts.Create{Title: "One", Body: "text"})
	w.age("true")
	meanwhile := hook(w.ctx, func() {
		must(w, posts.Update{Target: posts.Target{ID: ref.ID}, Revision: 1, Title: to("Two")})
	})
	_, err := repo.Write(meanwhile, w.primary, late[posts.Rerender]{posts.Rerender{ID: ref.ID, Version: markdown.Version}})
	if !apperr.HasReason(err, posts.RevisionMismatch) {
		t.Errorf("edited meanwhile: got %v, want the reason %s", err, posts.RevisionMismatch)
	}
	if got := w.post(ref.ID).HTML; got != "old" {
		t.Errorf("edited meanwhile: got %q, want %q", got, "old")
	}
	w.rerender()
	w.wantStale("after the edit", 0)
	p := w.post(ref.ID)
	if p.Revision != 2 {
		t.Errorf("after the edit: got revision %d, want 2", p.Revision)
	}
	if !strings.Contains(p.HTML, "text") {
		t.Errorf("after the edit: got %q, want text in it", p.HTML)
	}
	if _, err := try(w, posts.Rerender{ID: 99, Version: markdown.Version}); !errors.Is(err, apperr.NotFound) {
		t.Errorf("no such post: got %v, want %v", err, apperr.NotFound)
	}
}

// TestChangedBetweenPrepareAndApply: a post can change between Prepare and Apply.
func TestChangedBetweenPrepareAndApply(t *testing.T) {
	w := mustWorld(t)
	file := mustFile(t, "a.md", "---\npublished_at: 2024-05-01\n---\nText[^1]\n\n[^1]: Note\n", nil)
	ref, err := repo.Write(hook(w.ctx, func() { must(w, file) }), w.primary, late[posts.Import]{file})
	if err != nil {
		t.Fatalf("imported meanwhile: %v", err)
	}
	want := posts.Ref{ID: 1, Slug: "a", State: posts.Published, Revision: 1, Unchanged: true}
	if ref != want {
		t.Errorf("imported meanwhile: got %+v, want %+v", ref, want)
	}
	changed := file
	changed.Raw, changed.Body = []byte("x"), "Other[^1]\n\n[^1]: Note"
	ref, err = repo.Write(hook(w.ctx, func() {
		must(w, posts.Delete{Target: posts.Target{ID: 1}})
		must(w, file)
	}), w.primary, late[posts.Import]{changed})
	if err != nil {
		t.Fatalf("another post meanwhile: %v", err)
	}
	if want = (posts.Ref{ID: 2, Slug: "a", State: posts.Published, Revision: 2}); ref != want {
		t.Errorf("another post meanwhile: got %+v, want %+v", ref, want)
	}
	// The post retains the ids of its footnotes.
	html := w.post(2).HTML
	must(w, posts.Rerender{ID: 2, Version: markdown.Version})
	if got := w.post(2).HTML; got != html {
		t.Errorf("rendered again: got\n%s\nwant\n%s", got, html)
	}
	update := posts.Update{Target: posts.Target{ID: 2}, Revision: 2, Body: to("mine")}
	_, err = repo.Write(hook(w.ctx, func() {
		must(w, posts.Update{Target: posts.Target{ID: 2}, Revision: 2, Body: to("theirs")})
	}), w.primary, late[posts.Update]{update})
	if !apperr.HasReason(err, posts.RevisionMismatch) {
		t.Errorf("edited meanwhile: got %v, want the reason %s", err, posts.RevisionMismatch)
	}
	if got := w.post(2).Body; got != "theirs" {
		t.Errorf("edited meanwhile: got %q, want %q", got, "theirs")
	}
}

// TestPicturesRemovedBetweenPrepareAndApply: when another post that shows the same picture is
// deleted, the picture stays. When a sweep removes the picture, the text is rendered again.
func TestPicturesRemovedBetweenPrepareAndApply(t *testing.T) {
	w := mustWorld(t)
	with := func(pic media.Picture) string { return "![text](" + media.Address(pic.Hash, "a.png") + ")" }
	stays, goes := mustUpload(w, 6), mustUpload(w, 7)
	holder := must(w, posts.Create{Title: "Holder", Body: with(stays)})
	ref := must(w, posts.Create{Title: "One"})
	// The dates of the holder's picture are long ago, as for a picture that was uploaded years ago
	// and shown since then.
	w.exec("UPDATE media SET added_at = '2020-01-01T00:00:00.000Z', used_at = '2020-01-01T00:00:00.000Z' WHERE hash = ?",
		stays.Hash)
	update := func(pic media.Picture, meanwhile func()) posts.Post {
		t.Helper()
		cmd := posts.Update{Target: posts.Target{ID: ref.ID}, Revision: ref.Revision, Body: to(with(pic))}
		var err error
		if ref, err = repo.Write(hook(w.ctx, meanwhile), w.primary, late[posts.Update]{cmd}); err != nil {
			t.Fatal(err)
		}
		return w.post(ref.ID)
	}
	var once sync.Once
	p := update(stays, func() {
		once.Do(func() { must(w, posts.Delete{Target: posts.Target{ID: holder.ID}}); w.sweep() })
	})
	if !strings.Contains(p.HTML, "<img") {
		t.Errorf("deleted with the other post: got %s, want <img in it", p.HTML)
	}
	if n := w.count("SELECT COUNT(*) FROM post_media WHERE hash = ?", stays.Hash); n != 1 {
		t.Errorf("deleted with the other post: %d posts show the picture, want 1", n)
	}
	p = update(goes, func() { w.clock.Advance(26 * time.Hour); w.sweep() })
	if strings.Contains(p.HTML, "<img") {
		t.Errorf("swept: got %s, want no <img in it", p.HTML)
	}
	if !strings.Contains(p.HTML, "text") {
		t.Errorf("swept: got %s, want text in it", p.HTML)
	}
	if n := w.count("SELECT COUNT(*) FROM post_media"); n != 0 {
		t.Errorf("swept: posts show %d pictures, want 0", n)
	}
}
