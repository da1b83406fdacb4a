package repo_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// Each case runs twice: asked on the primary, and on a replica that forwards.
func eachNode(t *testing.T, f func(t *testing.T, c *cluster, r *repo.Repo)) {
	t.Helper()
	t.Run("primary", func(t *testing.T) { c := MustCluster(t); f(t, c, c.primary) })
	t.Run("replica", func(t *testing.T) { c := MustCluster(t); f(t, c, c.replica) })
}

func TestSameKeySameAnswerOneRow(t *testing.T) {
	eachNode(t, func(t *testing.T, c *cluster, r *repo.Repo) {
		t.Helper()
		cmd := put{Item: "a", Value: "1", Topics: []string{"posts"}}
		first, receipt, err := repo.Do(operator(), r, cmd, repo.WithKey("k1"))
		if err != nil {
			t.Fatal(err)
		}
		want := repo.Receipt{Seq: 1, Key: "k1", Cursor: receipt.Cursor, Assurance: receipt.Assurance}
		if diff := cmp.Diff(want, receipt); diff != "" {
			t.Fatalf("the first receipt (-want +got):\n%s", diff)
		}
		for _, again := range []*repo.Repo{c.primary, c.replica} {
			res, second, err := repo.Do(operator(), again, cmd, repo.WithKey("k1"))
			expectReplayed(t, "again", second, err, true)
			if diff := cmp.Diff(first, res); diff != "" {
				t.Errorf("the result of the second (-want +got):\n%s", diff)
			}
			if second.Cursor != receipt.Cursor {
				t.Errorf("again: got the row %v, want %v", second.Cursor, receipt.Cursor)
			}
		}
		if n := MustCount(t, c.replica, "SELECT COUNT(*) FROM writes"); n != 1 {
			t.Errorf("%d rows, want 1", n)
		}
	})
}

func TestKeyReusedForSomethingElse(t *testing.T) {
	eachNode(t, func(t *testing.T, c *cluster, r *repo.Repo) {
		t.Helper()
		cmd := put{Item: "a"}
		repo.MustWrite(operator(), r, cmd, repo.WithKey("k1"))
		_, body := repo.Write(operator(), r, put{Item: "b"}, repo.WithKey("k1"))
		_, actor := repo.Write(as(repo.System), r, cmd, repo.WithKey("k1"))
		_, command := repo.Write(operator(), r, remove(cmd), repo.WithKey("k1"))
		for name, err := range map[string]error{"body": body, "actor": actor, "command": command} {
			expectReason(t, "other "+name, err, apperr.Conflict, apperr.KeyReused)
		}
		if n := MustCount(t, c.primary, "SELECT COUNT(*) FROM writes"); n != 1 {
			t.Errorf("%d rows, want 1", n)
		}
	})
}

func TestRefusalLeavesNothingAndFreesTheKey(t *testing.T) {
	eachNode(t, func(t *testing.T, c *cluster, r *repo.Repo) {
		t.Helper()
		for _, how := range waysToFail() {
			if how == "unavailable" || how == "panic" { // in TestErrorsAreEqualOnEveryNode
				continue
			}
			if _, err := repo.Write(operator(), r, fail{How: how}, repo.WithKey("k1")); err == nil {
				t.Errorf("%s: got no error, want one", how)
			}
		}
		if n := MustCount(t, c.primary, "SELECT (SELECT COUNT(*) FROM writes) + (SELECT COUNT(*) FROM items) + (SELECT "+
			"COUNT(*) FROM topics)"); n != 0 {
			t.Errorf("refusals left %d rows, want 0", n)
		}
		_, receipt, err := repo.Do(operator(), r, put{Item: "a"}, repo.WithKey("k1"))
		expectReplayed(t, "corrected input", receipt, err, false)
		if receipt.Seq != 1 {
			t.Errorf("corrected input: got Seq %d, want 1", receipt.Seq)
		}
	})
}

