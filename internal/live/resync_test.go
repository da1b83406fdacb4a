package live_test

import (
	"fmt"
	"testing"
	"time"

	"blog/internal/live"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// never is longer than any test: a resync that is held back stays so.
const never = time.Hour

func resyncEvery(d time.Duration) change {
	return change{options: func(o *live.Options) { o.ResyncEvery = d }}
}

func MustResync(tb testing.TB, c *client, at repo.Cursor) {
	tb.Helper()
	c.MustBe(tb, frame{Type: "resync", Seq: at.Seq, Cursor: at.String()})
}

func MustChange(tb testing.TB, c *client, at repo.Cursor) {
	tb.Helper()
	c.MustBe(tb, frame{Type: "change", Topic: "posts", ID: "post-1", Seq: at.Seq, Cursor: at.String()})
}

func TestABurstIsOneResync(t *testing.T) {
	s := MustSite(t, resyncEvery(never))
	c := MustFollow(t, s, "posts", MustDo(t, s, post(1, "a", "A")).String())
	MustResync(t, c, MustDo(t, s, many{100}))
	for i := range 3 {
		MustDo(t, s, many{100})
		MustDo(t, s, post(1, "a", fmt.Sprint(i)))
	}
	late := MustFollow(t, s, "posts", "") // it has had no resync
	at := MustDo(t, s, many{100})
	MustResync(t, late, at)
	s.hub.SendDueResyncs(time.Now().Add(never / 2)) // too early
	if n := s.hub.PendingResyncs(); n != 1 {
		t.Errorf("resyncs are held back for %d sockets, want 1", n)
	}
	s.hub.SendDueResyncs(time.Now().Add(never))
	MustResync(t, c, at)
	s.hub.SendDueResyncs(time.Now().Add(3 * never)) // nothing is left
	at = MustDo(t, s, post(1, "a", "B"))
	MustChange(t, c, at)
	MustChange(t, late, at)
}

// TestMissedChangesCountAsAResync: a page that has just been told to fetch itself is not
// told again.
func TestMissedChangesCountAsAResync(t *testing.T) {
	s := MustSite(t, resyncEvery(never))
	MustDo(t, s, post(1, "a", "A"))
	c := MustFollow(t, s, "posts", "not a cursor")
	c.MustBe(t, frame{Type: "resync"})
	at := MustDo(t, s, many{100})
	repotest.Eventually(t, patience, "it is held back", func() bool { return s.hub.PendingResyncs() == 1 })
	s.hub.SendDueResyncs(time.Now().Add(never))
	MustResync(t, c, at)
}

func TestAResyncThatIsHeldBackComesAtItsTime(t *testing.T) {
	s := MustSite(t, resyncEvery(500*time.Millisecond))
	c := MustFollow(t, s, "posts", MustDo(t, s, post(1, "a", "A")).String())
	MustResync(t, c, MustDo(t, s, many{100}))
	MustResync(t, c, MustDo(t, s, many{100}))
	MustChange(t, c, MustDo(t, s, post(1, "a", "B")))
	repotest.Eventually(t, patience, "nothing is held back", func() bool { return s.hub.PendingResyncs() == 0 })
}

func TestARewrittenHistoryIsSentAtOnce(t *testing.T) {
	s := MustSite(t, resyncEvery(never))
	c := MustFollow(t, s, "posts", MustDo(t, s, post(1, "a", "A")).String())
	MustResync(t, c, MustDo(t, s, many{100}))
	MustDo(t, s, many{100})
	last := MustDo(t, s, post(1, "a", "B"))
	mark := repo.Mark{7}
	now := repo.Cursor{Seq: last.Seq - 2, Mark: mark}
	rewrite(t, s, fmt.Sprintf("BEGIN; DELETE FROM writes WHERE seq > %d; UPDATE sqlite_sequence SET seq = %[1]d; "+
		"UPDATE writes SET mark = X'%x'; UPDATE topics SET seq = %[1]d, mark = X'%[2]x'; COMMIT", now.Seq, mark))
	MustResync(t, c, now)
	s.hub.SendDueResyncs(time.Now().Add(3 * never)) // what was held back is void
	MustChange(t, c, MustDo(t, s, post(1, "a", "C")))
}

// TestAResyncDuringARendering: of a row that is being rendered for others when a resync
// is sent, which covers it, the socket gets no frame afterwards.
func TestAResyncDuringARendering(t *testing.T) {
	s := MustSite(t, resyncEvery(never))
	start := MustDo(t, s, post(1, "a", "A"))
	c, d := MustFollow(t, s, "posts", start.String()), MustFollow(t, s, "posts,tag:d", start.String())
	at := MustDo(t, s, many{100})
	MustResync(t, c, at)
	MustResync(t, d, at)
	MustDo(t, s, many{100})
	other := MustFollow(t, s, "posts", "")
	reached, pass := make(chan struct{}), make(chan struct{})
	hold := func() error {
		reached <- struct{}{}
		<-pass
		return nil
	}
	s.render.faulty.Store(&hold)
	written := make(chan repo.Cursor)
	go func() { written <- MustDo(t, s, post(1, "a", "B")) }()
	<-reached
	s.render.faulty.Store(nil)
	s.hub.SendDueResyncs(time.Now().Add(never))
	pass <- struct{}{}
	at = <-written
	MustResync(t, c, at)
	MustResync(t, d, at)
	MustChange(t, other, at)
	at = MustDo(t, s, post(1, "a", "C"))
	for _, who := range []*client{c, d, other} {
		MustChange(t, who, at)
	}
}

// TestAHelloWhileAResyncIsHeldBack has the cursor of the last frame: the page lacks what the resync is for.
func TestAHelloWhileAResyncIsHeldBack(t *testing.T) {
	s := MustSite(t, resyncEvery(never))
	c := MustFollow(t, s, "posts", MustDo(t, s, post(1, "a", "A")).String())
	last := MustDo(t, s, many{100})
	MustResync(t, c, last)
	MustDo(t, s, many{100})
	s.hub.PingAll(time.Now().Add(never))
	c.MustBe(t, frame{Type: "hello", Seq: last.Seq, Cursor: last.String()})
}

func TestASocketThatLeavesIsOwedNothing(t *testing.T) {
	s := MustSite(t, resyncEvery(never))
	c := MustFollow(t, s, "posts", MustDo(t, s, post(1, "a", "A")).String())
	MustResync(t, c, MustDo(t, s, many{100}))
	MustDo(t, s, many{100})
	if n := s.hub.PendingResyncs(); n != 1 {
		t.Errorf("resyncs are held back for %d sockets, want 1", n)
	}
	if err := c.conn.CloseNow(); err != nil {
		t.Fatal(err)
	}
	repotest.Eventually(t, patience, "it has left", func() bool { return s.hub.Stats().Sockets == 0 })
	s.hub.SendDueResyncs(time.Now())
	if n := s.hub.PendingResyncs(); n != 0 {
		t.Errorf("resyncs are held back for %d sockets that have left, want 0", n)
	}
}
