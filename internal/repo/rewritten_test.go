package repo_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
	"blog/internal/sqlite"
)

// indexed are options for a database under LiteFS whose items can be searched for.
func indexed(t *testing.T, path string, node repo.Node) repo.Options {
	t.Helper()
	o := options(t, path, node)
	o.LiteFS = true
	o.Migrations = repotest.MustSchema(t, `
CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, value TEXT NOT NULL);
CREATE VIRTUAL TABLE words USING fts5 (word);
-- +goose StatementBegin
CREATE TRIGGER items_words AFTER INSERT ON items BEGIN INSERT INTO words (word) VALUES (new.name); END;
-- +goose StatementEnd
`)
	return o
}

// MustHistories returns two databases that share their first write and have two more of their own each, and equal
// headers, as far as SQLite compares them. The index of words has one more segment in the other.
func MustHistories(t *testing.T) (one, other []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "blog.db")
	write := func(items ...put) []byte {
		r, err := repo.Open(t.Context(), indexed(t, path, repotest.NewNode(repotest.Primary())))
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			if _, err = repo.Write(operator(), r, item); err != nil {
				t.Fatal(err)
			}
		}
		if err = r.Close(); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	before := write(put{Item: "common", Topics: []string{"posts"}})
	again := func(items ...put) []byte {
		if err := os.WriteFile(path, before, 0o600); err != nil {
			t.Fatal(err)
		}
		return write(items...)
	}
	other = again(put{Item: "b1", Topics: []string{"posts"}}, put{Item: "b2", Topics: []string{"posts"}})
	const from, to = 24, 40
	for pages := range 60 {
		one = again(put{Item: "a1", Topics: []string{"posts"}},
			put{Item: "a1", Value: strings.Repeat("x", 4000*pages), Topics: []string{"posts"}})
		if bytes.Equal(one[from:to], other[from:to]) {
			return one, other
		}
	}
	t.Fatal("the headers differ, want them equal, or nothing would be tried")
	return nil, nil
}

// TestARewrittenHistoryOfEqualLength: SQLite uses a connection's cached pages as long as 16 bytes of
// the file's header are what they were: the count of commits and three sizes. They are in a copy that LiteFS has put in
// the place of another one of as many commits, and the node would go on with what never was.
func TestARewrittenHistoryOfEqualLength(t *testing.T) {
	one, other := MustHistories(t)
	path := filepath.Join(t.TempDir(), "blog.db")
	if err := os.WriteFile(path, one, 0o600); err != nil {
		t.Fatal(err)
	}
	node := repotest.NewNode(repotest.Replica("http://primary.example"))
	r := repotest.MustOpen(t, indexed(t, path, node))
	k := &tape{}
	old := r.Feed().Attach(k)
	items := func() string {
		count := func(letter string) int {
			in, found := MustCount(t, r, "SELECT COUNT(*) FROM items WHERE name LIKE ?", letter+"%"),
				MustCount(t, r, "SELECT COUNT(*) FROM words WHERE words MATCH ?", letter+"*")
			if in != found {
				t.Errorf("%d items with %s are found, want as many as are there, %d", found, letter, in)
			}
			return in
		}
		return fmt.Sprint(count("a"), count("b"))
	}
	if got := items(); got != "1 0" {
		t.Fatalf("at first: %s, want %q", got, "1 0")
	}
	// In place, as LiteFS does it: whoever has the file open goes on with it.
	if err := os.WriteFile(path, other, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := items(); got != "0 2" {
		t.Errorf("items of the one and of the other history: %s, want 0 2", got)
	}
	node.Notify()
	repotest.Eventually(t, patience, "a reset", func() bool { return len(k.resetTo()) == 1 })
	if place := locate(t, r, old); place != repo.Elsewhere {
		t.Errorf("what was the newest row is at %v, want %v", place, repo.Elsewhere)
	}
	newest := newestOf(t, r, "posts")
	if at := k.resetTo()[0]; at != newest {
		t.Errorf("reset to %v, want to the newest, %v", at, newest)
	}
	if newest == old {
		t.Errorf("the newest is %v, as before, want the other history's", newest)
	}
}

// TestASchemaOfARewrittenHistory: SQLite reads the schema anew only when its number has changed, and it has not in a
// copy of another history that has migrated as often.
func TestASchemaOfARewrittenHistory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "blog.db")
	write := func(r *repo.Repo, item string) {
		MustPut(t, r, item)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	open := func() *repo.Repo {
		r, err := repo.Open(t.Context(), indexed(t, path, repotest.NewNode(repotest.Primary())))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	write(open(), "common")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	replace := func(data []byte) {
		if werr := os.WriteFile(path, data, 0o600); werr != nil { //nolint:gosec // the test's own folder
			t.Fatal(werr)
		}
	}
	history := func(table string) []byte {
		replace(before)
		repotest.MustExec(t, path, "CREATE TABLE "+table+" (id INTEGER PRIMARY KEY)")
		write(open(), table)
		data, rerr := os.ReadFile(path)
		if rerr != nil {
			t.Fatal(rerr)
		}
		return data
	}
	other := history("other")
	one := history("one") // which is in place now
	if !bytes.Equal(one[40:44], other[40:44]) {
		t.Fatal("the schemas have other numbers, want them equal, or nothing would be tried")
	}
	node := repotest.NewNode(repotest.Replica("http://primary.example"))
	r := repotest.MustOpen(t, indexed(t, path, node))
	k := &tape{}
	r.Feed().Attach(k)
	if n := MustCount(t, r, "SELECT COUNT(*) FROM one"); n != 0 {
		t.Fatalf("%d rows in a new table, want 0", n)
	}
	replace(other)
	node.Notify()
	repotest.Eventually(t, patience, "a reset", func() bool { return len(k.resetTo()) == 1 })
	if n := MustCount(t, r, "SELECT COUNT(*) FROM other"); n != 0 {
		t.Errorf("%d rows in a new table, want 0", n)
	}
	err = r.View(t.Context(), func(rd repo.Reader) error {
		return rd.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM one").Scan(new(int))
	})
	if err == nil {
		t.Error("a table that this history does not have: got no error, want one")
	}
}

// TestManyReadersAfterARewrittenHistory: when all connections are of the one before, and everybody waits for one,
// no reader gets an error.
func TestManyReadersAfterARewrittenHistory(t *testing.T) {
	o := options(t, filepath.Join(t.TempDir(), "blog.db"), repotest.NewNode(repotest.Primary()))
	o.LiteFS = true
	r := repotest.MustOpen(t, o)
	MustPut(t, r, "a")
	for range 20 {
		var inside, all sync.WaitGroup
		out := make(chan struct{})
		read := func(hold bool) {
			err := r.View(t.Context(), func(rd repo.Reader) error {
				if hold {
					inside.Done()
					<-out
				}
				var n int
				return rd.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM items").Scan(&n)
			})
			if err != nil {
				t.Error(err)
			}
		}
		inside.Add(sqlite.ReadConns)
		for range sqlite.ReadConns {
			all.Go(func() { read(true) })
		}
		inside.Wait()
		for range 2 * sqlite.ReadConns {
			all.Go(func() { read(false) })
		}
		r.DiscardHistory()
		close(out)
		all.Wait()
	}
}
