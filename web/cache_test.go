package web_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
	"blog/web"
)

// shared gives all nodes one public address, as in a real cluster.
func shared(address string) func(*web.Options) {
	return func(o *web.Options) {
		u, err := url.Parse(address)
		if err != nil {
			panic(err)
		}
		o.Config.PublicURL = u
	}
}

func TestTagsOfPages(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, shared("https://blog.example"))
	MustPublish(t, w.primary, "First words", strings.Repeat("A long line of words. ", 100), "go")
	for i := range 5 { // enough to be worth compressing
		MustPublish(t, w.primary, fmt.Sprintf("More words %d", i), "Some.", "more")
	}
	a, b := MustOpen(t, w.primary), MustOpen(t, w.replica)
	for _, path := range []string{
		"/", "/posts", "/posts/first-words", "/archive", "/tags", "/tags/go", "/search?q=line", "/feed.xml", "/sitemap.xml",
	} {
		seen := map[string]string{}
		for _, encoding := range []string{"", "gzip", "br"} {
			accept := header("Accept-Encoding", encoding)
			one, two := a.Get(t, path, accept).Must(t, http.StatusOK), b.Get(t, path, accept).Must(t, http.StatusOK)
			sum := sha256.Sum256([]byte(one.body))
			etag := `"` + hex.EncodeToString(sum[:16]) + `"`
			one.expectHeader(t, "ETag", etag)
			two.expectHeader(t, "ETag", etag)
			one.expectHeader(t, "Content-Encoding", encoding)
			one.expectHeader(t, "Content-Length", fmt.Sprint(len(one.body)))
			one.expectHeader(t, "Cache-Control", "public, no-cache")
			one.expectHeader(t, "Vary", "Cookie, Accept-Encoding")
			if other, ok := seen[etag]; ok {
				t.Errorf("%s: got the ETag %s for %q and %q, want one for each", path, etag, other, encoding)
			}
			seen[etag] = encoding
			again := b.Get(t, path, accept, header("If-None-Match", `W/"x", `+etag)).Must(t, http.StatusNotModified)
			if again.body != "" {
				t.Errorf("%s in %q: a 304 with the body %.300q, want none", path, encoding, again.body)
			}
			again.expectHeader(t, "ETag", etag)
			for _, name := range []string{"Vary", "Cache-Control"} {
				if again.header.Get(name) == "" {
					t.Errorf("%s in %q: a 304 with %v, want %s among them", path, encoding, again.header, name)
				}
			}
			if got := a.Get(t, path, accept, header("If-None-Match", `"other"`)).status; got != http.StatusOK {
				t.Errorf("%s in %q, of another ETag: got status %d, want %d", path, encoding, got, http.StatusOK)
			}
			if encoding == "" {
				continue
			}
			if diff := cmp.Diff(a.Get(t, path).body, one.decoded(t)); diff != "" {
				t.Errorf("%s in %s (-want what it is without, +got):\n%s", path, encoding, diff)
			}
		}
	}
}

func TestEncodingsAreChosenAsAsked(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	b := MustOpen(t, w.primary)
	for accept, want := range map[string]string{
		"gzip, deflate, br, zstd": "br", "gzip": "gzip", "gzip, br;q=0": "gzip", "br;q=0, *": "gzip", "*": "br", "*;q=0": "",
		"gzip;q=1.0, br;q=0.5": "gzip", "identity": "", "": "", "br;q=0, gzip;q=0": "", "BR": "br", "gzip ; q=0.001": "gzip",
		"br;q=x": "", ",;,": "",
	} {
		if got := b.Get(t, "/", header("Accept-Encoding", accept)).header.Get("Content-Encoding"); got != want {
			t.Errorf("%q gives %q, want %q", accept, got, want)
		}
	}
}

