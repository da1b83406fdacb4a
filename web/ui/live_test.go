package ui_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"github.com/coder/websocket"

	"blog/test/browser"
	"blog/web/ui"
)

func card(id int64, day int) ui.Card {
	return ui.Card{
		ID: id, Slug: fmt.Sprintf("s%d", id), Title: fmt.Sprintf("Post %d", id),
		Excerpt: strings.Repeat("Some words about it. ", 12), PublishedAt: at().AddDate(0, 0, day), ReadingMinutes: 2,
	}
}

// listPage returns a list of posts ten to one, in a mode.
func (s *site) listPage(mode, cursor string, more bool, cards ...ui.Card) templ.Component {
	page := fakePage("Posts", s.assets.Base())
	page.Live = &ui.Live{Topics: []string{"posts"}, Cursor: cursor, Mode: mode}
	return ui.PostList(ui.PostListView{
		Page: page, List: ui.List{Topic: "posts", Cards: cards, Limit: 10, More: more},
		Pager: ui.Pager{Number: 1, Total: 2, Older: "/posts?page=2"},
	})
}

func ten() []ui.Card {
	var cards []ui.Card
	for id := int64(10); id > 0; id-- {
		cards = append(cards, card(id, int(id)))
	}
	return cards
}

const shown = `[...document.querySelectorAll("[data-live-list] > li")].map((c) => c.id.slice(5)).join(" ")`

func showsExpr(ids string) string { return shown + " === " + fmt.Sprintf("%q", ids) }

// mustLiveList opens a live list of ten posts.
func mustLiveList(t *testing.T) (*site, *browser.Tab, *peer) {
	t.Helper()
	s := mustSite(t)
	s.set("/posts", s.listPage(ui.LiveList, "c0", true, ten()...))
	tb := browser.Must(t).MustTab(t)
	tb.MustSize(t, 900, 700, "light")
	tb.MustOpen(t, s.url+"/posts")
	p := s.mustPeer(t)
	return s, tb, p
}

func TestLiveList(t *testing.T) {
	s, tb, p := mustLiveList(t)
	if got := s.lastDial(); got != "topics=posts&after=c0" {
		t.Errorf("the socket asks for %q, want %q", got, "topics=posts&after=c0")
	}

	browser.MustEval[bool](t, tb, `(window.kept = document.getElementById("post-9")) !== null`)
	p.card(card(11, 11))
	tb.MustPoll(t, showsExpr("11 10 9 8 7 6 5 4 3 2"))
	tb.MustPoll(t, `document.querySelector("main").dataset.cursor === "c2"`)
	tb.MustPoll(t, `document.querySelector("[data-announcer]").textContent === "New post: Post 11"`)

	edited := card(9, 9)
	edited.Title = "Post nine, edited"
	p.card(edited)
	tb.MustPoll(t, `kept.querySelector("a").textContent === "Post nine, edited" && kept.isConnected`)

	moved := card(4, 20)
	p.card(moved)
	tb.MustPoll(t, showsExpr("4 11 10 9 8 7 6 5 3 2"))

	p.card(card(12, -40)) // an old post, which belongs to a later page
	p.card(card(13, 9))   // between two, and one with an equal date and a smaller id
	tb.MustPoll(t, showsExpr("4 11 10 13 9 8 7 6 5 3"))

	s.set("/posts", s.listPage(ui.LiveList, "c9", true, append([]ui.Card{card(4, 20)}, ten()[1:]...)...))
	p.send(frame{Type: "gone", Topic: "posts", ID: "post-11"})
	tb.MustPoll(t, showsExpr("4 9 8 7 6 5 4 3 2 1")+" || "+showsExpr("4 9 8 7 6 5 3 2 1"))
	if !browser.MustEval[bool](t, tb, `document.getElementById("post-9") === kept`) {
		t.Error("a card that stayed: got another node, want the one before")
	}
}