func TestResultOfNothing(t *testing.T) {
	eachNode(t, func(t *testing.T, _ *cluster, r *repo.Repo) {
		t.Helper()
		for range 2 {
			res, err := repo.Write(operator(), r, remove{Item: "a"}, repo.WithKey("k"))
			if err != nil {
				t.Error(err)
			}
			if res != nil {
				t.Errorf("got the result %+v, want none", res)
			}
		}
	})
}

func TestPrepareRunsBeforeTheLock(t *testing.T) {
	eachNode(t, func(t *testing.T, _ *cluster, r *repo.Repo) {
		t.Helper()
		repo.MustWrite(operator(), r, put{Item: "a"})
		n, err := repo.Write(operator(), r, guess{Item: "x"})
		if err != nil {
			t.Error(err)
		}
		if n != 101 {
			t.Errorf("got %d, want 101", n)
		}
		for _, replayed := range []bool{false, true} {
			got, receipt, doErr := repo.Do(operator(), r, guess{Item: "y"}, repo.WithKey("k"))
			expectReplayed(t, "with a key", receipt, doErr, replayed)
			if got != 101 {
				t.Errorf("with a key, replayed %t: got %d, want 101", replayed, got)
			}
			repo.MustWrite(operator(), r, put{Item: "b"})
		}
		_, err = repo.Write(operator(), r, guess{Item: "bad"})
		repotest.WantFields(t, err, "item")
	})
}

func TestBadKeys(t *testing.T) {
	eachNode(t, func(t *testing.T, _ *cluster, r *repo.Repo) {
		t.Helper()
		for _, key := range []string{"a\nb", "\x00", "\xff", string(make([]byte, 201))} {
			_, err := repo.Write(operator(), r, put{Item: "a"}, repo.WithKey(key))
			if e := expectCode(t, fmt.Sprintf("key %q", key), err, apperr.Invalid); e.Fields["key"] == "" {
				t.Errorf("key %q: got %v, want a message for the field key", key, err)
			}
		}
		const key = "Schlüssel 鍵 1"
		_, receipt, err := repo.Do(operator(), r, put{Item: "a"}, repo.WithKey(key))
		if err != nil {
			t.Error(err)
		}
		if receipt.Key != key {
			t.Errorf("got Key %q, want %q", receipt.Key, key)
		}
	})
}

func TestMustWritePanics(t *testing.T) {
	c := MustCluster(t)
	defer func() {
		got := recover()
		err, ok := got.(error)
		if !ok {
			t.Errorf("recovered %v, want an error", got)
		}
		if !errors.Is(err, apperr.Invalid) {
			t.Errorf("recovered %v, want %v", err, apperr.Invalid)
		}
	}()
	repo.MustWrite(operator(), c.primary, put{})
}

func TestSameKeyAtTheSameTime(t *testing.T) {
	c := MustCluster(t)
	const askers = 12
	type answer struct {
		res     putResult
		receipt repo.Receipt
		err     error
	}
	answers := make(chan answer, askers)
	for i := range askers {
		r := []*repo.Repo{c.primary, c.replica}[i%2]
		go func() {
			res, receipt, err := repo.Do(operator(), r, put{Item: "a"}, repo.WithKey("k"))
			answers <- answer{res, receipt, err}
		}()
	}
	fresh := 0
	first := <-answers
	for i := 0; i < askers; i++ {
		a := first
		if i > 0 {
			a = <-answers
		}
		if a.err != nil {
			t.Error(a.err)
		}
		if diff := cmp.Diff(first.res, a.res); diff != "" {
			t.Errorf("the result, compared with the first (-want +got):\n%s", diff)
		}
		if got, want := a.receipt.Cursor, first.receipt.Cursor; got != want {
			t.Errorf("got the row %v, want the first answer's, %v", got, want)
		}
		if !a.receipt.Replayed {
			fresh++
		}
	}
	if n := MustCount(t, c.primary, "SELECT COUNT(*) FROM writes"); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
	if fresh != 1 {
		t.Errorf("carried out %d times, want 1", fresh)
	}
}
