package web_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"blog/internal/media"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// canary is a post that readers must not see, or no longer see, with words that occur nowhere else.
type canary struct {
	name string
	id   int64
	hash string // of its picture
}

// texts returns the words of the canary: in its title, text, tag, slug, description, picture,
// earlier slug and permalink.
func (c canary) texts() []string {
	var out []string
	for _, kind := range []string{"title", "text", "tag", "slug", "description", "picture", "before", "link"} {
		out = append(out, c.name+"q"+kind)
	}
	return out
}

func (c canary) text(kind string) string { return c.name + "q" + kind }

func MustPicture(tb testing.TB, n *node, shade uint8) media.Picture {
	tb.Helper()
	img := image.NewGray(image.Rect(0, 0, 3, 2))
	img.Set(1, 1, color.Gray{Y: shade})
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		tb.Fatal(err)
	}
	p, err := media.Upload(repotest.As(tb.Context(), repo.Operator), n.repo, buf.Bytes())
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// MustCanaries makes one canary of each kind. They share a word with what is public.
func MustCanaries(tb testing.TB, n *node) []canary {
	tb.Helper()
	due := start().AddDate(0, 1, 0)
	var out []canary
	for i, name := range []string{"draft", "scheduled", "unpublished", "deleted"} {
		c := canary{name: name}
		p := MustPicture(tb, n, uint8(i+1))
		c.hash = p.Hash
		create := posts.Create{
			Title: "A " + c.text("title"), Slug: c.text("before"), Description: "Its " + c.text("description"),
			Tags: []string{"common", c.text("tag")},
			Body: "Everyword and " + c.text("text") + ".\n\n![](" + media.Address(p.Hash, c.text("picture")+".png") +
				")\n\n## Heading " + c.text("text"),
			Permalinks: []string{"/" + c.text("link")}, Publish: name != "draft",
		}
		if name == "scheduled" {
			create.PublishedAt = &due
		}
		c.id = MustDo(tb, n, create).ID
		slug := c.text("slug")
		MustRevise(tb, n, c.id, func(u *posts.Update) { u.Slug = &slug })
		switch name {
		case "unpublished":
			MustDo(tb, n, posts.Unpublish{Target: posts.Target{ID: c.id}})
		case "deleted":
			MustDo(tb, n, posts.Delete{Target: posts.Target{ID: c.id}})
		}
		out = append(out, c)
	}
	return out
}

// addresses returns all addresses that a stranger could think of.
func addresses(canaries []canary) []string {
	out := []string{
		"/", "/posts", "/posts?page=2", "/posts?tag=common", "/archive", "/tags", "/tags/common", "/search", "/feed.xml",
		"/sitemap.xml", "/robots.txt",
		"/posts/public", "/posts/newer", "/posts/older", "/login", "/setup", "/admin", "/admin/posts/new", "/account",
		"/health", "/readyz",
		"/search?q=everyword", "/search?q=heading", "/search?q=every*", "/search?q=tag:common", "/search?q=title:a*",
		"/search?q=a*+OR+b*+OR+d*+OR+u*+OR+s*+OR+i*",
	}
	for _, c := range canaries {
		for _, w := range c.texts() {
			out = append(out, "/posts/"+w, "/tags/"+w, "/posts?tag="+w, "/posts?tag=common&tag="+w, "/"+w, "/search?q="+w,
				"/search?q="+w[:len(w)-2]+"*", "/search?q=everyword+OR+"+w)
		}
		out = append(out, "/media/"+c.hash+"/"+c.text("picture")+".png", "/media/"+c.hash+"/x", "/posts/"+fmt.Sprint(c.id),
			fmt.Sprintf("/admin/posts/%d/edit", c.id), fmt.Sprintf("/admin/posts/%d/delete", c.id))
	}
	return out
}

func TestNoCanaryIsHeard(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	MustDo(t, w.primary, posts.Create{Title: "Older", Body: "Everyword.", Tags: []string{"common"}, Publish: true})
	canaries := MustCanaries(t, w.primary)
	MustDo(t, w.primary, posts.Create{
		Title: "Public", Body: "Everyword.\n\n## Heading", Tags: []string{"common"}, Publish: true,
	})
	MustDo(t, w.primary, posts.Create{Title: "Newer", Body: "Everyword.", Tags: []string{"common"}, Publish: true})
	author := MustLogin(t, w.primary)
	for _, n := range []*node{w.primary, w.replica} {
		stranger := MustOpen(t, n)
		for _, path := range addresses(canaries) {
			author.On(n).Get(t, path) // an author who sees them must leave no copy for others
			a := stranger.Get(t, path, header("Accept-Encoding", "gzip"))
			hears(t, a, canaries)
		}
		if got := stranger.Get(t, "/tags").text(t, "main"); got != "Tagscommon 3 3 posts" {
			t.Errorf("the tags are %q, want %q", got, "Tagscommon 3 3 posts")
		}
		if got := stranger.Get(t, "/search?q=everyword").text(t, "main .page-note"); !strings.HasPrefix(got, "3 posts") {
			t.Errorf("the search finds %q, want %q", got, "3 posts")
		}
	}
	for _, c := range canaries[:3] {
		author.Get(t, "/media/"+c.hash+"/x").Must(t, http.StatusOK)
	}
}

// hears fails when an answer has a word of a canary that was not in the request.
func hears(tb testing.TB, a *answer, canaries []canary) {
	tb.Helper()
	asked, err := url.QueryUnescape(a.path)
	if err != nil {
		tb.Fatal(err)
	}
	var heads strings.Builder
	if err = a.header.Write(&heads); err != nil {
		tb.Fatal(err)
	}
	body := a.decoded(tb)
	if strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		// What was typed is shown again in these places, and in no others.
		a.find(tb, "link[rel=canonical], meta[property='og:url'], .site-search input").Remove()
		a.find(tb, "main[data-live-topics]").RemoveAttr("data-live-topics")
		a.find(tb, "[data-live-list]").RemoveAttr("data-live-list")
		a.find(tb, "main input[name=q]").RemoveAttr("value")
		a.find(tb, "main .page-note strong, input[name=next]").Remove()
		a.find(tb, "a[href*='tag=']").Each(func(_ int, link *goquery.Selection) { // the filter with one tag more or less
			if strings.HasPrefix(asked, "/posts?tag=") {
				link.RemoveAttr("href")
			}
		})
		if body, err = a.doc.Html(); err != nil {
			tb.Fatal(err)
		}
	}
	for _, c := range canaries {
		if strings.Contains(a.path, "?q="+c.name) {
			a.expectCount(tb, ".results li", 0)
		}
		for _, text := range c.texts() {
			if strings.Contains(strings.ToLower(body), text) {
				tb.Errorf("%s: got a body with %q, want it without: %s", a.path, text, body)
			}
			if strings.Contains(asked, text) {
				continue // the answer repeats what was asked for
			}
			if strings.Contains(strings.ToLower(heads.String()), text) {
				tb.Errorf("%s: got a header with %q, want none: %s", a.path, text, heads.String())
			}
		}
		if strings.Contains(body, c.hash) {
			tb.Errorf("%s: got %s, want it without the picture %q of the %s post", a.path, body, c.hash, c.name)
		}
	}
}