// TestLivePins: a pinned card moves to the top and back to its date, whether the page had it or
// not.
func TestLivePins(t *testing.T) {
	s, tb, p := mustLiveList(t)
	pinned := func(id int64, day int, pin int64) ui.Card {
		c := card(id, day)
		c.Pinned = pin
		return c
	}

	browser.MustEval[bool](t, tb, `(window.kept = document.getElementById("post-4")) !== null`)
	p.card(pinned(4, 4, 9))
	tb.MustPoll(t, showsExpr("4 10 9 8 7 6 5 3 2 1"))
	tb.MustPoll(t, `kept.isConnected && kept.querySelector(".pinned-mark")?.textContent === "Pinned"`)
	p.card(pinned(12, -40, 10)) // of a later page
	tb.MustPoll(t, showsExpr("12 4 10 9 8 7 6 5 3 2"))
	tb.MustPoll(t, `document.querySelector("[data-announcer]").textContent === "Pinned post: Post 12"`)
	p.card(card(11, 11)) // a new card comes after the pinned ones
	tb.MustPoll(t, showsExpr("12 4 11 10 9 8 7 6 5 3"))
	p.card(card(4, 4))
	tb.MustPoll(t, `!document.getElementById("post-4")?.querySelector(".pinned-mark")`)

	// By its date it belongs to another page, whose first card moves in.
	s.set("/posts", s.listPage(ui.LiveList, "c9", true, append([]ui.Card{card(11, 11)}, ten()[:9]...)...))
	p.card(card(12, -40))
	tb.MustPoll(t, showsExpr("11 10 9 8 7 6 5 4 3 2"))
}

func TestLiveListWaitsForScrolledReader(t *testing.T) {
	_, tb, p := mustLiveList(t)
	browser.MustEval[bool](t, tb,
		`(scrollTo({top: 900, behavior: "instant"}), window.top5 = `+
			`document.getElementById("post-5").getBoundingClientRect().top, true)`)
	p.card(card(11, 11))
	tb.MustPoll(t, `document.querySelector("[data-notice=new] button")?.textContent === "1 new post"`)
	p.card(card(12, 12))
	tb.MustPoll(t, `document.querySelector("[data-notice=new] button")?.textContent === "2 new posts"`)
	long := card(9, 9)
	long.Excerpt = strings.Repeat("It has grown above the reader. ", 60)
	p.card(long)
	tb.MustPoll(t, `document.getElementById("post-9").textContent.includes("has grown")`)
	if moved := browser.MustEval[float64](t, tb,
		`document.getElementById("post-5").getBoundingClientRect().top - top5`); math.Abs(moved) > 1 {
		t.Errorf("what was read: got it moved by %g px, want at most 1", moved)
	}
	if got := browser.MustEval[string](t, tb, shown); got != "10 9 8 7 6 5 4 3 2 1" {
		t.Errorf("the list changed under the reader: got %q, want 10 to 1", got)
	}
	browser.MustEval[bool](t, tb, `(document.querySelector("[data-notice=new] button").click(), true)`)
	tb.MustPoll(t, showsExpr("12 11 10 9 8 7 6 5 4 3"))
	tb.MustPoll(t,
		`scrollY === 0 && document.activeElement.textContent === "Post 12" && !document.querySelector("[data-notice=new]")`)
}

func TestLiveLaterPages(t *testing.T) {
	s := mustSite(t)
	s.set("/posts", s.listPage(ui.LiveNotice, "c0", true, ten()...))
	tb := browser.Must(t).MustTab(t)
	tb.MustOpen(t, s.url+"/posts")
	p := s.mustPeer(t)

	p.card(card(30, 30)) // an edit on another page: this one has the same cards
	tb.MustPoll(t, `document.querySelector("main").dataset.cursor === "c2"`)
	edited := card(7, 7)
	edited.Title = "Seven, edited"
	p.card(edited)
	tb.MustPoll(t, `document.getElementById("post-7").textContent.includes("Seven, edited")`)

	s.set("/posts", s.listPage(ui.LiveNotice, "c9", true, append([]ui.Card{card(11, 11)}, ten()[:9]...)...))
	p.card(card(31, 31))
	tb.MustPoll(t, `document.querySelector("[data-notice=changed]")?.textContent.includes("The list has changed.")`)
	if got := browser.MustEval[string](t, tb, shown); got != "10 9 8 7 6 5 4 3 2 1" {
		t.Errorf("the list shifted: got %q, want 10 to 1", got)
	}
}

