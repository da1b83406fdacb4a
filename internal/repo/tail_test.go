package repo_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// brittle is a tail that panics while it is told to.
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

// TestATailThatPanicsOnResetToo: it is reset when it can be, without a further write, and is told of no row before; the
// node and the other tails go on meanwhile.
func TestATailThatPanicsOnResetToo(t *testing.T) {
	t.Parallel()
	c := MustCluster(t)
	feed := c.primary.Feed()
	bad, good := &brittle{broken: true}, &tape{}
	feed.Attach(bad)
	feed.Attach(good)
	MustPut(t, c.primary, "1")
	MustPut(t, c.primary, "2")
	if seqs := good.seqs(); !slices.Equal(seqs, []int64{1, 2}) || len(good.resetTo()) != 0 {
		t.Errorf("the other tail is told of %v, and reset to %v", seqs, good.resetTo())
	}
	repotest.Eventually(t, patience, "a reset is tried again by itself", func() bool { return bad.resetsTried() > 2 })
	bad.set(false)
	repotest.Eventually(t, patience, "it is reset", func() bool { return len(bad.resetTo()) == 1 })
	if at := bad.resetTo()[0]; at.Seq != 2 || len(bad.seqs()) != 0 {
		t.Errorf("reset to %v, and told of %v before", at, bad.seqs())
	}
	MustPut(t, c.primary, "3")
	if seqs := bad.seqs(); !slices.Equal(seqs, []int64{3}) || len(bad.resetTo()) != 1 {
		t.Errorf("told of %v afterwards, and reset to %v", seqs, bad.resetTo())
	}
}

// TestATailThatIsTakenOutWhileItIsBroken is reset no more.
func TestATailThatIsTakenOutWhileItIsBroken(t *testing.T) {
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
		t.Errorf("%d resets, and %d a write later", before, after)
	}
}

// TestWhatIsToldWasReadInItsTerm: the role changes twice while the feed waits for its turn to read, and once while a
// tail is being told.
func TestWhatIsToldWasReadInItsTerm(t *testing.T) {
	t.Parallel()
	o := options(t, filepath.Join(t.TempDir(), "blog.db"), nil)
	seat := repotest.NewSeat(repotest.Primary())
	o.Node = seat
	r := repotest.MustOpen(t, o)
	feed := r.Feed()
	var mu sync.Mutex
	var told []string // what each row was told under, by its number
	names := map[<-chan struct{}]string{seat.Changed(): "first"}
	k := &tape{onRows: func(rows []repo.Row) {
		mu.Lock()
		defer mu.Unlock()
		for _, row := range rows {
			told = append(told, fmt.Sprintf("%d %s", row.Cursor.Seq, names[feed.Term()]))
		}
	}}
	feed.Attach(k)
	MustPut(t, r, "1")
	// The reading connections are taken: the feed has a term, and waits to read.
	release := make(chan struct{})
	var busy sync.WaitGroup
	for range repo.LookConns {
		busy.Go(func() {
			_ = r.Look(t.Context(), func(repo.Reader) error { <-release; return nil })
		})
	}
	repotest.Eventually(t, patience, "no connection is left", func() bool { return r.LooksInUse() == repo.LookConns })
	waiting := r.LooksWaited()
	seat.Notify()
	repotest.Eventually(t, patience, "the feed waits", func() bool { return r.LooksWaited() > waiting })
	seat.Set(repotest.Unknown())
	seat.Set(repotest.Primary())
	mu.Lock()
	names[seat.Changed()] = "second"
	mu.Unlock()
	repotest.MustExec(t, o.Path, `
		INSERT INTO writes (seq, key, digest, mark, name, actor, topics, result, at)
		SELECT 2, 'another', digest, randomblob(32), name, actor, topics, result, at FROM writes WHERE seq = 1`)
	close(release)
	busy.Wait()
	repotest.Eventually(t, patience, "the row is told", func() bool { return len(k.seqs()) == 2 })
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"1 first", "2 second"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}
