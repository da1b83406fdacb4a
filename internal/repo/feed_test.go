package repo_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/litefs"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// tape is a tail that records its notifications.
type tape struct {
	mu     sync.Mutex
	rows   []repo.Row
	resets []repo.Cursor
	onRows func(rows []repo.Row)
}

func (k *tape) Rows(_ context.Context, rows []repo.Row) {
	k.mu.Lock()
	k.rows = append(k.rows, rows...)
	k.mu.Unlock()
	if k.onRows != nil {
		k.onRows(rows)
	}
}

func (k *tape) Reset(_ context.Context, now repo.Cursor) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.resets = append(k.resets, now)
}

func (k *tape) seqs() []int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []int64
	for _, row := range k.rows {
		out = append(out, row.Cursor.Seq)
	}
	return out
}

func (k *tape) resetTo() []repo.Cursor {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.resets)
}

// expectResets fails unless the tail was reset so often.
func (k *tape) expectResets(t *testing.T, want int) {
	t.Helper()
	if got := k.resetTo(); len(got) != want {
		t.Errorf("reset to %v, want %d resets", got, want)
	}
}

func TestFeedNotifiesOfEveryRowInOrder(t *testing.T) {
	c := MustCluster(t)
	MustPut(t, c.primary, "before")
	k := &tape{}
	k.onRows = func(rows []repo.Row) {
		last := rows[len(rows)-1].Cursor
		if place := locate(t, c.replica, last); place != repo.Here {
			t.Errorf("told of a row that is %v, want %v", place, repo.Here)
		}
	}
	from := c.replica.Feed().Attach(k)
	const writers, each = 6, 10
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			r := []*repo.Repo{c.primary, c.replica}[w%2]
			for i := range each {
				if _, err := repo.Write(operator(), r,
					put{Item: fmt.Sprintf("%d-%d", w, i), Topics: []string{"posts"}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	last := MustPut(t, c.replica, "last", "posts", "tag:x")
	if at := c.replica.Feed().Position(); at != last {
		t.Errorf("the answer came at %v, want it at the row %v", at, last)
	}
	seqs := k.seqs()
	for i, seq := range seqs {
		if seq != from.Seq+int64(i)+1 {
			t.Fatalf("told %v after %d, want each in its order", seqs, from.Seq)
		}
	}
	if got, want := int64(len(seqs)), last.Seq-from.Seq; got != want {
		t.Errorf("told of %d rows, want %d", got, want)
	}
	if want := int64(writers*each + 2); last.Seq != want {
		t.Errorf("the last row is %d, want %d", last.Seq, want)
	}
	k.expectResets(t, 0)
	k.mu.Lock()
	defer k.mu.Unlock()
	row := k.rows[len(k.rows)-1]
	want := repo.Row{Cursor: last, Name: "items.put", Actor: repo.Operator, Result: row.Result, At: row.At,
		Touches: []repo.Touch{{Topic: "posts", Subject: "last"}, {Topic: "tag:x", Subject: "last"}}}
	if diff := cmp.Diff(want, row); diff != "" {
		t.Errorf("the last row (-want +got):\n%s", diff)
	}
	if row.At.IsZero() {
		t.Errorf("got %+v, want a row with a time", row)
	}
	if len(row.Result) == 0 {
		t.Errorf("got %+v, want a row with a result", row)
	}
}

func TestFeedReadsManyRowsInSteps(t *testing.T) {
	c := MustCluster(t)
	k := &tape{}
	c.replica.Feed().Attach(k)
	MustFill(t, c.path, 1_700, func(int) time.Time { return time.Now() })
	c.node.Notify()
	repotest.Eventually(t, patience, "all rows are told", func() bool { return len(k.seqs()) == 1_700 })
	if seqs := k.seqs(); !slices.IsSorted(seqs) {
		t.Errorf("told %v, want them in order", seqs)
	}
	k.expectResets(t, 0)
}

func TestFeedResetsWhenHistoryIsRewritten(t *testing.T) {
	for name, rewrite := range map[string][]string{
		"other mark": {"UPDATE writes SET mark = randomblob(32) WHERE seq = 3"},
		"cut short":  {"DELETE FROM writes WHERE seq = 3", "DELETE FROM topics WHERE seq = 3"},
		"emptied":    {"DELETE FROM writes", "DELETE FROM topics"},
		"a later one": {"UPDATE writes SET mark = randomblob(32)",
			"INSERT INTO writes SELECT 4, 'x', digest, randomblob(32), name, actor, topics, result, at FROM writes " +
				"WHERE seq = 3"},
		"a gap": {"INSERT INTO writes SELECT 9, 'x', digest, randomblob(32), name, actor, topics, result, at FROM " +
			"writes WHERE seq = 3"},
	} {
		t.Run(name, func(t *testing.T) {
			c := MustCluster(t)
			for i := range 3 {
				MustPut(t, c.replica, fmt.Sprint(i), "posts")
			}
			k := &tape{}
			old := c.replica.Feed().Attach(k)
			for _, query := range rewrite {
				repotest.MustExec(t, c.path, query)
			}
			c.node.Notify()
			repotest.Eventually(t, patience, "a reset", func() bool { return len(k.resetTo()) == 1 })
			newest, err := view(t, c.replica, repo.Newest)
			if err != nil {
				t.Error(err)
			}
			if at := k.resetTo()[0]; at != newest {
				t.Errorf("reset to %v, want to the newest row, %v", at, newest)
			}
			repotest.Eventually(t, patience, "the feed stands there",
				func() bool { return c.replica.Feed().Position() == newest })
			if name != "a gap" {
				wait, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer cancel()
				if place := c.replica.Feed().Wait(wait, old); place == repo.Here {
					t.Errorf("the old position is %v, want it elsewhere", place)
				}
			}
			next := MustPut(t, c.replica, "next")
			if name == "other mark" || name == "a later one" {
				if diff := cmp.Diff([]int64{next.Seq}, k.seqs()); diff != "" {
					t.Errorf("told afterwards (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestFeedWait(t *testing.T) {
	c := MustCluster(t)
	feed := c.replica.Feed()
	one := MustPut(t, c.replica, "1")
	two := MustPut(t, c.replica, "2")
	other := one
	other.Mark[5] ^= 1
	for cursor, want := range map[repo.Cursor]repo.Place{{}: repo.Here, one: repo.Here, two: repo.Here,
		other: repo.Elsewhere} {
		if got := feed.Wait(t.Context(), cursor); got != want {
			t.Errorf("%v: %v, want %v", cursor, got, want)
		}
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if got := feed.Wait(short, repo.Cursor{Seq: 9}); got != repo.Ahead {
		t.Errorf("a row to come: %v, want %v", got, repo.Ahead)
	}
	// A primary that was cut off may have written what is given up when it is back, so
	// its history counts when something has come to it.
	for _, role := range []litefs.Role{repotest.Unknown(), c.node.Role()} {
		c.node.Set(role)
		short, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if got := feed.Wait(short, other); got != repo.Ahead {
			t.Errorf("another history, and the role has just become %v: %v, want %v", role, got, repo.Ahead)
		}
	}
	got := make(chan repo.Place, 1)
	go func() { got <- feed.Wait(context.Background(), other) }()
	MustPut(t, c.primary, "3")
	if place := <-got; place != repo.Elsewhere {
		t.Errorf("another history, and a row has come: %v, want %v", place, repo.Elsewhere)
	}
	go func() { got <- feed.Wait(context.Background(), repo.Cursor{Seq: 4}) }()
	MustPut(t, c.primary, "4")
	if place := <-got; place != repo.Elsewhere {
		t.Errorf("a row that turns out to be another: %v, want %v", place, repo.Elsewhere)
	}
}

// TestAPrimaryKnowsWhatIsGivenUp: a row that it does not have is in another history, also one that is ahead of all of
// its rows, as soon as what it has is confirmed and not before: it may have been replaced.
func TestAPrimaryKnowsWhatIsGivenUp(t *testing.T) {
	t.Parallel()
	k := &heldDurability{open: make(chan struct{}), lasting: 2}
	o := options(t, filepath.Join(t.TempDir(), "blog.db"), nil)
	node := repotest.NewNode(repotest.Primary())
	o.Node, o.Durability, o.LiteFS = node, k, true
	r := repotest.MustOpen(t, o)
	repotest.Eventually(t, patience, "it leads", func() bool { return r.Writing().State == repo.WriteFit })
	one := MustPut(t, r, "1")
	MustPut(t, r, "2")
	other := one
	other.Mark[5] ^= 1
	for name, c := range map[string]repo.Cursor{"another mark": other, "ahead": {Seq: 9}} {
		if place := r.Feed().Wait(t.Context(), c); place != repo.Elsewhere {
			t.Errorf("%s: %v, want elsewhere", name, place)
		}
	}
	k.set(1) // from now on it is not known whether this node has been replaced
	for name, c := range map[string]repo.Cursor{"another mark": other, "ahead": {Seq: 9}} {
		got := make(chan repo.Place, 1)
		before := k.count()
		ctx, cancel := context.WithCancel(t.Context())
		go func() { got <- r.Feed().Wait(ctx, c) }()
		repotest.Eventually(t, patience, "it asks", func() bool { return k.count() > before })
		cancel()
		if place := <-got; place != repo.Ahead {
			t.Errorf("%s, and nothing is confirmed: %v, want ahead", name, place)
		}
	}
	got := make(chan repo.Place, 1)
	before := k.count()
	go func() { got <- r.Feed().Wait(t.Context(), repo.Cursor{Seq: 9}) }()
	repotest.Eventually(t, patience, "it asks", func() bool { return k.count() > before })
	close(k.open)
	if place := <-got; place != repo.Elsewhere {
		t.Errorf("confirmed at last: %v, want elsewhere", place)
	}
}

func TestTails(t *testing.T) {
	c := MustCluster(t)
	feed := c.primary.Feed()
	late := &tape{}
	first := &tape{}
	var once sync.Once
	first.onRows = func([]repo.Row) {
		once.Do(func() {
			feed.Attach(late) // attached during the notification of a row: notified of it as well
			panic("a tail's fault")
		})
	}
	feed.Attach(first)
	MustPut(t, c.primary, "1")
	MustPut(t, c.primary, "2")
	seqs := func() [][]int64 { return [][]int64{first.seqs(), late.seqs()} }
	if diff := cmp.Diff([][]int64{{1, 2}, {1, 2}}, seqs()); diff != "" {
		t.Errorf("the first and the late one are told (-want +got):\n%s", diff)
	}
	resets := first.resetTo()
	if len(resets) != 1 {
		t.Fatalf("the first one, which lost row 1, is reset to %v, want one reset", resets)
	}
	if at := resets[0]; at.Seq != 1 {
		t.Errorf("the first one is reset to %v, want to row 1", at)
	}
	late.expectResets(t, 0)
	feed.Detach(first)
	MustPut(t, c.primary, "3")
	if diff := cmp.Diff([][]int64{{1, 2}, {1, 2, 3}}, seqs()); diff != "" {
		t.Errorf("after Detach of the first they are told (-want +got):\n%s", diff)
	}
}

func TestTailAttachedBeforeTheDatabaseArrives(t *testing.T) {
	p := MustPair(t)
	MustPut(t, p.a, "1")
	path := t.TempDir() + "/late.db"
	node := repotest.NewNode(repotest.Unknown())
	o := options(t, path, node)
	o.LiteFS = true
	r := repotest.MustOpen(t, o)
	k := &tape{}
	r.Feed().Attach(k)
	repotest.MustExec(t, p.path, "VACUUM INTO ?", path)
	node.Notify()
	repotest.Eventually(t, patience, "a reset to what is there",
		func() bool { return len(k.resetTo()) == 1 && k.resetTo()[0].Seq == 1 })
}

// A file that is there and cannot be opened, as when file descriptors have run
// out: no event comes when that ends.
func TestFeedTriesAgainWhatItCannotOpen(t *testing.T) {
	t.Parallel() // it is tried every 5 s
	p := MustPair(t)
	MustPut(t, p.a, "1")
	dir := t.TempDir()
	path, ready := filepath.Join(dir, "late.db"), filepath.Join(dir, "ready.db")
	if err := os.Symlink(path, path); err != nil { // there, and points nowhere
		t.Fatal(err)
	}
	o := options(t, path, repotest.NewNode(repotest.Unknown()))
	o.LiteFS = true
	r := repotest.MustOpen(t, o)
	k := &tape{}
	r.Feed().Attach(k)
	repotest.MustExec(t, p.path, "VACUUM INTO ?", ready)
	// In one step: a read between a removal and a rename would find a database
	// that has not arrived yet, and wait for the event of its arrival.
	if err := os.Rename(ready, path); err != nil {
		t.Fatal(err)
	}
	repotest.Eventually(t, patience, "a reset to what is there",
		func() bool { return len(k.resetTo()) == 1 && k.resetTo()[0].Seq == 1 })
}
