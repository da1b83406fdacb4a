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
			t.Errorf("hijack: %v", err)
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
		t.Errorf("not followed: %v", err)
	}
	// A forwarded call is not forwarded again.
	tr := transport.NewClient(repotest.Secret)
	defer tr.Close()
	call := &repo.Call{Name: "items.put", Key: "k", Actor: repo.Actor{Name: repo.Operator},
		Body: []byte(`{"item":"b"}`), Deadline: time.Now().Add(time.Minute)}
	err := repo.Send(t.Context(), tr, wrong.URL, repo.PathSuper, call)
	if e := apperr.From(err); e.Reason != apperr.WrongPrimary || e.Primary != c.server.URL {
		t.Errorf("the replica said %v, names %q, Reason %v, Primary %v, want Reason %v and Primary %v", err,
			apperr.From(err).Primary, e.Reason, e.Primary, apperr.WrongPrimary, c.server.URL)
	}
}

func TestNoPrimary(t *testing.T) {
	c := MustCluster(t)
	c.node.Set(repotest.Unknown())
	_, receipt, err := repo.Do(within(t, 100*time.Millisecond), c.replica, put{Item: "a"})
	if e := apperr.From(err); e.Code != apperr.Unavailable || e.Reason != apperr.NoPrimary || e.RetryAfter < 1 ||
		receipt.Key == "" {
		t.Errorf("got %v, again after %d s, key %q, want %v, %s, at least 1 s and a key", err, e.RetryAfter, receipt.Key,
			apperr.Unavailable, apperr.NoPrimary)
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
		t.Errorf("when a primary appears: %v", err)
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
	if err != nil || !receipt.Replayed || receipt.Seq != 1 {
		t.Errorf("got %+v, %v, want no error, Replayed true and Seq 1", receipt, err)
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
			e := apperr.From(err)
			if e.Code != apperr.Unavailable || e.Reason != apperr.OutcomeUnknown || e.Key == "" || e.Key != receipt.Key ||
				e.RetryAfter < 1 {
				t.Errorf("got %v with key %q, again after %d s, receipt %+v, want %v, %s, at least 1 s and the receipt's key", err,
					e.Key, e.RetryAfter, receipt, apperr.Unavailable, apperr.OutcomeUnknown)
			}
			c.node.Set(repotest.Replica(c.server.URL))
			if _, receipt, err = repo.Do(operator(), c.replica, cmd, repo.WithKey(e.Key)); err != nil || !receipt.Replayed {
				t.Errorf("asked again: %+v, %v, want no error and Replayed true", receipt, err)
			}
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
		t.Errorf("got %v", err)
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
	if a := <-done; a.err != nil || far.Feed().Position() != a.receipt.Cursor {
		t.Errorf("answered at %v with %+v, %v, want no error and %v", far.Feed().Position(), a.receipt, a.err,
			a.receipt.Cursor)
	}
	began := time.Now()
	go write("b")
	a := <-done
	if a.err != nil || a.receipt.Seq != 2 {
		t.Errorf("never woken: %+v, %v, want no error and Seq 2", a.receipt, a.err)
	}
	if far.Feed().Position().Seq != 1 {
		t.Error("something else woke the feed: the bound was not tried")
	}
	if waited := time.Since(began); waited < repo.ReadableWithin {
		t.Errorf("the answer came after %v, before its row was here, want a wait of %v", waited, repo.ReadableWithin)
	}
}