func (s *site) postPage(slug, cursor, body string) templ.Component {
	page := fakePage("A post", s.assets.Base())
	page.Canonical = "https://blog.example/posts/" + slug
	page.Live = &ui.Live{Topics: []string{"post:" + slug}, Cursor: cursor, Mode: ui.LivePost}
	return ui.PostPage(ui.PostView{
		Page: page, Post: ui.Post{ID: 1, Slug: slug, Title: "A post", PublishedAt: at(), Body: body},
	})
}

func TestLivePost(t *testing.T) {
	s := mustSite(t)
	s.set("/posts/old", s.postPage("old", "c0", "<p>One.</p>"))
	tb := browser.Must(t).MustTab(t)
	tb.MustOpen(t, s.url+"/posts/old#h-x")
	p := s.mustPeer(t)
	next := ui.Post{ID: 1, Slug: "old", Title: "Another title", PublishedAt: at(), Body: "<p>One.</p><p>Two.</p>"}
	p.send(frame{Type: "change", Topic: "post:old", HTML: render(t, ui.Article(fakeBlog(), next))})
	tb.MustPoll(t,
		`document.querySelectorAll(".prose p").length === 2 && document.title === "Another title · The Long Way Round"`)

	p.send(frame{Type: "moved", Topic: "post:old", To: "post:new", URL: "/posts/new"})
	tb.MustPoll(t,
		`location.pathname + location.hash === "/posts/new#h-x" && document.querySelector("link[rel=canonical]").href === `+
			`"https://blog.example/posts/new"`)
	p = s.mustPeer(t)
	if got := s.lastDial(); got != "topics=post%3Anew&after=c3" {
		t.Errorf("after the move the socket asks for %q, want %q", got, "topics=post%3Anew&after=c3")
	}
	p.send(frame{Type: "gone", Topic: "post:new"})
	tb.MustPoll(t,
		`document.querySelector("[data-notice=gone]")?.textContent.includes("no longer published") && `+
			`document.querySelectorAll(".prose p").length === 2`)
}

func TestLiveResyncAndReconnect(t *testing.T) {
	s := mustSite(t)
	s.set("/posts/a", s.postPage("a", "c0", "<p>One.</p>"))
	tb := browser.Must(t).MustTab(t)
	tb.MustOpen(t, s.url+"/posts/a")
	p := s.mustPeer(t)

	s.set("/posts/a", s.postPage("a", "c70", "<p>One, again.</p>"))
	p.send(frame{Type: "resync"})
	tb.MustPoll(t,
		`document.querySelector(".prose").textContent.trim() === "One, again." && `+
			`document.querySelector("main").dataset.cursor === "c70"`)

	for _, code := range []websocket.StatusCode{
		websocket.StatusGoingAway, websocket.StatusServiceRestart, websocket.StatusTryAgainLater,
	} {
		if err := p.conn.Close(code, "away"); err != nil {
			t.Logf("close: %v", err) // the browser may be faster
		}
		p = s.mustPeer(t)
		if got := s.lastDial(); got != "topics=post%3Aa&after=c70" {
			t.Errorf("after %d the socket asks for %q, want %q", code, got, "topics=post%3Aa&after=c70")
		}
	}
	if err := p.conn.CloseNow(); err != nil {
		t.Logf("close: %v", err)
	}
	p = s.mustPeer(t)

	// A server of another release: a notice appears once, and frames are still shown.
	p.send(frame{Type: "hello", Version: "another"})
	tb.MustPoll(t, `document.querySelector("[data-notice=version]")?.textContent.includes("renewed")`)

	// Into the browser's back/forward cache and out of it.
	browser.MustEval[bool](t, tb,
		`(dispatchEvent(new PageTransitionEvent("pagehide", {persisted: true})), dispatchEvent(new `+
			`PageTransitionEvent("pageshow", {persisted: true})), true)`)
	p = s.mustPeer(t)
	before := s.fetched("/posts/a")
	p.send(frame{
		Type: "change", Topic: "post:a",
		HTML: render(t, ui.Article(fakeBlog(), ui.Post{Slug: "a", Title: "A post", Body: "<p>Pushed.</p>"})),
	})
	tb.MustPoll(t, `document.querySelector(".prose").textContent.trim() === "Pushed."`)
	if got := s.fetched("/posts/a"); got != before {
		t.Errorf("a pushed article needs no request: got %d, want %d as before", got, before)
	}
}

