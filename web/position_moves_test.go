package web_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// TestAWaitIsPaidOnce: a reader who has waited in vain is answered at once from then on, and told
// each time what is missing. Their position stays, so that no later answer is older without saying
// so.
func TestAWaitIsPaidOnce(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, quick)
	MustPublish(t, w.primary, "Old", "Body.")
	behind := w.MustCopy(t)
	b := MustLogin(t, w.primary)
	far := b.Cookie(t, "position")
	here := b.On(behind)
	for i := range 5 {
		a := here.Get(t, "/posts/old").Must(t, http.StatusOK)
		expectStale(t, fmt.Sprint("answer ", i), a, seqOf(far))
		a.expectCount(t, ".author-bar", 0)
		if got := a.header["Set-Cookie"]; len(got) > 0 {
			t.Fatalf("answer %d: got the cookies %q, want none", i, got)
		}
		if got := b.Cookie(t, "position"); got != far {
			t.Fatalf("answer %d: got the position %q, want %q", i, got, far)
		}
		behind.site.SetCatchUp(time.Hour) // a second wait would hang
	}
	if b.Cookie(t, "session") == "" {
		t.Error("got no session's cookie, want the one whose row was late")
	}
	// What may be on its way is reported as such each time, too.
	here.Get(t, "/posts/nothing").Must(t, http.StatusServiceUnavailable)
	b.On(w.primary).Get(t, "/admin").Must(t, http.StatusOK)
	if other := MustLogin(t, w.primary); !waits(t, behind, other.Cookie(t, "position")) {
		t.Errorf("another reader at %q: got no wait, want one for the later row", other.Cookie(t, "position"))
	}
}

// waits reports whether a node waits for a position.
func waits(t *testing.T, n *node, position string) bool {
	t.Helper()
	n.site.SetCatchUp(time.Hour)
	ctx, leave := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer leave()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/posts/old", nil)
	r.AddCookie(&http.Cookie{Name: "position", Value: position}) //nolint:gosec // a browser's own side
	out := httptest.NewRecorder()
	n.server.Config.Handler.ServeHTTP(out, r)
	return out.Header().Get("X-Stale-Read") == "" // it was still waiting when the reader left
}

// TestAWaitIsPaidAgain: a node waits again after 10 s, when a row has arrived, and in another role.
func TestAWaitIsPaidAgain(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, quick)
	MustPublish(t, w.primary, "Old", "Body.")
	behind := w.MustCopy(t)
	b := MustLogin(t, w.primary)
	far := b.Cookie(t, "position")
	for name, change := range map[string]func(){
		"10 s later": func() { w.clock.Advance(10 * time.Second) },
		"something has come": func() {
			before := behind.repo.Feed().Position()
			repotest.MustExec(t, behind.path, `
				INSERT INTO writes (key, digest, mark, name, actor, topics, result, at)
				SELECT 'come', digest, randomblob(32), name, actor, '[]', result, at FROM writes WHERE seq = 1`)
			behind.role.Notify()
			repotest.Eventually(t, patience, "it is told", func() bool { return behind.repo.Feed().Position() != before })
		},
		"another role": func() {
			term := behind.repo.Feed().Term()
			behind.role.Set(repotest.Unknown())
			repotest.Eventually(t, patience, "the feed has read", func() bool { return behind.repo.Feed().Term() != term })
		},
	} {
		behind.site.SetCatchUp(50 * time.Millisecond)
		expectStale(t, name, b.On(behind).Get(t, "/posts/old").Must(t, http.StatusOK), seqOf(far))
		if waits(t, behind, far) {
			t.Errorf("before %q: got a second wait for %q, want none", name, far)
		}
		if change(); !waits(t, behind, far) {
			t.Errorf("%s: got no wait for %q, want one", name, far)
		}
	}
}

// TestAPositionNeverGoesBack: a reader moves between nodes that are current, behind, cut off, and
// of a history that is given up. After each answer they have the position that they had, or a newer
// one of the same history, and an answer with less than they have seen says so. Only a node that
// knows that their history is given up moves them to its own.
func TestAPositionNeverGoesBack(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, quick)
	ref := MustPublish(t, w.primary, "Old", "Body.")
	nodes := []*node{w.primary, w.replica}
	b := MustLogin(t, w.primary)
	for i := range 3 {
		nodes = append(nodes, w.MustCopy(t))
		title := fmt.Sprint("Title ", i)
		MustRevise(t, w.primary, ref.ID, func(u *posts.Update) { u.Title = &title })
	}
	// A node that was primary, and wrote on in a history that is given up. Nothing has reached it
	// since.
	lost := w.MustCopy(t)
	repotest.MustExec(t, lost.path, `
		INSERT INTO writes (key, digest, mark, name, actor, topics, result, at)
		SELECT 'lost ' || seq, digest, randomblob(32), name, actor, '[]', result, at FROM writes`)
	lost.role.Notify()
	repotest.Eventually(t, patience, "it has its own rows", func() bool {
		return lost.repo.Feed().Position().Seq > w.primary.repo.Feed().Position().Seq
	})
	nodes = append(nodes, lost)
	title := "Newest"
	MustRevise(t, w.primary, ref.ID, func(u *posts.Update) { u.Title = &title })
	w.primary.site.SetCatchUp(time.Hour) // it knows
	random := rand.New(rand.NewPCG(3, 4))
	newest := b.Cookie(t, "position")
	for range 60 {
		n := nodes[random.IntN(len(nodes))]
		a := b.On(n).Get(t, []string{"/posts/old", "/", "/posts", "/posts/old/", "/search?q=x"}[random.IntN(5)])
		now := b.Cookie(t, "position")
		had, moved := mustHave(t, n, newest), now != newest
		said := a.header.Get("X-Stale-Read") != ""
		switch {
		case had:
			if said {
				t.Fatalf("a node that has %.12s: it says that row is missing, want no word of it", newest)
			}
			if got, least := mustSeq(t, now), mustSeq(t, newest); got < least {
				t.Fatalf("a node that has %.12s: got the position %.12s, want no earlier one", newest, now)
			}
		case n.role != nil:
			if moved {
				t.Fatalf("a node without %.12s that cannot know: got the position %.12s, want it as it was", newest, now)
			}
			if !said {
				t.Fatalf("a node without %.12s that cannot know: got no word that it is missing, want one", newest)
			}
		case moved == said:
			t.Fatalf("a node without %.12s: got the position %.12s, missing is said: %t, want either", newest, now, said)
		}
		newest = now
		if random.IntN(2) == 0 {
			MustRevise(t, w.primary, ref.ID, func(u *posts.Update) { u.Title = &title })
		}
	}
}

