package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"blog/internal/live"
	"blog/internal/posts"
)

// MustDated publishes P0 (the newest) to Pn-1, an hour apart, with the tag all, and returns their
// ids.
func MustDated(tb testing.TB, n *node, count int) []int64 {
	tb.Helper()
	var ids []int64
	for i := range count {
		at := start().Add(-time.Duration(i) * time.Hour)
		ids = append(ids, MustDo(tb, n, posts.Create{
			Title: fmt.Sprintf("P%d", i), Body: "Body.", Tags: []string{"all"}, Publish: true, PublishedAt: &at,
		}).ID)
	}
	return ids
}

// titles returns the titles of the page's cards, in their order, and of those that are marked as
// pinned.
func (a *answer) titles(tb testing.TB) (all, pinned string) {
	tb.Helper()
	read := func(selector string) string {
		var out []string
		a.find(tb, selector).Each(func(_ int, title *goquery.Selection) {
			out = append(out, strings.TrimSpace(title.Text()))
		})
		return strings.Join(out, " ")
	}
	return read(".card-title"), read(".card:has(.pinned-mark) .card-title")
}

func TestPinnedPostsComeFirst(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	ids := MustDated(t, w.primary, 22)
	b := MustOpen(t, w.replica)
	before := map[string]string{}
	for _, path := range []string{"/archive", "/feed.xml", "/sitemap.xml", "/search?q=body", "/posts/p1"} {
		before[path] = b.Get(t, path).Must(t, http.StatusOK).body
	}
	MustDo(t, w.primary, posts.Pin{Target: posts.Target{ID: ids[21]}})
	MustDo(t, w.primary, posts.Pin{Target: posts.Target{ID: ids[3]}})
	for path, want := range map[string]string{
		"/":                     "P3 P21 P0 P1 P2 P4 P5 P6",
		"/posts":                "P3 P21 P0 P1 P2 P4 P5 P6 P7 P8 P9 P10 P11 P12 P13 P14 P15 P16 P17 P18",
		"/posts?page=2":         "P19 P20",
		"/posts?tag=all&page=2": "P19 P20",
		"/posts?tag=all&tag=x":  "P3 P21 P0 P1 P2 P4 P5 P6 P7 P8 P9 P10 P11 P12 P13 P14 P15 P16 P17 P18",
		"/tags/all":             "P3 P21 P0 P1 P2 P4 P5 P6 P7 P8 P9 P10 P11 P12 P13 P14 P15 P16 P17 P18",
		"/tags/all?page=2":      "P19 P20",
	} {
		a := b.Get(t, path).Must(t, http.StatusOK)
		all, pinned := a.titles(t)
		// An open page sorts by this, so it has to agree with the server.
		previous := "~"
		a.find(t, ".card").Each(func(_ int, card *goquery.Selection) {
			order := card.AttrOr("data-order", "")
			if order == "" || order >= previous {
				t.Errorf("%s: %q comes behind %q", path, order, previous)
			}
			previous = order
		})
		wantPinned := "P3 P21"
		if strings.Contains(path, "page=2") {
			wantPinned = ""
		}
		if all != want || pinned != wantPinned {
			t.Errorf("%s has %s, pinned %s", path, all, pinned)
		}
	}
	// These stay sorted by date, and no reader of the feed gets an old post as a new one.
	for path, body := range before {
		if now := b.Get(t, path).Must(t, http.StatusOK).body; withoutCursor(now) != withoutCursor(body) {
			t.Errorf("%s is another:\n%s\nand was\n%s", path, now, body)
		}
	}
}

// withoutCursor returns body without the cursor from which the page is followed.
func withoutCursor(body string) string {
	before, after, found := strings.Cut(body, ` data-cursor="`)
	if !found {
		return body
	}
	_, after, _ = strings.Cut(after, `"`)
	return before + after
}

