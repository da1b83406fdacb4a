package repo_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
	"blog/internal/transport"
)

// within returns the operator's context with a deadline of d.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(operator(), d)
	t.Cleanup(cancel)
	return ctx
}

// cutting has h execute calls, and cuts the connection instead of answering
// as long as cut is set.
func cutting(t *testing.T, h http.Handler, cut func(n int64) bool) *httptest.Server {
	t.Helper()
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !cut(n.Add(1)) {
			h.ServeHTTP(w, req)
			return
		}
		h.ServeHTTP(httptest.NewRecorder(), req)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Errorf("hijack: got %v, want no error", err)
			return
		}
		_ = conn.Close()
	}))
	t.Cleanup(s.Close)
	return s
}

func refusing(t *testing.T, err error) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		transport.WriteError(w, err)
	}))
	t.Cleanup(s.Close)
	return s
}

func TestRefusalThatNamesThePrimaryIsFollowedOnce(t *testing.T) {
	c := MustCluster(t)
	// The third node sends to the replica as if it were the primary; the replica refuses.
	wrong := httptest.NewServer(repo.NewHandler(c.replica, repotest.Secret, c.log.JSON()))
	t.Cleanup(wrong.Close)
	o := options(t, c.path, c.node.Beside(repotest.Replica(wrong.URL)))
	o.LiteFS = true
	third := repotest.MustOpen(t, o)
	if _, err := repo.Write(operator(), third, put{Item: "a"}); err != nil {
		t.Errorf("the address in a refusal: got %v, want it followed", err)
	}
	// A forwarded call is not forwarded again.
	tr := transport.NewClient(repotest.Secret)
	defer tr.Close()
	call := &repo.Call{Name: "items.put", Key: "k", Actor: repo.Actor{Name: repo.Operator},
		Body: []byte(`{"item":"b"}`), Deadline: time.Now().Add(time.Minute)}
	err := repo.Send(t.Context(), tr, wrong.URL, repo.PathSuper, call)
	e := expectReason(t, "to the replica", err, apperr.Unavailable, apperr.WrongPrimary)
	if e.Primary != c.server.URL {
		t.Errorf("the replica names the primary %q, want %q", e.Primary, c.server.URL)
	}
}

func TestNoPrimary(t *testing.T) {
	c := MustCluster(t)
	c.node.Set(repotest.Unknown())
	_, receipt, err := repo.Do(within(t, 100*time.Millisecond), c.replica, put{Item: "a"})
	if e := expectReason(t, "no primary", err, apperr.Unavailable, apperr.NoPrimary); e.RetryAfter < 1 {
		t.Errorf("no primary: got RetryAfter %d, want at least 1 s", e.RetryAfter)
	}
	if receipt.Key == "" {
		t.Errorf("no primary: got %+v, want a key", receipt)
	}
	done := make(chan error, 1)
	go func() {
		_, err := repo.Write(within(t, 20*time.Second), c.replica, put{Item: "b"})
		done <- err
	}()
	c.node.Set(repotest.Replica("http://127.0.0.1:1")) // nobody there either
	c.node.Set(repotest.Unknown())
	c.node.Set(repotest.Replica(c.server.URL))
	if err := <-done; err != nil {
		t.Errorf("when a primary appears: got %v, want no error", err)
	}
	if n := MustCount(t, c.primary, "SELECT COUNT(*) FROM writes"); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

func TestLostAnswerIsAskedForAgain(t *testing.T) {
	c := MustCluster(t)
	s := cutting(t, c.server.Config.Handler, func(n int64) bool { return n <= 2 })
	c.node.Set(repotest.Replica(s.URL))
	_, receipt, err := repo.Do(within(t, 20*time.Second), c.replica, put{Item: "a"})
	expectReplayed(t, "the third answer", receipt, err, true)
	if receipt.Seq != 1 {
		t.Errorf("got Seq %d, want 1", receipt.Seq)
	}
	if n := MustCount(t, c.primary, "SELECT COUNT(*) FROM writes"); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

func TestOutcomeUnknown(t *testing.T) {
	c := MustCluster(t)
	good := c.server.Config.Handler
	for name, then := range map[string]http.Handler{
		"cut for ever": good,
		"then expired": refusing(t,
			&apperr.Error{Code: apperr.Unavailable, Reason: apperr.Expired, Message: "late"}).Config.Handler,
		"then other release": refusing(t,
			&apperr.Error{Code: apperr.Unavailable, Reason: apperr.UnknownCommand, Message: "what?"}).Config.Handler,
		"then internal": refusing(t, http.ErrBodyNotAllowed).Config.Handler,
		"then no JSON":  http.NotFoundHandler(),
	} {
		t.Run(name, func(t *testing.T) {
			var once atomic.Bool
			cut := cutting(t, good, func(int64) bool { return !once.Swap(true) || name == "cut for ever" })
			both := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if once.Load() && name != "cut for ever" {
					then.ServeHTTP(w, req)
					return
				}
				cut.Config.Handler.ServeHTTP(w, req)
			}))
			t.Cleanup(both.Close)
			c.node.Set(repotest.Replica(both.URL))
			cmd := put{Item: name}
			_, receipt, err := repo.Do(within(t, time.Second), c.replica, cmd)
			e := expectUnknown(t, "no answer", receipt, err)
			if e.RetryAfter < 1 {
				t.Errorf("no answer: got RetryAfter %d, want at least 1 s", e.RetryAfter)
			}
			c.node.Set(repotest.Replica(c.server.URL))
			_, receipt, err = repo.Do(operator(), c.replica, cmd, repo.WithKey(e.Key))
			expectReplayed(t, "asked again", receipt, err, true)
		})
	}
}

