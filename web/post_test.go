package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"blog/internal/media"
	"blog/internal/posts"
)

func TestAddressesOfAPost(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	MustDo(t, w.primary, posts.Create{
		Title: "Straße & Café 日本", Slug: "straße-café_日本.1", Body: "Body.", Publish: true,
		Permalinks: []string{"/2019/Über/uns", "/about", "/a/b/c"},
	})
	to := "/posts/stra%C3%9Fe-caf%C3%A9_%E6%97%A5%E6%9C%AC.1"
	for _, n := range []*node{w.primary, w.replica} {
		b := MustOpen(t, n)
		for _, path := range []string{
			to, strings.ToLower(to), "/posts/straße-café_日本.1", "/posts/%73tra%C3%9Fe%2Dcaf%C3%A9%5F%E6%97%A5%E6%9C%AC%2E1",
		} {
			if got := b.Get(t, path).Must(t, http.StatusOK).attr(t, "article", "data-slug"); got != "straße-café_日本.1" {
				t.Errorf("%s shows %q, want %q", path, got, "straße-café_日本.1")
			}
		}
		for _, path := range []string{
			"/2019/%C3%9Cber/uns", "/about", "/about/", "/a/b/c", "/a/b/c/", "/a%2Fb%2Fc", "/%61bout",
			"/posts/Straße-Café_日本.1", "/posts/stra%C3%9Fe-cafe%CC%81_%E6%97%A5%E6%9C%AC.1",
		} {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				a := b.Do(t, method, path, nil).Must(t, http.StatusMovedPermanently)
				a.MustRedirect(t, to)
				a.expectHeader(t, "Cache-Control", "max-age=3600")
				if got := a.header.Get("Vary"); !strings.Contains(got, "Cookie") {
					t.Errorf("%s: got Vary %q, want Cookie in it", path, got)
				}
			}
		}
		for from, to := range map[string]string{
			"/posts/": "/posts", "/tags/": "/tags", "/search/?q=a%26b": "/search?q=a%26b", "/posts/any/": "/posts/any",
			"/posts//": "/posts",
		} {
			b.Get(t, from).Must(t, http.StatusMovedPermanently).MustRedirect(t, to)
		}
		for _, path := range []string{
			"/posts/a%2Fb", "/posts/%FF", "/posts/%00", "/%FF", "/about/more", "/a", "/a/b", "//about", "/posts/../about",
			"/posts/%2e%2e/about", "/..%2fabout", "//evil.example/", "/%5Cevil.example/", "/posts/" + strings.Repeat("a", 5000),
			"/" + strings.Repeat("a/", 2000),
		} {
			a := b.Get(t, path)
			if a.status == http.StatusNotFound {
				continue
			}
			if got, want := a.header.Get("Location"), []string{"/about", to}; !slices.Contains(want, got) {
				t.Errorf("%.80s: got status %d to %q, want %d or a way to one of %q", path, a.status, got,
					http.StatusNotFound, want)
			}
		}
	}
}

func TestOldSlugs(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	rename := func(id int64, slug string) {
		MustRevise(t, w.primary, id, func(u *posts.Update) { u.Slug = &slug })
	}
	ref := MustPublish(t, w.primary, "One", "Body.")
	b := MustOpen(t, w.replica)
	rename(ref.ID, "two")
	rename(ref.ID, "three")
	for _, old := range []string{"/posts/one", "/posts/two", "/posts/Two"} {
		a := b.Get(t, old).Must(t, http.StatusMovedPermanently)
		a.MustRedirect(t, "/posts/three")
		a.expectHeader(t, "Cache-Control", "max-age=3600")
		a.expectHeader(t, "ETag", "")
	}
	other := MustDo(t, w.primary, posts.Create{Title: "Two", Slug: "two", Publish: true}) // an existing slug first
	if got := b.Get(t, "/posts/two").Must(t, http.StatusOK).text(t, "article h1"); got != "Two" {
		t.Errorf("got the post %q, want %q: an existing slug comes first", got, "Two")
	}
	MustDo(t, w.primary, posts.Unpublish{Target: posts.Target{ID: other.ID}})
	b.Get(t, "/posts/two").MustRedirect(t, "/posts/three")
	MustDo(t, w.primary, posts.Unpublish{Target: posts.Target{ID: ref.ID}})
	for _, old := range []string{"/posts/one", "/posts/two", "/posts/three"} {
		b.Get(t, old).Must(t, http.StatusNotFound)
	}
}

