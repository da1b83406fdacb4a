package web_test

import (
	"encoding/xml"
	"flag"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/go-cmp/cmp"

	"blog/internal/media"
	"blog/internal/posts"
)

var update = flag.Bool("update", false, "write the golden files anew")

func mustGolden(tb testing.TB, name, got string) {
	tb.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		tb.Errorf("%s (refresh it with -update; -want +got):\n%s", path, diff)
	}
}

type atom struct {
	XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
	ID      string   `xml:"id"`
	Title   string   `xml:"title"`
	Updated string   `xml:"updated"`
	Links   []struct {
		Rel  string `xml:"rel,attr"`
		Href string `xml:"href,attr"`
	} `xml:"link"`
	Entries []entry `xml:"entry"`
}

type entry struct {
	ID        string `xml:"id"`
	Title     string `xml:"title"`
	Published string `xml:"published"`
	Updated   string `xml:"updated"`
	Author    string `xml:"author>name"`
	Link      struct {
		Href string `xml:"href,attr"`
	} `xml:"link"`
	Content struct {
		Type string `xml:"type,attr"`
		Body string `xml:",chardata"`
	} `xml:"content"`
}

// titles returns the titles of the entries, in their order.
func (f atom) titles() (out []string) {
	for _, e := range f.Entries {
		out = append(out, e.Title)
	}
	return out
}

func MustFeed(tb testing.TB, b *browser) atom {
	tb.Helper()
	a := b.Get(tb, "/feed.xml").Must(tb, http.StatusOK)
	a.expectHeader(tb, "Content-Type", "application/atom+xml; charset=utf-8")
	var f atom
	if err := xml.Unmarshal([]byte(a.body), &f); err != nil {
		tb.Fatalf("%v in %s", err, a.body)
	}
	return f
}

func absolute(tb testing.TB, address string) {
	tb.Helper()
	u, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	if got, want := u.Scheme+"://"+u.Host, "https://blog.example"; got != want {
		tb.Errorf("the site of %q: got %q, want %q", address, got, want)
	}
}

func instant(tb testing.TB, s string) time.Time {
	tb.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		tb.Errorf("got %q, want a date: %v", s, err)
	}
	return at
}

// checkEntry fails unless an entry can be read by itself, outside of the site.
func checkEntry(tb testing.TB, f atom, e entry) {
	tb.Helper()
	absolute(tb, e.ID)
	absolute(tb, e.Link.Href)
	if e.Author != "Ada" {
		tb.Errorf("%s: got the author %q, want %q", e.ID, e.Author, "Ada")
	}
	if instant(tb, e.Updated).Before(instant(tb, e.Published)) {
		tb.Errorf("%s: got the update %s, want none before it was published at %s", e.ID, e.Updated, e.Published)
	}
	if instant(tb, e.Updated).After(instant(tb, f.Updated)) {
		tb.Errorf("%s: got the update %s, want none after the feed's %s", e.ID, e.Updated, f.Updated)
	}
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(e.Content.Body))
	if err != nil {
		tb.Fatal(err)
	}
	if e.Content.Type != "html" {
		tb.Fatalf("%s: got the type %q, want %q", e.ID, e.Content.Type, "html")
	}
	doc.Find("[href], [src]").Each(func(_ int, s *goquery.Selection) {
		address := s.AttrOr("href", s.AttrOr("src", ""))
		if !strings.HasPrefix(address, "https://elsewhere.example/") {
			absolute(tb, address)
		}
	})
}