// TestLiveListGrowsPages: a new post moves another one off the only page, to a second page, to
// which a link has to appear.
func TestLiveListGrowsPages(t *testing.T) {
	s := mustSite(t)
	page := func(pager ui.Pager, cards ...ui.Card) templ.Component {
		p := fakePage("Posts", s.assets.Base())
		p.Live = &ui.Live{Topics: []string{"posts"}, Cursor: "c0", Mode: ui.LiveList}
		return ui.PostList(ui.PostListView{
			Page: p, List: ui.List{Topic: "posts", Cards: cards, Limit: 10, More: pager.Older != ""}, Pager: pager,
		})
	}
	s.set("/posts", page(ui.Pager{Number: 1, Total: 1}, ten()...))
	tb := browser.Must(t).MustTab(t)
	tb.MustOpen(t, s.url+"/posts")
	p := s.mustPeer(t)
	s.set("/posts",
		page(ui.Pager{Number: 1, Total: 2, Older: "/posts?page=2"}, append([]ui.Card{card(11, 11)}, ten()[:9]...)...))
	p.card(card(11, 11))
	tb.MustPoll(t, showsExpr("11 10 9 8 7 6 5 4 3 2")+` && document.querySelector("main [rel=next]") !== null`)
}

func TestLiveRefetch(t *testing.T) {
	s := mustSite(t)
	home := func(cursor string, tags ...ui.TagCount) templ.Component {
		page := fakePage("Tags", s.assets.Base())
		page.Live = &ui.Live{Topics: []string{"posts"}, Cursor: cursor, Mode: ui.LiveRefetch}
		return ui.Tags(ui.TagsView{Page: page, Tags: tags})
	}
	s.set("/tags", home("c0", ui.TagCount{Label: "tea", Count: 1}))
	tb := browser.Must(t).MustTab(t)
	tb.MustOpen(t, s.url+"/tags")
	p := s.mustPeer(t)
	s.set("/tags", home("c80", ui.TagCount{Label: "tea", Count: 2}, ui.TagCount{Label: "time", Count: 1}))
	p.card(card(1, 1))
	tb.MustPoll(t,
		`document.querySelectorAll(".tag-counts li").length === 2 && document.querySelector("main").dataset.cursor === "c80"`)
}

func TestLiveNoticesDeadConnection(t *testing.T) {
	s := mustSite(t)
	s.set("/posts/a", s.postPage("a", "c0", "<p>One.</p>"))
	tb := browser.Must(t).MustTab(t)
	tb.MustOpen(t, s.url+"/posts/a")
	p := s.mustPeer(t)

	// Silence for longer than the server promised leads to a new connection.
	p.send(frame{Type: "hello", Version: s.assets.Hash(), Heartbeat: 300})
	p = s.mustPeer(t)

	// A notice says when there was no connection for a while, and disappears afterwards.
	s.setAway(true)
	if err := p.conn.CloseNow(); err != nil {
		t.Logf("close: %v", err) // the browser may be faster
	}
	tb.MustPoll(t, `document.querySelector("[data-notice=lost]")?.textContent.includes("Connection lost")`)
	s.setAway(false)
	p = s.mustPeer(t)
	tb.MustPoll(t, `!document.querySelector("[data-notice=lost]")`)
	tb.Allow("WebSocket connection")
	tb.Allow("503")

	// A notice that a reader has dismissed does not come back with each heartbeat.
	p.send(frame{Type: "hello", Version: "another"})
	tb.MustPoll(t, `document.querySelector("[data-notice=version]") !== null`)
	browser.MustEval[bool](t, tb, `(document.querySelector("[data-notice=version] [aria-label=Dismiss]").click(), true)`)
	p.send(frame{Type: "hello", Version: "another"})
	p.send(frame{Type: "gone", Topic: "post:a"})
	tb.MustPoll(t,
		`document.querySelector("[data-notice=gone]") !== null && document.querySelector("[data-notice=version]").hidden`)
}