func TestAPageIsNewAtOnce(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	ref := MustPublish(t, w.primary, "Title 0", "Body.", "go")
	MustPublish(t, w.primary, "Quiet", "Body.", "quiet")
	slug := MustLoad(t, w.primary, ref.ID).Slug
	a := MustOpen(t, w.primary)
	unaffected := a.Get(t, "/tags/quiet").header.Get("Etag")
	for i := 1; i <= 200; i++ {
		title := fmt.Sprintf("Title %d", i)
		MustRevise(t, w.primary, ref.ID, func(u *posts.Update) { u.Title = &title })
		for _, path := range []string{
			"/", "/posts", "/posts?tag=go", "/posts/" + slug, "/archive", "/tags/go", "/search?q=title", "/feed.xml",
		} {
			if i%20 != 0 && path != "/posts" {
				continue
			}
			got := a.Get(t, path).Must(t, http.StatusOK)
			unmarked := strings.NewReplacer("<mark>", "", "</mark>", "").Replace(got.body)
			if !strings.Contains(unmarked, title) {
				t.Fatalf("%s after write %d: got %s, want %q in it", path, i, unmarked, title)
			}
		}
	}
	a.Get(t, "/tags/quiet").expectHeader(t, "Etag", unaffected) // no write touched it
}

// TestAPageIsNewAtOnceWhereItWasWritten: a replica answers a write when its own copy has it, and
// its pages are new then.
func TestAPageIsNewAtOnceWhereItWasWritten(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	ref := MustPublish(t, w.primary, "Title 0", "Body.")
	b := MustOpen(t, w.replica)
	for i := 1; i <= 200; i++ {
		title := fmt.Sprintf("Title %d", i)
		MustRevise(t, w.replica, ref.ID, func(u *posts.Update) { u.Title = &title })
		if got := b.Get(t, "/posts").body; !strings.Contains(got, title) {
			t.Fatalf("the list after write %d: got %s, want %q in it", i, got, title)
		}
	}
}

func TestPagesAreCachedUntilAWriteTouchesThem(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	loud := MustPublish(t, w.primary, "Loud", "Body.", "loud")
	MustPublish(t, w.primary, "Quiet", "Body.", "quiet")
	b := MustOpen(t, w.primary)
	b.Get(t, "/tags/quiet")
	// The change is no write, so nobody can know about it, and only a page that is not cached shows
	// it.
	repotest.MustExec(t, w.path, "UPDATE posts SET title = 'Changed in silence' WHERE title = 'Quiet'")
	shows := func(who *browser) string { return who.Get(t, "/tags/quiet").text(t, ".card-title") }
	MustRevise(t, w.primary, loud.ID, func(u *posts.Update) { title := "Louder"; u.Title = &title })
	if got := shows(b); got != "Quiet" {
		t.Errorf("rendered again though nothing touched it: got %q, want %q", got, "Quiet")
	}
	author := MustLogin(t, w.primary) // which is a write too
	if got := shows(author); got != "Changed in silence" {
		t.Errorf("an author gets a page that is kept: got %q, want %q", got, "Changed in silence")
	}
	if got := shows(b); got != "Quiet" {
		t.Errorf("rendered again though nothing touched it: got %q, want %q", got, "Quiet")
	}
	both := []string{"quiet", "loud"}
	MustRevise(t, w.primary, loud.ID, func(u *posts.Update) { u.Tags = &both })
	if got := shows(b); !strings.Contains(got, "Louder") {
		t.Errorf("rendered again: got %q, want %q in it", got, "Louder")
	}
}

func TestARewrittenHistoryDropsEveryPage(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	MustPublish(t, w.primary, "Quiet", "Body.", "quiet")
	b := MustOpen(t, w.primary)
	b.Get(t, "/tags/quiet")
	repotest.MustExec(t, w.path, "UPDATE posts SET title = 'Of another history'")
	mark := make([]byte, 32)
	_, _ = rand.Read(mark)
	repotest.MustExec(t, w.path, "UPDATE writes SET mark = ? WHERE seq = (SELECT MAX(seq) FROM writes)", mark)
	w.role.Notify()
	repotest.Eventually(t, patience, "the page of the other history", func() bool {
		return strings.Contains(b.Get(t, "/tags/quiet").body, "Of another history")
	})
}

