package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"blog/internal/repo/repotest"
	"blog/web"
)

// MustSlow makes reading posts endless until the returned function is called.
func MustSlow(tb testing.TB, w *world) (end func()) {
	tb.Helper()
	repotest.MustExec(tb, w.path, "ALTER TABLE posts RENAME TO all_posts")
	repotest.MustExec(tb, w.path, `
		CREATE VIEW posts AS
		SELECT all_posts.*
		FROM all_posts, (WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c)`)
	return func() {
		repotest.MustExec(tb, w.path, "DROP VIEW posts")
		repotest.MustExec(tb, w.path, "ALTER TABLE all_posts RENAME TO posts")
	}
}

func TestSearchesRunInTurnAndEnd(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, func(o *web.Options) { o.SearchLimit = 300 * time.Millisecond })
	MustPublish(t, w.primary, "Words", "Some words.")
	author, stranger := MustLogin(t, w.primary), MustOpen(t, w.primary)
	stranger.Get(t, "/search?q=some").Must(t, http.StatusOK)
	end := MustSlow(t, w)
	seen := map[string]int{}
	count := func(a *answer) {
		a.Must(t, http.StatusServiceUnavailable)
		a.expectHeader(t, "Retry-After", "1")
		for _, message := range []string{"takes too long", "Many people"} {
			if strings.Contains(a.text(t, "main"), message) {
				seen[message]++
			}
		}
	}
	repotest.Eventually(t, patience, "one search runs and others are sent away", func() bool {
		answers := make([]*answer, 6)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() { answers[i] = stranger.Get(t, fmt.Sprintf("/search?q=words+OR+x%d", i)) })
		}
		all.Wait()
		for _, a := range answers {
			count(a)
		}
		return seen["takes too long"] > 0 && seen["Many people"] > 0
	})
	clear(seen)
	var others sync.WaitGroup
	others.Go(func() { stranger.Get(t, "/search?q=other") })
	count(author.Get(t, "/search?q=words")) // an author does not wait
	if seen["takes too long"] != 1 {
		t.Errorf("an author gets %v, want %q once", seen, "takes too long")
	}
	others.Wait()
	// Cached searches, and the empty form, do not wait and read nothing.
	for _, q := range []string{"some", "+some+", "%20%09some", "", "++"} {
		stranger.Get(t, "/search?q="+q).Must(t, http.StatusOK)
	}
	end()
	repotest.Eventually(t, patience, "searches go on", func() bool {
		return stranger.Get(t, "/search?q=words").status == http.StatusOK
	})
}

func TestSpacesMakeNoOtherSearch(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	MustPublish(t, w.primary, "Words", "Some words.")
	b := MustOpen(t, w.primary)
	first := b.Get(t, "/search?q=Some+words").Must(t, http.StatusOK)
	if got := b.Get(t, "/search?q=%20Some%0a++words+").header.Get("ETag"); got != first.header.Get("ETag") {
		t.Errorf("other spaces: got the ETag %s, want %s", got, first.header.Get("ETag"))
	}
	if got := first.attr(t, "main input[name=q]", "value"); got != "Some words" {
		t.Errorf("the form shows %q, want %q", got, "Some words")
	}
}
