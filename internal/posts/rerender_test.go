package posts_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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
	if w.rerender(); w.rows() != rows {
		t.Error("there was nothing to do")
	}
	w.age("true")
	w.clock.Advance(time.Hour)
	if slugs(w.search("oldplain")) != ref.Slug {
		t.Fatal("not aged")
	}
	w.rerender()
	for i, p := range before {
		if got := w.post(p.ID); got.HTML != p.HTML || got.Revision != p.Revision || !got.UpdatedAt.Equal(p.UpdatedAt) ||
			got.Excerpt != p.Excerpt || got.Minutes != p.Minutes || !slices.Equal(got.Headings, p.Headings) {
			t.Errorf("%d: %+v, was %+v", i, got, p)
		}
	}
	if slugs(w.search("fresh")) != ref.Slug || slugs(w.search("oldplain")) != "" || w.stale() != 0 || w.rows() != rows+2 {
		t.Errorf("%d writes, %d left", w.rows()-rows, w.stale())
	}
	if n := w.count("SELECT COUNT(*) FROM writes WHERE name = 'posts.rerender' AND topics <> '[]'"); n != 1 {
		t.Errorf("%d of the two touch topics", n)
	}
	// Rendering again is no edit, neither of the post nor of its file.
	rows = w.rows()
	if got := must(w, file); !got.Unchanged || w.rows() != rows {
		t.Errorf("the file: %+v", got)
	}
	if n := w.count("SELECT COUNT(*) FROM post_media"); n != 1 {
		t.Errorf("%d pictures", n)
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
	if w.stale() != 1 || w.post(2).HTML != "old" || w.post(3).HTML == "old" {
		t.Errorf("%d are left", w.stale())
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
	if log.Len() > 0 || w.stale() != 0 || w.post(2).HTML == "old" {
		t.Errorf("%d are left: %s", w.stale(), &log)
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
		if n := w.rows() - rows; n != len(titles) || w.stale() != 0 {
			t.Errorf("term %d: %d writes, %d posts are left", term, n, w.stale())
		}
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
	if n := w.rows() - rows; n != len(titles) || ctx.Err() != nil {
		t.Errorf("beside the other release: %d writes, %v", n, ctx.Err())
	}

	for _, version := range []int{markdown.Version - 1, markdown.Version + 1} {
		rows = w.rows()
		_, err := try(w, posts.Rerender{ID: 1, Version: version})
		if !errors.Is(err, apperr.Unavailable) || w.rows() != rows {
			t.Errorf("version %d: %d writes, %v", version, w.rows()-rows, err)
		}
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
	if !apperr.HasReason(err, posts.RevisionMismatch) || w.post(ref.ID).HTML != "old" {
		t.Errorf("edited meanwhile: %v", err)
	}
	w.rerender()
	if p := w.post(ref.ID); w.stale() != 0 || p.Revision != 2 || !strings.Contains(p.HTML, "text") {
		t.Errorf("got %+v", p)
	}
	if _, err := try(w, posts.Rerender{ID: 99, Version: markdown.Version}); !errors.Is(err, apperr.NotFound) {
		t.Error(err)
	}
}

// TestChangedBetweenPrepareAndApply: a post can change between Prepare and Apply.
func TestChangedBetweenPrepareAndApply(t *testing.T) {
	w := mustWorld(t)
	file := mustFile(t, "a.md", "---\npublished_at: 2024-05-01\n---\nText[^1]\n\n[^1]: Note\n", nil)
	ref, err := repo.Write(hook(w.ctx, func() { must(w, file) }), w.primary, late[posts.Import]{file})
	if err != nil || !ref.Unchanged || ref.ID != 1 {
		t.Errorf("imported meanwhile: %+v, %v", ref, err)
	}
	changed := file
	changed.Raw, changed.Body = []byte("x"), "Other[^1]\n\n[^1]: Note"
	ref, err = repo.Write(hook(w.ctx, func() {
		must(w, posts.Delete{Target: posts.Target{ID: 1}})
		must(w, file)
	}), w.primary, late[posts.Import]{changed})
	if err != nil || ref.ID != 2 || ref.Revision != 2 {
		t.Errorf("another post meanwhile: %+v, %v", ref, err)
	}
	// The post retains the ids of its footnotes.
	html := w.post(2).HTML
	must(w, posts.Rerender{ID: 2, Version: markdown.Version})
	if w.post(2).HTML != html {
		t.Errorf("%s\nbecame %s", html, w.post(2).HTML)
	}
	update := posts.Update{Target: posts.Target{ID: 2}, Revision: 2, Body: to("mine")}
	_, err = repo.Write(hook(w.ctx, func() {
		must(w, posts.Update{Target: posts.Target{ID: 2}, Revision: 2, Body: to("theirs")})
	}), w.primary, late[posts.Update]{update})
	if !apperr.HasReason(err, posts.RevisionMismatch) || w.post(2).Body != "theirs" {
		t.Errorf("edited meanwhile: %v", err)
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
	if !strings.Contains(p.HTML, "<img") || w.count("SELECT COUNT(*) FROM post_media WHERE hash = ?", stays.Hash) != 1 {
		t.Errorf("deleted with the other post: %s", p.HTML)
	}
	p = update(goes, func() { w.clock.Advance(26 * time.Hour); w.sweep() })
	if strings.Contains(p.HTML, "<img") || !strings.Contains(p.HTML, "text") ||
		w.count("SELECT COUNT(*) FROM post_media") != 0 {
		t.Errorf("swept: %s", p.HTML)
	}
}
