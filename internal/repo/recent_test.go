package repo_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"blog/internal/litefs"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
	"blog/internal/sqlite"
)

// TestRecentRowsNeedNoRead: who waits on a primary for a row that its feed has told of, such as an earlier one of a
// batch, is answered although no connection is free to read it by.
func TestRecentRowsNeedNoRead(t *testing.T) {
	t.Parallel()
	c := MustCluster(t)
	one := MustPut(t, c.primary, "1")
	MustPut(t, c.primary, "2")
	var readers sync.WaitGroup
	goOn := make(chan struct{})
	for range sqlite.ReservedConns {
		reads := make(chan struct{})
		readers.Go(func() {
			_ = c.primary.ViewReserved(t.Context(), func(repo.Reader) error { close(reads); <-goOn; return nil })
		})
		<-reads
	}
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if place := c.primary.Feed().Wait(short, one); place != repo.Here {
		t.Errorf("Wait for an earlier row gives %v while others read, want here", place)
	}
	close(goOn)
	readers.Wait()
}

// TestRecentRowsOfAGivenUpHistory: a node that was primary, and is again after its history was rewritten, does not take
// a row of the history before for one of its own.
func TestRecentRowsOfAGivenUpHistory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "blog.db")
	o := options(t, path, nil)
	role := repotest.NewNode(repotest.Primary())
	o.Node, o.LiteFS = role, true
	r := repotest.MustOpen(t, o)
	fit := func() bool { return r.Writing().State == repo.WriteFit }
	repotest.Eventually(t, patience, "it leads", fit)
	MustPut(t, r, "1")
	two := MustPut(t, r, "2")
	three := MustPut(t, r, "3")
	role.Set(repotest.Unknown())
	MustRewrite(t, path)
	role.Notify()
	repotest.Eventually(t, patience, "the feed sees it", func() bool { return r.Feed().Position() != three })
	role.Set(repotest.Primary())
	repotest.Eventually(t, patience, "it leads again", fit)
	MustPut(t, r, "4")
	if place := r.Feed().Wait(t.Context(), two); place != repo.Elsewhere {
		t.Errorf("Wait for a row of the history before gives %v, want elsewhere", place)
	}
}

// onRecord is a log that calls do with each record, before whoever logs it goes on.
type onRecord struct {
	slog.Handler
	do func(message string)
}

func (o onRecord) Handle(ctx context.Context, r slog.Record) error {
	o.do(r.Message)
	return o.Handler.Handle(ctx, r)
}

// MustRewrite gives the database at path another history after its first row.
func MustRewrite(tb testing.TB, path string) {
	tb.Helper()
	repotest.MustExec(tb, path, "UPDATE writes SET mark = randomblob(32) WHERE seq > 1")
	repotest.MustExec(tb, path, "DELETE FROM topics")
}

// TestRecentRowsEndWithTheirHistory: from the moment when the feed has read another history, in a term as primary, no
// row of the one before is answered from memory. The feed logs between that read and its notifications.
func TestRecentRowsEndWithTheirHistory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "blog.db")
	node := repotest.NewNode(repotest.Primary())
	o := options(t, path, node)
	o.LiteFS = true
	var r *repo.Repo
	var two repo.Cursor
	places := make(chan repo.Place, 1)
	o.Logger = slog.New(onRecord{o.Logger.Handler(), func(message string) {
		if strings.HasPrefix(message, "the history of writes was rewritten") {
			places <- r.Feed().WaitWithin(t.Context(), patience, two)
		}
	}})
	r = repotest.MustOpen(t, o)
	fit := func() bool { return r.Writing().State == repo.WriteFit }
	repotest.Eventually(t, patience, "a term", fit)
	MustPut(t, r, "1")
	two = MustPut(t, r, "2")
	MustPut(t, r, "3")
	node.Set(repotest.Unknown())
	repotest.Eventually(t, patience, "a read under the new role", func() bool { return r.Feed().Term() == node.Changed() })
	MustRewrite(t, path)
	node.Set(repotest.Primary())
	select {
	case place := <-places:
		if place != repo.Elsewhere {
			t.Errorf("Wait for a row of the history before gives %v, want elsewhere", place)
		}
	case <-time.After(patience):
		t.Error("the feed has not found the other history, want it to")
	}
}

// electedBetween is a node that becomes primary between a question for Changed and the one for its Role.
type electedBetween struct {
	*repotest.Node
	armed atomic.Bool
}

func (n *electedBetween) Changed() <-chan struct{} {
	changed := n.Node.Changed()
	if n.armed.CompareAndSwap(true, false) {
		n.Set(litefs.Role{State: litefs.Primary})
	}
	return changed
}

// TestRecentRowsAreOfTheTermAsPrimary: a row that the feed has read as a replica is not answered from memory, also when
// the node is elected in the middle of the question: a copy of another history may have come since.
func TestRecentRowsAreOfTheTermAsPrimary(t *testing.T) {
	t.Parallel()
	c := MustCluster(t)
	node := &electedBetween{Node: c.node.Beside(repotest.Replica(c.server.URL))}
	o := options(t, c.path, node)
	o.LiteFS = true
	r := repotest.MustOpen(t, o)
	k := &tape{}
	blocked, goOn := make(chan struct{}), make(chan struct{})
	k.onRows = func(rows []repo.Row) {
		if rows[len(rows)-1].Cursor.Seq == 4 {
			close(blocked)
			<-goOn
		}
	}
	r.Feed().Attach(k)
	MustPut(t, c.primary, "1")
	two := MustPut(t, c.primary, "2")
	three := MustPut(t, c.primary, "3")
	repotest.Eventually(t, patience, "the rows", func() bool { return r.Feed().Position() == three })
	MustPut(t, c.primary, "4")
	<-blocked // the feed reads nothing meanwhile
	defer close(goOn)
	MustRewrite(t, c.path)
	node.armed.Store(true)
	if place := r.Feed().WaitWithin(t.Context(), patience, two); place != repo.Elsewhere {
		t.Errorf("Wait for a row of the history before gives %v, want elsewhere", place)
	}
}