// TestFramesOfAPin: the frame has the page's card, so an open list sorts it as the server does.
func TestFramesOfAPin(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	ids := MustDated(t, w.primary, 2)
	draft := MustDo(t, w.primary, posts.Create{Title: "Draft", Body: "Body.", Tags: []string{"all"}})
	b := MustOpen(t, w.replica)
	list, tag := MustFollow(t, b, "posts", ""), MustFollow(t, b, "tag:all", "")
	page := MustFollow(t, b, "post:p1", "")
	MustDo(t, w.primary, posts.Pin{Target: posts.Target{ID: draft.ID}}) // no frame
	id := fmt.Sprintf("post-%d", ids[1])
	for _, cmd := range []struct {
		run    func()
		pinned bool
	}{
		{func() { MustDo(t, w.primary, posts.Pin{Target: posts.Target{ID: ids[1]}}) }, true},
		{func() { MustDo(t, w.primary, posts.Unpin{Target: posts.Target{ID: ids[1]}}) }, false},
	} {
		cmd.run()
		both := []frame{list.MustBe(t, live.Change, "posts", id, ""), tag.MustBe(t, live.Change, "tag:all", id, "")}
		for _, f := range both {
			if strings.Contains(f.HTML, "Pinned") != cmd.pinned || !strings.Contains(b.Get(t, "/posts").body, f.HTML) {
				t.Errorf("pinned %t: %s", cmd.pinned, f.HTML)
			}
		}
	}
	// The post's page has not changed: the next frame is that of an edit.
	text := "Edited."
	MustRevise(t, w.primary, ids[1], func(u *posts.Update) { u.Body = &text })
	if f := page.MustNext(t); !strings.Contains(f.HTML, text) {
		t.Errorf("got %+v", f)
	}
}

// TestAPinWhileAnEditorIsOpen: an editor, and a list, that were open before the pin save without a
// conflict.
func TestAPinWhileAnEditorIsOpen(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	id := MustDated(t, w.primary, 1)[0]
	b := MustLogin(t, w.replica)
	action := fmt.Sprintf("/admin/posts/%d", id)
	list, editor := b.Get(t, "/admin"), b.Get(t, action+"/edit")
	MustDo(t, w.primary, posts.Pin{Target: posts.Target{ID: id}})
	b.Post(t, action, editor.with(t, "form.editor", "body", "Edited.", "do", "save")).MustRedirect(t, action+"/edit?saved")
	if all, pinned := b.Get(t, "/posts").titles(t); all != "P0" || pinned != "P0" {
		t.Errorf("readers see %s, pinned %s", all, pinned)
	}
	b.Post(t, action+"/state", list.with(t, "form[action='"+action+"/state']", "do", "unpin", "key", "")).
		MustRedirect(t, "/admin")
	if all, pinned := b.Get(t, "/posts").titles(t); all != "P0" || pinned != "" {
		t.Errorf("readers see %s, pinned %s", all, pinned)
	}
}

func TestPinningInTheAdminsList(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	ids := MustDated(t, w.primary, 2)
	draft := MustDo(t, w.primary, posts.Create{Title: "Draft", Body: "Body."})
	for _, n := range []*node{w.primary, w.replica} {
		b, stranger := MustLogin(t, n), MustOpen(t, n)
		post := func(id int64, do string) *answer {
			t.Helper()
			row := fmt.Sprintf("form[action='/admin/posts/%d/state']", id)
			list := b.Get(t, "/admin").Must(t, http.StatusOK)
			if list.find(t, row+" button[value="+do+"]").Length() != 1 {
				t.Fatalf("no %s for %d: %s", do, id, list.text(t, "main"))
			}
			form := list.with(t, row, "do", do)
			a := b.Post(t, fmt.Sprintf("/admin/posts/%d/state", id), form).MustRedirect(t, "/admin")
			b.Post(t, fmt.Sprintf("/admin/posts/%d/state", id), form).MustRedirect(t, "/admin") // sent twice
			return a
		}
		post(draft.ID, "pin")
		post(ids[1], "pin")
		if got := b.Get(t, "/admin").find(t, ".admin-post .pinned-mark").Length(); got != 2 {
			t.Errorf("%d are marked as pinned", got)
		}
		if all, pinned := stranger.Get(t, "/posts").titles(t); all != "P1 P0" || pinned != "P1" {
			t.Errorf("readers see %s, pinned %s", all, pinned)
		}
		post(draft.ID, "publish")
		if all, _ := stranger.Get(t, "/posts").titles(t); all != "P1 Draft P0" {
			t.Errorf("with the draft published readers see %s", all)
		}
		post(draft.ID, "unpublish")
		post(draft.ID, "unpin")
		post(ids[1], "unpin")
		if all, pinned := stranger.Get(t, "/posts").titles(t); all != "P0 P1" || pinned != "" {
			t.Errorf("then readers see %s, pinned %s", all, pinned)
		}
	}
	stranger := MustOpen(t, w.primary)
	stranger.Post(t, fmt.Sprintf("/admin/posts/%d/state", ids[1]), map[string][]string{"do": {"pin"}, "revision": {"3"}})
	if all, _ := stranger.Get(t, "/posts").titles(t); all != "P0 P1" {
		t.Errorf("a stranger has pinned: %s", all)
	}
}
