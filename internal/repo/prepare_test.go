package repo_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// prober is a command whose Prepare does what the test put into the context of the write, and refuses with what that
// returns; where it returns "" there is nothing to do.
type prober struct{}

type probeKey struct{}

func (prober) Name() string { return "items.prober" }

func (p prober) Prepare(ctx context.Context, v repo.Viewer) (repo.Command[string], error) {
	probe, _ := ctx.Value(probeKey{}).(func(v repo.Viewer) (string, error))
	saw, err := probe(v)
	if err != nil || saw == "" {
		return p, err
	}
	return nil, apperr.Errorf(apperr.Conflict, "%s", saw)
}

func (prober) Apply(_ context.Context, tx *repo.Tx) (string, error) { tx.NoChange(); return "", nil }

// MustProbe opens a primary under LiteFS on the file at path, with an item where there was none, and returns how its
// Prepare is probed.
func MustProbe(t *testing.T, path string) func(ctx context.Context, probe func(v repo.Viewer) (string, error)) error {
	t.Helper()
	o := indexed(t, path, repotest.NewNode(repotest.Primary()))
	o.Registry = repotest.MustRegistry(t, []repo.Registration{repo.Register[put](), repo.Register[prober]()})
	_, missing := os.Stat(path)
	r := repotest.MustOpen(t, o)
	if missing != nil {
		MustPut(t, r, "common")
	}
	return func(ctx context.Context, probe func(v repo.Viewer) (string, error)) error {
		_, err := repo.Write(context.WithValue(ctx, probeKey{}, probe), r, prober{})
		return err
	}
}

// names returns the items' names, in the order of the alphabet.
func names(ctx context.Context, v repo.Viewer) (list string, err error) {
	err = v.View(ctx, func(rd repo.Reader) error {
		return rd.QueryRowContext(ctx, "SELECT group_concat(name, ' ' ORDER BY name) FROM items").Scan(&list)
	})
	return list, err
}

// TestPrepareReadsWhatIsThere: nothing that Prepare has read outlives its transaction, as for every other reader. The
// two copies have equal headers, so SQLite would use the pages in its cache.
func TestPrepareReadsWhatIsThere(t *testing.T) {
	one, other := MustHistories(t)
	path := filepath.Join(t.TempDir(), "blog.db")
	if err := os.WriteFile(path, one, 0o600); err != nil {
		t.Fatal(err)
	}
	probe := MustProbe(t, path)
	err := probe(operator(), func(v repo.Viewer) (string, error) {
		now, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		if !bytes.Equal(now, one) {
			t.Errorf("got a file of %d other bytes, want those of before it was opened, %d", len(now), len(one))
		}
		before, err := names(operator(), v)
		if err != nil {
			t.Error(err)
		}
		if want := "a1 common"; before != want {
			t.Errorf("at first it reads %q, want %q", before, want)
		}
		if err := os.WriteFile(path, other, 0o600); err != nil {
			t.Error(err)
		}
		return names(operator(), v)
	})
	if e := apperr.From(err); e.Message != "b1 b2 common" {
		t.Errorf("then it reads %q, want the items of the other history, %q", e.Message, "b1 b2 common")
	}
}

// TestPrepareWaitsForARollback: a transaction that could not be committed is rolled back before a read of Prepare
// ends, and nothing has to be prepared a second time.
func TestPrepareWaitsForARollback(t *testing.T) {
	path := filepath.Join(t.TempDir(), "blog.db")
	probe := MustProbe(t, path)
	var times atomic.Int64
	err := probe(operator(), func(v repo.Viewer) (string, error) {
		if times.Add(1) == 1 {
			MustLeave(t, path)
		}
		return names(operator(), v)
	})
	if got := apperr.From(err).Message; got != "common" {
		t.Errorf("it reads %q, want %q", got, "common")
	}
	if n := times.Load(); n != 1 {
		t.Errorf("it was prepared %d times, want 1", n)
	}
}

// TestPrepareEndsItsReads: they end with the call, whatever context the queries have.
func TestPrepareEndsItsReads(t *testing.T) {
	probe := MustProbe(t, filepath.Join(t.TempDir(), "blog.db"))
	ctx, cancel := context.WithTimeout(operator(), 100*time.Millisecond)
	defer cancel()
	err := probe(ctx, func(v repo.Viewer) (string, error) {
		return "", v.View(ctx, func(rd repo.Reader) error {
			var n int
			const endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT COUNT(*) FROM c"
			return rd.QueryRowContext(context.Background(), endless).Scan(&n)
		})
	})
	if !apperr.HasReason(err, apperr.NoPrimary) {
		t.Errorf("the author is told %v, want the reason %v: nothing was saved", err, apperr.NoPrimary)
	}
}

// TestPrepareReadsInNoRead: a transaction would be open between the two reads.
func TestPrepareReadsInNoRead(t *testing.T) {
	probe := MustProbe(t, filepath.Join(t.TempDir(), "blog.db"))
	err := probe(operator(), func(v repo.Viewer) (string, error) {
		return "", v.View(operator(), func(repo.Reader) error {
			_, err := names(operator(), v)
			return err
		})
	})
	expectCode(t, "a read inside a read", err, apperr.Internal)
	err = probe(operator(), func(v repo.Viewer) (string, error) { return names(operator(), v) })
	if got := apperr.From(err).Message; got != "common" {
		t.Errorf("the next one reads %q, want %q", got, "common")
	}
}

// unheard has a Prepare with a signature that Register does not know.
type unheard struct{ put }

func (unheard) Prepare(context.Context, repo.Reader) (repo.Command[putResult], error) {
	return nil, nil
}

// TestRegistryRefusesAPrepareThatIsNone: such as one from before a change of Preparer.
func TestRegistryRefusesAPrepareThatIsNone(t *testing.T) {
	if _, err := repo.NewRegistry([]repo.Registration{repo.Register[unheard]()}); err == nil {
		t.Error("registered, want an error: its Prepare would never be called")
	}
}

// TestARetryWhosePrepareRefuses: a call that was carried out is answered with its row, also where what it did keeps it
// from being prepared again.
func TestARetryWhosePrepareRefuses(t *testing.T) {
	eachNode(t, func(t *testing.T, _ *cluster, r *repo.Repo) {
		t.Helper()
		first, receipt, err := repo.Do(operator(), r, create{Item: "a"}, repo.WithKey("k"))
		expectReplayed(t, "the first time", receipt, err, false)
		again, receipt, err := repo.Do(operator(), r, create{Item: "a"}, repo.WithKey("k"))
		expectReplayed(t, "asked again", receipt, err, true)
		if diff := cmp.Diff(first, again); diff != "" {
			t.Errorf("asked again (-want +got):\n%s", diff)
		}
		_, err = repo.Write(operator(), r, create{Item: "a"})
		expectCode(t, "by another call", err, apperr.Conflict)
	})
}
