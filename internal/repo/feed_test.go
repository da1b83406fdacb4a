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

func TestFeedNotifiesOfEveryRowInOrder(t *testing.T) {
	c := MustCluster(t)
	MustPut(t, c.primary, "before")
	k := &tape{}
	k.onRows = func(rows []repo.Row) {
		last := rows[len(rows)-1].Cursor
		if locate(t, c.replica, last) != repo.Here {
			t.Error("told of a row that cannot be read")
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
	if c.replica.Feed().Position() != last {
		t.Errorf("the answer came at %v, before the row %v", c.replica.Feed().Position(), last)
	}
	seqs := k.seqs()
	for i, seq := range seqs {
		if seq != from.Seq+int64(i)+1 {
			t.Fatalf("told %v after %d", seqs, from.Seq)
		}
	}
	if int64(len(seqs)) != last.Seq-from.Seq || last.Seq != writers*each+2 || len(k.resetTo()) != 0 {
		t.Errorf("told of %d rows to row %d, %d resets, want %d rows to row %d and none", len(seqs), last.Seq,
			len(k.resetTo()), last.Seq-from.Seq, writers*each+2)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	row := k.rows[len(k.rows)-1]
	want := []repo.Touch{{Topic: "posts", Subject: "last"}, {Topic: "tag:x", Subject: "last"}}
	if row.Name != "items.put" || row.Actor != repo.Operator || !slices.Equal(row.Touches, want) || row.At.IsZero() ||
		len(row.Result) == 0 {
		t.Errorf("got %+v, want items.put by %s with the touches %v, a time and a result", row, repo.Operator, want)
	}
}

func TestFeedReadsManyRowsInSteps(t *testing.T) {
	c := MustCluster(t)
	k := &tape{}
	c.replica.Feed().Attach(k)
	MustFill(t, c.path, 1_700, func(int) time.Time { return time.Now() })
	c.node.Notify()
	repotest.Eventually(t, patience, "all rows are told", func() bool { return len(k.seqs()) == 1_700 })
	if !slices.IsSorted(k.seqs()) || len(k.resetTo()) != 0 {
		t.Errorf("in order: %t, resets to %v, want true and none", slices.IsSorted(k.seqs()), k.resetTo())
	}
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
			if err != nil || k.resetTo()[0] != newest {
				t.Errorf("reset to %v, newest is %v, %v, want no error and %v", k.resetTo()[0], newest, err, newest)
			}
			repotest.Eventually(t, patience, "the feed stands there",
				func() bool { return c.replica.Feed().Position() == newest })
			if name != "a gap" {
				wait, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer cancel()
				if place := c.replica.Feed().Wait(wait, old); place == repo.Here {
					t.Error("the old position is still here")
				}
			}
			next := MustPut(t, c.replica, "next")
			if name == "other mark" || name == "a later one" {
				if seqs := k.seqs(); !slices.Equal(seqs, []int64{next.Seq}) {
					t.Errorf("told of %v afterwards, want %v", seqs, []int64{next.Seq})
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
	if a, b := first.seqs(), late.seqs(); !slices.Equal(a, []int64{1, 2}) || !slices.Equal(b, []int64{1, 2}) {
		t.Errorf("told %v and %v, want %v and %v", a, b, []int64{1, 2}, []int64{1, 2})
	}
	if a, b := first.resetTo(), late.resetTo(); len(a) != 1 || a[0].Seq != 1 || len(b) != 0 {
		t.Errorf("reset to %v and %v, want the one that lost row 1 to it, and only that one", a, b)
	}
	feed.Detach(first)
	MustPut(t, c.primary, "3")
	if a, b := first.seqs(), late.seqs(); len(a) != 2 || len(b) != 3 {
		t.Errorf("after Detach: %v and %v, want 2 of them and 3 of them", a, b)
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