// TestEmptyListsAreNotCached: anybody can invent tags, so lists without a post are not cached.
func TestEmptyListsAreNotCached(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	MustPublish(t, w.primary, "Title", "Body.", "go")
	b := MustOpen(t, w.primary)
	for _, path := range []string{"/posts?tag=none", "/posts?tag=go"} {
		b.Get(t, path).Must(t, http.StatusOK)
	}
	// The change is no write, so nobody can know about it, and only a page that is not cached shows
	// it.
	repotest.MustExec(t, w.path, "UPDATE tags SET label = 'none' WHERE label = 'go'")
	for _, path := range []string{"/posts?tag=none", "/posts?tag=go"} {
		if n := b.Get(t, path).find(t, "main li[id^=post-]").Length(); n != 1 {
			t.Errorf("%s: got %d posts, want 1: an empty list is kept, or another is not", path, n)
		}
	}
}

// TestNoPageIsAheadOfTheCachedOnes: the database of a node has a post before its feed has delivered
// it. A reader who has seen the post must not get a cached list without it afterwards.
func TestNoPageIsAheadOfTheCachedOnes(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, long)
	MustPublish(t, w.primary, "First", "Body.")
	role := repotest.NewNode(repotest.Unknown()) // a role of its own: the test decides when this node hears of a change
	n := w.MustNode(t, w.path, role, true)
	b := MustOpen(t, n)
	b.Get(t, "/posts").Must(t, http.StatusOK) // cached from now on
	MustPublish(t, w.primary, "Second", "Body.")
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		MustOpen(t, n).Get(t, "/posts/second").Must(t, http.StatusOK)
	}()
	// On a slow machine this can only miss a fault, and never invent one.
	select {
	case <-shown:
		t.Error("got a post shown, want none of which the caches have not been told")
	case <-time.After(100 * time.Millisecond):
	}
	role.Notify()
	<-shown
	if got := b.Get(t, "/posts").Must(t, http.StatusOK).body; !strings.Contains(got, "Second") {
		t.Errorf("the list is older than the post: got %s, want %q in it", got, "Second")
	}
}

// TestAPageOfARowThatIsGivenUp: a page with a row that is given up, before the caches have heard of
// it, is not cached. They will hear of another row in its place, which need not touch the page.
func TestAPageOfARowThatIsGivenUp(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, quick)
	ref := MustPublish(t, w.primary, "Title", "Body.")
	role := repotest.NewNode(repotest.Unknown()) // a role of its own: the test decides when this node hears of a change
	n := w.MustNode(t, w.path, role, true)
	b := MustOpen(t, n)
	title := "Given up"
	MustRevise(t, w.primary, ref.ID, func(u *posts.Update) { u.Title = &title })
	seq := w.primary.repo.Feed().Position().Seq
	if got := b.Get(t, "/posts/title").Must(t, http.StatusOK).body; !strings.Contains(got, title) {
		t.Fatalf("got the page %s, want %q in it", got, title)
	}
	var mark repo.Mark
	_, _ = rand.Read(mark[:])
	repotest.MustExec(t, w.path, "UPDATE posts SET title = 'Title'")
	// The change touches nothing.
	repotest.MustExec(t, w.path, "UPDATE topics SET seq = seq - 1 WHERE seq = (SELECT MAX(seq) FROM writes)")
	repotest.MustExec(t, w.path, "UPDATE writes SET mark = ?, topics = '[]' WHERE seq = (SELECT MAX(seq) FROM writes)",
		mark[:])
	role.Notify()
	// The mark decides: the feed, which also reads now and then by itself, may have overtaken a
	// slow test.
	other := repo.Cursor{Seq: seq, Mark: mark}
	repotest.Eventually(t, patience, "the node is told", func() bool { return n.repo.Feed().Position() == other })
	b.Get(t, "/posts/title").Must(t, http.StatusOK).expectWithout(t, title) // it was given up
}