func TestTheFeed(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, shared("https://blog.example"))
	b := MustOpen(t, w.replica)
	empty := MustFeed(t, b)
	if len(empty.Entries) != 0 {
		t.Errorf("without posts: got %d entries, want 0: %+v", len(empty.Entries), empty.Entries)
	}
	if empty.ID == "" {
		t.Errorf("without posts: got the feed %+v, want an id", empty)
	}
	instant(t, empty.Updated)
	pic := MustPicture(t, w.primary, 7)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	body := "A [link](/tags/go), one [further](https://elsewhere.example/x?a=b&c=d), [here](#part) and <i>more</i> & a " +
		"picture:\n\n![A & B](" +
		media.Address(pic.Hash, "a.png") + ")\n\n## Part\n\n```go\nfmt.Println(\"]]>\", 'x')\n```\n"
	first := MustDo(t, w.primary, posts.Create{
		Title: "Tom & <Jerry> ]]>", Slug: "tom", Body: body, Description: "About \"both\"", Tags: []string{"go", "c++"},
		Publish: true, PublishedAt: &at,
	})
	MustDo(t, w.primary, posts.Create{Title: "Später 日本", Body: "Kurz.", Publish: true})
	w.clock.Advance(time.Hour)
	title := "Tom & <Jerry>"
	MustRevise(t, w.primary, first.ID, func(u *posts.Update) { u.Title = &title })
	raw := b.Get(t, "/feed.xml").body
	if diff := cmp.Diff(MustOpen(t, w.primary).Get(t, "/feed.xml").body, raw); diff != "" {
		t.Errorf("the feed (-want the primary's +got):\n%s", diff)
	}
	mustGolden(t, "feed.xml", strings.ReplaceAll(raw, pic.Hash, "HASH"))
	f := MustFeed(t, b)
	if diff := cmp.Diff([]string{"Später 日本", title}, f.titles()); diff != "" {
		t.Fatalf("titles (-want +got):\n%s", diff)
	}
	absolute(t, f.ID)
	for _, l := range f.Links {
		absolute(t, l.Href)
	}
	for _, e := range f.Entries {
		checkEntry(t, f, e)
	}
	content := f.Entries[1].Content.Body
	for _, want := range []string{
		`"https://blog.example/tags/go"`, `"https://blog.example/posts/tom#h-part"`,
		`"https://blog.example/media/` + pic.Hash + `/a.png"`, `<i>more</i> &amp; a picture`,
	} {
		if !strings.Contains(content, want) {
			t.Errorf("got %s, want %q in it", content, want)
		}
	}
	// The same entry under another slug.
	id, slug := f.Entries[1].ID, "jerry"
	MustRevise(t, w.primary, first.ID, func(u *posts.Update) { u.Slug = &slug })
	e := MustFeed(t, b).Entries[1]
	if diff := cmp.Diff([]string{id, "https://blog.example/posts/jerry"}, []string{e.ID, e.Link.Href}); diff != "" {
		t.Errorf("id and address of what is renamed (-want +got):\n%s", diff)
	}
}

func TestWhatRobotsRead(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, shared("https://blog.example"))
	MustPublish(t, w.primary, "Wörter & mehr", "Body.")
	MustDo(t, w.primary, posts.Create{Title: "Draft"})
	b := MustOpen(t, w.primary)
	robots := b.Get(t, "/robots.txt").Must(t, http.StatusOK)
	for _, want := range []string{"\nSitemap: https://blog.example/sitemap.xml\n", "Disallow: /admin"} {
		if !strings.Contains(robots.body, want) {
			t.Errorf("/robots.txt: got %q, want %q in it", robots.body, want)
		}
	}
	robots.expectHeader(t, "Content-Type", "text/plain; charset=utf-8")
	var set struct {
		XMLName xml.Name `xml:"http://www.sitemaps.org/schemas/sitemap/0.9 urlset"`
		URLs    []struct {
			Loc     string `xml:"loc"`
			LastMod string `xml:"lastmod"`
		} `xml:"url"`
	}
	if err := xml.Unmarshal([]byte(b.Get(t, "/sitemap.xml").Must(t, http.StatusOK).body), &set); err != nil {
		t.Fatal(err)
	}
	if len(set.URLs) != 5 {
		t.Fatalf("got %d addresses, want 5: %+v", len(set.URLs), set)
	}
	for _, u := range set.URLs {
		absolute(t, u.Loc)
		parsed, err := url.Parse(u.Loc)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.Get(t, parsed.EscapedPath()).Must(t, http.StatusOK).attr(t, "link[rel=canonical]", "href"); got != u.Loc {
			t.Errorf("got the canonical address %q, want %q", got, u.Loc)
		}
		if u.LastMod != "" {
			instant(t, u.LastMod)
		}
	}
}