func mustSeq(t *testing.T, position string) int64 {
	t.Helper()
	seq, err := strconv.ParseInt(seqOf(position), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// mustHave reports whether a node's copy has the row of a position.
func mustHave(t *testing.T, n *node, position string) bool {
	t.Helper()
	value, _, _ := strings.Cut(position, ".")
	c, err := repo.ParseCursor(value)
	if err != nil {
		t.Fatal(err)
	}
	var place repo.Place
	err = n.repo.View(t.Context(), func(rd repo.Reader) error {
		place, err = repo.Locate(t.Context(), rd, c)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return place == repo.Here
}

// TestAWriteComesBackFromAGivenUpPosition: a reader who has seen rows that are given up is told
// that they are missing, until a write of their own shows that the history goes on without them.
func TestAWriteComesBackFromAGivenUpPosition(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, quick)
	b := MustLogin(t, w.primary)
	at := w.primary.repo.Feed().Position()
	at.Seq += 100
	gone := w.replica.site.Sign(at)
	b.SetCookie(t, "position", gone)
	here := b.On(w.replica)
	expectStale(t, "a replica cannot know", here.Get(t, "/posts").Must(t, http.StatusOK), strconv.FormatInt(at.Seq, 10))
	here.Post(t, "/admin/posts", editor()).Must(t, http.StatusSeeOther)
	now := w.primary.repo.Feed().Position()
	if got := mustSeq(t, b.Cookie(t, "position")); got != now.Seq {
		t.Errorf("after a write the position is %d, want %d", got, now.Seq)
	}
	expectStale(t, "after a write", here.Get(t, "/posts").Must(t, http.StatusOK), "")
	// The primary knows without a write.
	b.SetCookie(t, "position", gone)
	w.primary.site.SetCatchUp(time.Hour)
	expectStale(t, "the primary", b.On(w.primary).Get(t, "/posts").Must(t, http.StatusOK), "")
	if got := mustSeq(t, b.Cookie(t, "position")); got != now.Seq {
		t.Errorf("after the primary's answer the position is %d, want %d", got, now.Seq)
	}
}

// TestAnOlderAnswerThatEndsLast: a page that was asked for before a write, in another tab or
// region, ends after it. The browser's next request still says what it has written.
func TestAnOlderAnswerThatEndsLast(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, quick)
	ref := MustPublish(t, w.primary, "Old", "Body.")
	b := MustLogin(t, w.primary)
	before := b.Cookie(t, "position")
	title := "Of somebody else"
	MustRevise(t, w.primary, ref.ID, func(u *posts.Update) { u.Title = &title })
	middle := w.MustCopy(t)
	other := MustOpen(t, middle) // its cookies are those of the first request
	other.SetCookie(t, "position", before)
	other.Get(t, "/posts/old").Must(t, http.StatusOK)
	older := other.Cookie(t, "position")
	b.Post(t, "/admin/posts", editor()).Must(t, http.StatusSeeOther)
	position := b.Cookie(t, "position")
	if mustSeq(t, before) >= mustSeq(t, older) {
		t.Fatalf("got the position %.12s, want one after %.12s", older, before)
	}
	if mustSeq(t, older) >= mustSeq(t, position) {
		t.Fatalf("got the position %.12s, want one after %.12s", position, older)
	}
	b.SetCookie(t, "position", older) // the first request's answer ends
	expectStale(t, "where the write is not", b.On(middle).Get(t, "/posts/old").Must(t, http.StatusOK), seqOf(position))
	expectStale(t, "where it is", b.On(w.replica).Get(t, "/posts/old").Must(t, http.StatusOK), "")
}

// TestAGivenUpWriteIsForgotten: a write that is given up is removed from both cookies.
func TestAGivenUpWriteIsForgotten(t *testing.T) {
	t.Parallel()
	w, other := MustWorld(t, long), MustWorld(t, long)
	MustLogin(t, w.primary)
	b := MustLogin(t, other.primary) // the same seq with another mark
	here := b.On(w.primary)
	here.Get(t, "/").Must(t, http.StatusOK)
	for _, name := range []string{"position", "written"} {
		value, _, _ := strings.Cut(b.Cookie(t, name), ".")
		if want := w.primary.repo.Feed().Position().String(); value != want {
			t.Errorf("%s: got %.12s, want %.12s", name, value, want)
		}
	}
	here.Get(t, "/").Must(t, http.StatusOK).expectNoCookie(t) // they are not set again
}
