package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"

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

// expectTitles compares the titles of the cards, and of those that are marked as pinned.
func (a *answer) expectTitles(tb testing.TB, wantAll, wantPinned string) {
	tb.Helper()
	all, pinned := a.titles(tb)
	if all != wantAll {
		tb.Errorf("%s: got the posts %q, want %q", a.path, all, wantAll)
	}
	if pinned != wantPinned {
		tb.Errorf("%s: got the pinned posts %q, want %q", a.path, pinned, wantPinned)
	}
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
		// An open page sorts by this, so it has to agree with the server.
		previous := "~"
		a.find(t, ".card").Each(func(_ int, card *goquery.Selection) {
			order := card.AttrOr("data-order", "")
			if order == "" {
				t.Errorf("%s: got a card without data-order, want one with it", path)
			}
			if order >= previous {
				t.Errorf("%s: got %q behind %q, want the greater first", path, order, previous)
			}
			previous = order
		})
		wantPinned := "P3 P21"
		if strings.Contains(path, "page=2") {
			wantPinned = ""
		}
		a.expectTitles(t, want, wantPinned)
	}
	// These stay sorted by date, and no reader of the feed gets an old post as a new one.
	for path, body := range before {
		now := b.Get(t, path).Must(t, http.StatusOK).body
		if diff := cmp.Diff(withoutCursor(body), withoutCursor(now)); diff != "" {
			t.Errorf("%s (-before +now):\n%s", path, diff)
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
			if got := strings.Contains(f.HTML, "Pinned"); got != cmd.pinned {
				t.Errorf("got pinned %t in the frame, want %t: %s", got, cmd.pinned, f.HTML)
			}
			if page := b.Get(t, "/posts").body; !strings.Contains(page, f.HTML) {
				t.Errorf("pinned %t: got the page %s, want the frame's HTML in it: %s", cmd.pinned, page, f.HTML)
			}
		}
	}
	// The post's page has not changed: the next frame is that of an edit.
	text := "Edited."
	MustRevise(t, w.primary, ids[1], func(u *posts.Update) { u.Body = &text })
	if f := page.MustNext(t); !strings.Contains(f.HTML, text) {
		t.Errorf("got the frame %+v, want %q in its HTML", f, text)
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
	b.Get(t, "/posts").expectTitles(t, "P0", "P0")
	b.Post(t, action+"/state", list.with(t, "form[action='"+action+"/state']", "do", "unpin", "key", "")).
		MustRedirect(t, "/admin")
	b.Get(t, "/posts").expectTitles(t, "P0", "")
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
			if got := list.find(t, row+" button[value="+do+"]").Length(); got != 1 {
				t.Fatalf("got %d buttons to %s %d, want 1: %s", got, do, id, list.text(t, "main"))
			}
			form := list.with(t, row, "do", do)
			a := b.Post(t, fmt.Sprintf("/admin/posts/%d/state", id), form).MustRedirect(t, "/admin")
			b.Post(t, fmt.Sprintf("/admin/posts/%d/state", id), form).MustRedirect(t, "/admin") // sent twice
			return a
		}
		post(draft.ID, "pin")
		post(ids[1], "pin")
		if got := b.Get(t, "/admin").find(t, ".admin-post .pinned-mark").Length(); got != 2 {
			t.Errorf("got %d marked as pinned, want 2", got)
		}
		stranger.Get(t, "/posts").expectTitles(t, "P1 P0", "P1")
		post(draft.ID, "publish")
		if all, _ := stranger.Get(t, "/posts").titles(t); all != "P1 Draft P0" {
			t.Errorf("with the draft published: got the posts %q, want %q", all, "P1 Draft P0")
		}
		post(draft.ID, "unpublish")
		post(draft.ID, "unpin")
		post(ids[1], "unpin")
		stranger.Get(t, "/posts").expectTitles(t, "P0 P1", "")
	}
	stranger := MustOpen(t, w.primary)
	stranger.Post(t, fmt.Sprintf("/admin/posts/%d/state", ids[1]), map[string][]string{"do": {"pin"}, "revision": {"3"}})
	if all, _ := stranger.Get(t, "/posts").titles(t); all != "P0 P1" {
		t.Errorf("a stranger has pinned: got the posts %q, want %q", all, "P0 P1")
	}
}