func TestFrozenPrimaryIsLeftWhenTheRoleChanges(t *testing.T) {
	c := MustCluster(t)
	asked := make(chan struct{})
	thaw := make(chan struct{})
	var once sync.Once
	frozen := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		once.Do(func() { close(asked) })
		<-thaw
	}))
	t.Cleanup(frozen.Close)
	t.Cleanup(func() { close(thaw) })
	c.node.Set(repotest.Replica(frozen.URL))
	done := make(chan error, 1)
	go func() {
		_, err := repo.Write(within(t, 25*time.Second), c.replica, put{Item: "a"})
		done <- err
	}()
	<-asked
	c.node.Set(repotest.Unknown())
	c.node.Set(repotest.Replica(c.server.URL))
	if err := <-done; err != nil {
		t.Errorf("got %v, want no error", err)
	}
}

func TestAnswerWaitsForTheLocalCopy(t *testing.T) {
	c := MustCluster(t)
	apart := repotest.NewNode(repotest.Replica(c.server.URL)) // nothing wakes its feed but the test
	o := options(t, c.path, apart)
	o.LiteFS = true
	far := repotest.MustOpen(t, o)
	type answer struct {
		receipt repo.Receipt
		err     error
	}
	done := make(chan answer, 1)
	write := func(name string) {
		_, receipt, err := repo.Do(operator(), far, put{Item: name})
		done <- answer{receipt, err}
	}
	go write("a")
	repotest.Eventually(t, patience, "the primary has the row",
		func() bool { return MustCount(t, c.primary, "SELECT COUNT(*) FROM writes") == 1 })
	apart.Notify()
	a := <-done
	if a.err != nil {
		t.Error(a.err)
	}
	if at := far.Feed().Position(); at != a.receipt.Cursor {
		t.Errorf("answered at %v, want at the row %v", at, a.receipt.Cursor)
	}
	began := time.Now()
	go write("b")
	a = <-done
	if a.err != nil {
		t.Errorf("never woken: got %v, want no error", a.err)
	}
	if a.receipt.Seq != 2 {
		t.Errorf("never woken: got Seq %d, want 2", a.receipt.Seq)
	}
	if at := far.Feed().Position(); at.Seq != 1 { // something else woke the feed, so that the bound was not tried
		t.Errorf("never woken: the feed is at %v, want it at row 1", at)
	}
	if waited := time.Since(began); waited < repo.ReadableWithin {
		t.Errorf("the answer came after %v, before its row was here, want a wait of %v", waited, repo.ReadableWithin)
	}
}
