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
	"blog/web"
)

// in sets the blog's time zone.
func in(tb testing.TB, zone string) func(*web.Options) {
	tb.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		tb.Fatal(err)
	}
	return func(o *web.Options) { o.Config.Location, o.Config.Zone = loc, zone }
}

// MustArchive returns the archive as lines: a year, or a date and a title.
func MustArchive(tb testing.TB, b *browser) string {
	tb.Helper()
	var out []string
	b.Get(tb, "/archive").Must(tb, http.StatusOK).find(tb, ".archive-year").Each(func(_ int, year *goquery.Selection) {
		out = append(out, strings.Fields(year.Find("h2").Text())[0])
		year.Find("li").Each(func(_ int, post *goquery.Selection) {
			out = append(out, post.Find("time").Text()+" "+post.Find("a").Text()+" "+post.Find("a").AttrOr("href", ""))
		})
	})
	return strings.Join(out, "\n")
}

func TestTheArchive(t *testing.T) {
	t.Parallel()
	for zone, want := range map[string]string{
		"Asia/Tokyo": "2026\n1 January The bells /posts/bells\n2025\n31 December Noon /posts/noon\n2 June June " +
			"/posts/june\n2019\n5 March Old /posts/old",
		"UTC": "2025\n31 December The bells /posts/bells\n31 December Noon /posts/noon\n1 June June " +
			"/posts/june\n2019\n5 March Old /posts/old",
		"America/New_York": "2025\n31 December The bells /posts/bells\n31 December Noon /posts/noon\n1 June June " +
			"/posts/june\n2019\n5 March Old /posts/old",
	} {
		w := MustWorld(t, in(t, zone))
		for _, p := range []struct{ title, slug, at string }{
			{
				"June", "june", "2025-06-01T16:00:00Z",
			}, {
				"The bells", "bells", "2025-12-31T23:30:00Z",
			}, {"Old", "old", "2019-03-05T12:00:00Z"}, {"Noon", "noon", "2025-12-31T12:00:00Z"},
		} {
			at := instant(t, p.at)
			MustDo(t, w.primary, posts.Create{Title: p.title, Slug: p.slug, Publish: true, PublishedAt: &at})
		}
		for _, n := range []*node{w.primary, w.replica} {
			if got := MustArchive(t, MustOpen(t, n)); got != want {
				t.Errorf("in %s it is\n%s\nand not\n%s", zone, got, want)
			}
		}
	}
}

func TestTheArchiveFollows(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	b := MustOpen(t, w.replica)
	empty := b.Get(t, "/archive").Must(t, http.StatusOK)
	empty.expectCount(t, ".archive-year", 0)
	if empty.text(t, "main .empty") == "" {
		t.Errorf("without posts: got %q, want words in .empty", empty.text(t, "main"))
	}
	if mode := empty.attr(t, "main", "data-live-mode"); mode != "refetch" {
		t.Errorf("got the live mode %q, want %q", mode, "refetch")
	}
	s := MustFollow(t, b, empty.attr(t, "main", "data-live-topics"), empty.attr(t, "main", "data-cursor"))
	due := start().Add(time.Hour)
	draft := MustDo(t, w.primary, posts.Create{Title: "A draft"})
	id := fmt.Sprintf("post-%d", draft.ID)
	MustDo(t, w.primary, posts.Create{Title: "Not yet", Publish: true, PublishedAt: &due})
	if got := MustArchive(t, b); got != "" {
		t.Errorf("nothing is published: got %q, want nothing", got)
	}
	// An author's view of it is not cached for others.
	if got := MustArchive(t, MustLogin(t, w.replica)); got != "" {
		t.Errorf("for an author: got %q, want nothing", got)
	}
	MustDo(t, w.primary, posts.Publish{Target: posts.Target{ID: draft.ID}})
	s.MustBe(t, live.Change, posts.Topic, id, "")
	if got, want := MustArchive(t, b), "2026\n24 May A draft /posts/a-draft"; got != want {
		t.Errorf("published: got %q, want %q", got, want)
	}
	MustDo(t, w.primary, posts.Unpublish{Target: posts.Target{ID: draft.ID}})
	s.MustBe(t, live.Gone, posts.Topic, id, "")
	if got := MustArchive(t, b); got != "" {
		t.Errorf("taken back: got %q, want nothing", got)
	}
	for _, from := range []string{"/posts", "/"} {
		if b.Get(t, from).find(t, "a[href='/archive']").Length() == 0 {
			t.Errorf("%s: got no link to /archive, want one", from)
		}
	}
	b.Get(t, "/archive/").MustRedirect(t, "/archive")
}
