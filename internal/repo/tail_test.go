package repo_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
	"blog/internal/sqlite"
)

// brittle is a tail that panics as long as broken is set.
type brittle struct {
	tape
	mu     sync.Mutex
	broken bool
	tried  int // resets that panicked
}

func (b *brittle) set(broken bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = broken
}

func (b *brittle) panics() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.broken
}

func (b *brittle) resetsTried() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tried
}

func (b *brittle) Rows(ctx context.Context, rows []repo.Row) {
	if b.panics() {
		panic("rows")
	}
	b.tape.Rows(ctx, rows)
}

func (b *brittle) Reset(ctx context.Context, now repo.Cursor) {
	b.mu.Lock()
	broken := b.broken
	if broken {
		b.tried++
	}
	b.mu.Unlock()
	if broken {
		panic("reset")
	}
	b.tape.Reset(ctx, now)
}

// TestATailThatPanicsOnResetToo: it is reset when it can be, without a further write, and is notified of no row
// before; the node and the other tails go on meanwhile.
func TestATailThatPanicsOnResetToo(t *testing.T) {
	t.Parallel()
	c := MustCluster(t)
	feed := c.primary.Feed()
	bad, good := &brittle{broken: true}, &tape{}
	feed.Attach(bad)
	feed.Attach(good)
	MustPut(t, c.primary, "1")
	MustPut(t, c.primary, "2")
	if diff := cmp.Diff([]int64{1, 2}, good.seqs()); diff != "" {
		t.Errorf("the other tail was notified of (-want +got):\n%s", diff)
	}
	good.expectResets(t, 0)
	repotest.Eventually(t, patience, "a reset is tried again by itself", func() bool { return bad.resetsTried() > 2 })
	bad.set(false)
	repotest.Eventually(t, patience, "it is reset", func() bool { return len(bad.resetTo()) == 1 })
	if at := bad.resetTo()[0]; at.Seq != 2 {
		t.Errorf("reset to %v, want to row 2", at)
	}
	if seqs := bad.seqs(); len(seqs) != 0 {
		t.Errorf("notified of %v before, want nothing", seqs)
	}
	MustPut(t, c.primary, "3")
	if diff := cmp.Diff([]int64{3}, bad.seqs()); diff != "" {
		t.Errorf("notified afterwards of (-want +got):\n%s", diff)
	}
	bad.expectResets(t, 1)
}

// TestATailThatIsDetachedWhileItIsBroken is reset no more.
func TestATailThatIsDetachedWhileItIsBroken(t *testing.T) {
	t.Parallel()
	c := MustCluster(t)
	bad := &brittle{broken: true}
	c.primary.Feed().Attach(bad)
	MustPut(t, c.primary, "1")
	c.primary.Feed().Detach(bad)
	MustPut(t, c.primary, "2")
	before := bad.resetsTried()
	MustPut(t, c.primary, "3")
	if after := bad.resetsTried(); after != before {
		t.Errorf("%d resets a write later, want %d, as before", after, before)
	}
}

// TestRowsAreOfTheTermTheyAreNotifiedIn: the role changes twice while the feed waits for its turn to read, and once
// while a tail is being notified.
func TestRowsAreOfTheTermTheyAreNotifiedIn(t *testing.T) {
	t.Parallel()
	o := options(t, filepath.Join(t.TempDir(), "blog.db"), nil)
	node := repotest.NewNode(repotest.Primary())
	o.Node = node
	r := repotest.MustOpen(t, o)
	feed := r.Feed()
	var mu sync.Mutex
	var seen []string // the term of each notification, by its number
	names := map[<-chan struct{}]string{node.Changed(): "first"}
	k := &tape{onRows: func(rows []repo.Row) {
		mu.Lock()
		defer mu.Unlock()
		for _, row := range rows {
			seen = append(seen, fmt.Sprintf("%d %s", row.Cursor.Seq, names[feed.Term()]))
		}
	}}
	feed.Attach(k)
	MustPut(t, r, "1")
	// The reading connections are all in use: the feed has a term, and waits to read.
	release := make(chan struct{})
	var busy sync.WaitGroup
	for range sqlite.ReservedConns {
		busy.Go(func() {
			_ = r.ViewReserved(t.Context(), func(repo.Reader) error { <-release; return nil })
		})
	}
	repotest.Eventually(t, patience, "no connection is left",
		func() bool { return r.ReservedInUse() == sqlite.ReservedConns })
	waiting := r.ReservedWaited()
	node.Notify()
	repotest.Eventually(t, patience, "the feed waits", func() bool { return r.ReservedWaited() > waiting })
	node.Set(repotest.Unknown())
	node.Set(repotest.Primary())
	mu.Lock()
	names[node.Changed()] = "second"
	mu.Unlock()
	repotest.MustExec(t, o.Path, `
		INSERT INTO writes (seq, key, digest, mark, name, actor, topics, result, at)
		SELECT 2, 'another', digest, randomblob(32), name, actor, topics, result, at FROM writes WHERE seq = 1`)
	close(release)
	busy.Wait()
	repotest.Eventually(t, patience, "the row is seen", func() bool { return len(k.seqs()) == 2 })
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff([]string{"1 first", "2 second"}, seen); diff != "" {
		t.Errorf("seen (-want +got):\n%s", diff)
	}
}
