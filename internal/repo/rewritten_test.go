package repo_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// MustHistories returns two databases that share their first write and have two more of their own each.
func MustHistories(t *testing.T) (one, other []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "blog.db")
	write := func(items ...string) []byte {
		o := options(t, path, repotest.NewSeat(repotest.Primary()))
		o.LiteFS = true
		r, err := repo.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			MustPut(t, r, item, "posts")
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	before := write("common")
	one = write("a1", "a2")
	if err := os.WriteFile(path, before, 0o600); err != nil {
		t.Fatal(err)
	}
	return one, write("b1", "b2")
}

// TestARewrittenHistoryOfEqualLength: SQLite takes the pages that a connection has kept for good as long as 16 bytes of
// the file's header are what they were: the count of commits and three sizes. They are in a copy that LiteFS has put in
// the place of another one of as many commits, and the node would go on with what never was.
func TestARewrittenHistoryOfEqualLength(t *testing.T) {
	one, other := MustHistories(t)
	const from, to = 24, 40
	if !slices.Equal(one[from:to], other[from:to]) || slices.Equal(one, other) {
		t.Fatalf("%x and %x: these headers differ, so that nothing would be tried", one[from:to], other[from:to])
	}
	path := filepath.Join(t.TempDir(), "blog.db")
	if err := os.WriteFile(path, one, 0o600); err != nil {
		t.Fatal(err)
	}
	seat := repotest.NewSeat(repotest.Replica("http://primary.example"))
	o := options(t, path, seat)
	o.LiteFS = true
	r := repotest.MustOpen(t, o)
	k := &tape{}
	old := r.Feed().Attach(k)
	items := func() string {
		return fmt.Sprint(MustCount(t, r, "SELECT COUNT(*) FROM items WHERE name LIKE 'a%'"), MustCount(t, r, "SELECT COUNT(*) FROM items WHERE name LIKE 'b%'"))
	}
	if got := items(); got != "2 0" {
		t.Fatalf("at first: %s", got)
	}
	// In place, as LiteFS does it: whoever has the file open goes on with it.
	if err := os.WriteFile(path, other, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := items(); got != "0 2" {
		t.Errorf("items of the one and of the other history: %s, want 0 2", got)
	}
	seat.Notify()
	repotest.Eventually(t, patience, "a reset", func() bool { return len(k.resetTo()) == 1 })
	if place := locate(t, r, old); place != repo.Elsewhere {
		t.Errorf("what was the newest row is at %v", place)
	}
	if newest := newestOf(t, r, "posts"); k.resetTo()[0] != newest || newest == old {
		t.Errorf("reset to %v, newest is %v", k.resetTo()[0], newest)
	}
}
