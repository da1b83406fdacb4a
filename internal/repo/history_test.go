package repo_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

func view[T any](t *testing.T, r *repo.Repo, f func(ctx context.Context, rd repo.Reader) (T, error)) (T, error) {
	t.Helper()
	var out T
	err := r.View(t.Context(), func(rd repo.Reader) error {
		var err error
		out, err = f(t.Context(), rd)
		return err
	})
	return out, err
}

func newestOf(t *testing.T, r *repo.Repo, topics ...string) repo.Cursor {
	t.Helper()
	c, err := view(t, r, func(ctx context.Context, rd repo.Reader) (repo.Cursor, error) {
		return repo.NewestOf(ctx, rd, topics...)
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func locate(t *testing.T, r *repo.Repo, c repo.Cursor) repo.Place {
	t.Helper()
	p, err := view(t, r, func(ctx context.Context, rd repo.Reader) (repo.Place, error) { return repo.Locate(ctx, rd, c) })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// after returns the seqs of the rows, or -1 for ErrResync.
func after(t *testing.T, r *repo.Repo, c repo.Cursor, topics ...string) []int64 {
	t.Helper()
	rows, err := view(t, r, func(ctx context.Context, rd repo.Reader) ([]repo.Row,
		error) {
		return repo.After(ctx, rd, c, topics)
	})
	if errors.Is(err, repo.ErrResync) {
		return []int64{-1}
	}
	if err != nil {
		t.Fatal(err)
	}
	var out []int64
	for _, row := range rows {
		out = append(out, row.Cursor.Seq)
		for _, touch := range row.Touches {
			if !contains(topics, touch.Topic) {
				t.Errorf("row %d has the touch %v, want those of %q alone", row.Cursor.Seq, touch, topics)
			}
		}
	}
	return out
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

func MustPut(t *testing.T, r *repo.Repo, item string, topics ...string) repo.Cursor {
	t.Helper()
	_, receipt, err := repo.Do(operator(), r, put{Item: item, Topics: topics})
	if err != nil {
		t.Fatal(err)
	}
	return receipt.Cursor
}

func TestPlacesAndWhatComesAfter(t *testing.T) {
	c := MustCluster(t)
	r := c.primary
	if newest := newestOf(t, r, "a"); !newest.Zero() {
		t.Errorf("before the first write: %v, want the zero cursor", newest)
	}
	one := MustPut(t, r, "1", "a", "b", "a")
	two := MustPut(t, r, "2", "b")
	three := MustPut(t, r, "3")
	other := two
	other.Mark[0] ^= 1
	ahead := repo.Cursor{Seq: 9, Mark: one.Mark}
	zero := repo.Cursor{}

	for cursor, want := range map[repo.Cursor]repo.Place{zero: repo.Here, one: repo.Here, three: repo.Here,
		other: repo.Elsewhere, ahead: repo.Ahead} {
		if got := locate(t, c.replica, cursor); got != want {
			t.Errorf("%v is at %v, want %v", cursor, got, want)
		}
	}
	if got := newestOf(t, r, "a"); got != one {
		t.Errorf("the newest of a is %v, want %v", got, one)
	}
	if got := newestOf(t, r, "b", "a"); got != two {
		t.Errorf("the newest of b and a is %v, want %v", got, two)
	}
	if got := newestOf(t, r, "nothing"); got != zero {
		t.Errorf("the newest of nothing is %v, want %v", got, zero)
	}
	for _, x := range []struct {
		after  repo.Cursor
		topics []string
		want   string
	}{
		{zero, []string{"a"}, "[1]"},
		{zero, []string{"a", "b"}, "[1 2]"},
		{zero, []string{"nothing"}, "[]"},
		{zero, nil, "[]"},
		{one, []string{"a"}, "[]"},
		{one, []string{"a", "b"}, "[2]"},
		{three, []string{"a", "b"}, "[]"},
		{other, []string{"a"}, "[-1]"},
		{ahead, []string{"a"}, "[-1]"},
	} {
		if got := fmt.Sprint(after(t, r, x.after, x.topics...)); got != x.want {
			t.Errorf("after %v on %v: %s, want %s", x.after, x.topics, got, x.want)
		}
	}
}

func TestMarksChainAndNowNeverGoesBack(t *testing.T) {
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	steps := []time.Duration{0, time.Hour, -48 * time.Hour, time.Second, 2 * time.Hour}
	n := 0
	c := MustCluster(t, func(o *repo.Options) {
		o.Now = func() time.Time { n++; return start.Add(steps[(n-1)%len(steps)]) }
	})
	marks := map[repo.Mark]bool{}
	var last string
	for i := range steps {
		res, receipt, err := repo.Do(operator(), c.replica, put{Item: fmt.Sprint(i)})
		if err != nil {
			t.Fatal(err)
		}
		if res.Now < last {
			t.Errorf("write %d is at %s, want it not before %s, the one before", i, res.Now, last)
		}
		last = res.Now
		if want := int64(i + 1); receipt.Seq != want {
			t.Errorf("write %d has Seq %d, want %d", i, receipt.Seq, want)
		}
		if mark := receipt.Cursor.Mark; marks[mark] {
			t.Errorf("write %d has the mark %v of an earlier one, want one of its own", i, mark)
		}
		marks[receipt.Cursor.Mark] = true
	}
	if want := repo.FormatTime(start.Add(2 * time.Hour)); last != want {
		t.Errorf("newest at %s, want %s", last, want)
	}
}

// TestMarksOfTwoHistories: they differ at one seq, although both executed one call of one key. After a failover the
// new primary may run what the old one has run, with other results.
func TestMarksOfTwoHistories(t *testing.T) {
	var marks []repo.Mark
	for range 2 {
		_, receipt, err := repo.Do(operator(), MustCluster(t).primary, put{Item: "a"}, repo.WithKey("k"))
		if err != nil {
			t.Fatal(err)
		}
		if receipt.Seq != 1 {
			t.Fatalf("got Seq %d, want 1", receipt.Seq)
		}
		marks = append(marks, receipt.Cursor.Mark)
	}
	if marks[0] == marks[1] {
		t.Errorf("both have the mark %v, want one each", marks[0])
	}
}

// MustFill adds rows up to seq last to the database at path without running commands; the i-th is at(i).
func MustFill(t *testing.T, path string, last int, at func(i int) time.Time) {
	t.Helper()
	tx, err := repotest.MustRaw(t, path).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	for i := 1; i <= last; i++ {
		_, err := tx.ExecContext(t.Context(), `
			INSERT INTO writes (seq, key, digest, mark, name, actor, topics, result, at)
			VALUES (?, ?, x'00', randomblob(32), 'items.put', 'operator', '[]', '{}', ?)`,
			i, fmt.Sprint("fill-", i), repo.FormatTime(at(i)))
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

func TestPruning(t *testing.T) {
	now := time.Now().UTC()
	old := now.AddDate(0, -2, 0)
	t.Run("old rows beyond the newest 10,000 go, a few at each write", func(t *testing.T) {
		c := MustCluster(t)
		first := MustPut(t, c.primary, "1", "old topic")
		repotest.MustExec(t, c.path, "DELETE FROM writes")
		MustFill(t, c.path, 10_030, func(int) time.Time { return old })
		repotest.MustExec(t, c.path, "UPDATE writes SET mark = ? WHERE seq = 1", first.Mark[:])
		second := MustPut(t, c.primary, "2", "new topic")
		if n := MustCount(t, c.primary, "SELECT COUNT(*) FROM writes"); n != 10_011 {
			t.Errorf("%d rows after one write, want 10011", n)
		}
		MustPut(t, c.primary, "3")
		MustPut(t, c.primary, "4")
		if n := MustCount(t, c.primary, "SELECT COUNT(*) FROM writes"); n != 10_000 {
			t.Errorf("%d rows in the end, want 10000", n)
		}
		// The topic's position outlives its row: a page on it is current.
		if got := newestOf(t, c.primary, "old topic"); got != first {
			t.Errorf("the topic's newest is %v, want %v", got, first)
		}
		if got := locate(t, c.primary, first); got != repo.Here {
			t.Errorf("the topic's newest is %v, want %v", got, repo.Here)
		}
		gone := repo.Cursor{Seq: 5}
		if got := locate(t, c.primary, gone); got != repo.Forgotten {
			t.Errorf("a pruned row is %v, want %v", got, repo.Forgotten)
		}
		if got := c.primary.Feed().Wait(t.Context(), gone); got != repo.Here {
			t.Errorf("for who waits, a row that is long past is %v, want %v", got, repo.Here)
		}
		for _, x := range []struct {
			after  repo.Cursor
			topics []string
			want   string
		}{
			{first, []string{"old topic"}, "[]"},
			{first, []string{"old topic", "new topic"}, "[-1]"},
			{gone, []string{"old topic"}, "[]"},
			{gone, []string{"new topic"}, "[-1]"},
			{repo.Cursor{}, []string{"new topic"}, "[-1]"},
			{second, []string{"new topic", "old topic"}, "[]"},
		} {
			if got := fmt.Sprint(after(t, c.primary, x.after, x.topics...)); got != x.want {
				t.Errorf("after %d on %v: %s, want %s", x.after.Seq, x.topics, got, x.want)
			}
		}
	})
	t.Run("rows of 30 days stay", func(t *testing.T) {
		c := MustCluster(t)
		MustFill(t, c.path, 10_030, func(int) time.Time { return now.Add(time.Hour - repo.Honoured) })
		MustPut(t, c.primary, "1")
		if n := MustCount(t, c.primary, "SELECT COUNT(*) FROM writes"); n != 10_031 {
			t.Errorf("%d rows, want 10031", n)
		}
	})
	t.Run("the newest 10,000 stay however old", func(t *testing.T) {
		c := MustCluster(t)
		MustFill(t, c.path, 9_999, func(int) time.Time { return old })
		MustPut(t, c.primary, "1")
		if n := MustCount(t, c.primary, "SELECT COUNT(*) FROM writes"); n != 10_000 {
			t.Errorf("%d rows, want 10000", n)
		}
	})
	t.Run("a blog whose newest row is old keeps what was written before it", func(t *testing.T) {
		c := MustCluster(t, func(o *repo.Options) { o.Now = func() time.Time { return old } })
		MustFill(t, c.path, 10_030, func(int) time.Time { return old })
		MustPut(t, c.primary, "1")
		if n := MustCount(t, c.primary, "SELECT COUNT(*) FROM writes"); n != 10_031 {
			t.Errorf("%d rows, want 10031", n)
		}
	})
	t.Run("a clock that is far behind prunes nothing", func(t *testing.T) {
		c := MustCluster(t, func(o *repo.Options) { o.Now = func() time.Time { return time.Unix(0, 0) } })
		MustFill(t, c.path, 10_030, func(int) time.Time { return now })
		MustPut(t, c.primary, "1")
		if n := MustCount(t, c.primary, "SELECT COUNT(*) FROM writes"); n != 10_031 {
			t.Errorf("%d rows, want 10031", n)
		}
	})
}

func TestTooMuchToReplay(t *testing.T) {
	c := MustCluster(t)
	one := MustPut(t, c.primary, "1", "a")
	repotest.MustExec(t, c.path, "DELETE FROM writes")
	MustFill(t, c.path, 2_500, func(int) time.Time { return time.Now() })
	repotest.MustExec(t, c.path, "UPDATE writes SET mark = ? WHERE seq = 1", one.Mark[:])
	MustPut(t, c.primary, "2", "a")
	if got := fmt.Sprint(after(t, c.primary, one, "a")); got != "[-1]" {
		t.Errorf("got %s, want a resync", got)
	}
}