// TestWhatIsNotPublishedIsLikeWhatNeverWas: for readers, a post that they may not see does not
// differ from one that never existed.
func TestWhatIsNotPublishedIsLikeWhatNeverWas(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, shared("http://blog.example"))
	due := start().AddDate(1, 0, 0)
	pic := MustPicture(t, w.primary, 9)
	picture := media.Address(pic.Hash, "x.png")
	MustDo(t, w.primary, posts.Create{
		Title: "Draft", Body: "![](" + picture + ")", Tags: []string{"hidden"}, Permalinks: []string{"/draft-link"},
	})
	MustDo(t, w.primary, posts.Create{
		Title: "Scheduled", Body: "Body.", Publish: true, PublishedAt: &due, Permalinks: []string{"/scheduled-link"},
	})
	for _, title := range []string{"Unpublished", "Deleted"} {
		ref := MustDo(t, w.primary, posts.Create{
			Title: title, Body: "Body.", Publish: true, Permalinks: []string{"/" + strings.ToLower(title) + "-link"},
		})
		slug := strings.ToLower(title) + "-now"
		MustRevise(t, w.primary, ref.ID, func(u *posts.Update) { u.Slug = &slug })
		target := posts.Target{ID: ref.ID}
		if title == "Deleted" {
			MustDo(t, w.primary, posts.Delete{Target: target})
		} else {
			MustDo(t, w.primary, posts.Unpublish{Target: target})
		}
	}
	for _, n := range []*node{w.primary, w.replica} {
		b := MustOpen(t, n)
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			for never, paths := range map[string][]string{
				"/posts/never": {
					"/posts/draft", "/posts/DRAFT", "/posts/scheduled", "/posts/unpublished", "/posts/unpublished-now",
					"/posts/deleted", "/posts/deleted-now",
				},
				"/never":      {"/draft-link", "/scheduled-link", "/unpublished-link", "/deleted-link"},
				"/tags/never": {"/tags/hidden"},
				"/media/" + strings.Repeat("0", 64) + "/x.png": {picture, "/media/" + pic.Hash + "/y"},
			} {
				want := b.Do(t, method, never, nil, header("X-Request-Id", "same")).Must(t, http.StatusNotFound)
				want.header.Del("Date")
				for _, path := range paths {
					got := b.Do(t, method, path, nil, header("X-Request-Id", "same")).Must(t, http.StatusNotFound)
					got.header.Del("Date")
					if diff := cmp.Diff(want.body, got.body); diff != "" {
						t.Errorf("%s %s: body (-want that of what never was, +got):\n%s", method, path, diff)
					}
					if !sameHeader(got.header, want.header) {
						t.Errorf("%s %s: got the headers %v, want those of what never was: %v", method, path, got.header,
							want.header)
					}
				}
			}
		}
		for _, path := range []string{"/posts/draft/", "/posts/never/"} {
			b.Get(t, path).MustRedirect(t, strings.TrimSuffix(path, "/"))
		}
	}
	seesWhatIsNotPublished(t, MustLogin(t, w.primary))
}

// seesWhatIsNotPublished: an author sees these posts, on pages that nobody else may store.
func seesWhatIsNotPublished(t *testing.T, author *browser) {
	t.Helper()
	for _, path := range []string{"/posts/draft", "/posts/scheduled", "/posts/unpublished-now"} {
		a := author.Get(t, path).Must(t, http.StatusOK)
		a.expectAttr(t, "meta[name=robots]", "content", "noindex")
		a.expectCount(t, "[data-live-topics]", 0)
		a.expectHeader(t, "Cache-Control", "private, no-cache")
	}
	author.Get(t, "/posts/scheduled").expectText(t, ".badge", "Scheduled for 24 May 2027, 08:30 (UTC)")
}

func sameHeader(a, b http.Header) bool {
	if len(a) != len(b) {
		return false
	}
	for name, values := range a {
		if strings.Join(values, "\n") != strings.Join(b[name], "\n") {
			return false
		}
	}
	return true
}
