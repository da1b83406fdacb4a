package repo_test

import (
	"errors"
	"testing"

	"blog/internal/apperr"
	"blog/internal/repo"
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
		if err != nil || receipt.Replayed || receipt.Seq != 1 || receipt.Key != "k1" {
			t.Fatalf("first: %+v, %v, want no error, Replayed false, Seq 1 and Key %q", receipt, err, "k1")
		}
		for _, again := range []*repo.Repo{c.primary, c.replica} {
			res, second, err := repo.Do(operator(), again, cmd, repo.WithKey("k1"))
			if err != nil || !second.Replayed || res != first || second.Cursor != receipt.Cursor {
				t.Errorf("again: %+v %+v, %v; want %+v %+v", res, second, err, first, receipt)
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
			if !errors.Is(err, apperr.Conflict) || !apperr.HasReason(err, apperr.KeyReused) {
				t.Errorf("other %s: %v, want key_reused", name, err)
			}
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
				t.Errorf("%s: no error", how)
			}
		}
		if n := MustCount(t, c.primary, "SELECT (SELECT COUNT(*) FROM writes) + (SELECT COUNT(*) FROM items) + (SELECT "+
			"COUNT(*) FROM topics)"); n != 0 {
			t.Errorf("refusals left %d rows, want 0", n)
		}
		if _, receipt, err := repo.Do(operator(), r, put{Item: "a"}, repo.WithKey("k1")); err != nil || receipt.Replayed ||
			receipt.Seq != 1 {
			t.Errorf("corrected input: %+v, %v, want no error, Replayed false and Seq 1", receipt, err)
		}
	})
}

func TestResultOfNothing(t *testing.T) {
	eachNode(t, func(t *testing.T, _ *cluster, r *repo.Repo) {
		t.Helper()
		for range 2 {
			res, err := repo.Write(operator(), r, remove{Item: "a"}, repo.WithKey("k"))
			if res != nil || err != nil {
				t.Errorf("got %v, %v, want nil and no error", res, err)
			}
		}
	})
}

func TestPrepareRunsBeforeTheLock(t *testing.T) {
	eachNode(t, func(t *testing.T, _ *cluster, r *repo.Repo) {
		t.Helper()
		repo.MustWrite(operator(), r, put{Item: "a"})
		if n, err := repo.Write(operator(), r, guess{Item: "x"}); n != 101 || err != nil {
			t.Errorf("got %d, %v, want 101 and no error", n, err)
		}
		if n, receipt, err := repo.Do(operator(), r, guess{Item: "y"}, repo.WithKey("k")); n != 101 || receipt.Replayed ||
			err != nil {
			t.Errorf("got %d, %+v, %v, want 101, Replayed false and no error", n, receipt, err)
		}
		repo.MustWrite(operator(), r, put{Item: "b"})
		if n, receipt, err := repo.Do(operator(), r, guess{Item: "y"}, repo.WithKey("k")); n != 101 || !receipt.Replayed ||
			err != nil {
			t.Errorf("asked again: %d, %+v, %v, want 101, Replayed true and no error", n, receipt, err)
		}
		_, err := repo.Write(operator(), r, guess{Item: "bad"})
		if e := apperr.From(err); e.Code != apperr.Invalid || e.Fields["item"] == "" {
			t.Errorf("got %v, want %v of the field item", err, apperr.Invalid)
		}
	})
}

func TestBadKeys(t *testing.T) {
	eachNode(t, func(t *testing.T, _ *cluster, r *repo.Repo) {
		t.Helper()
		for _, key := range []string{"a\nb", "\x00", "\xff", string(make([]byte, 201))} {
			_, err := repo.Write(operator(), r, put{Item: "a"}, repo.WithKey(key))
			if e := apperr.From(err); e.Code != apperr.Invalid || e.Fields["key"] == "" {
				t.Errorf("key %q: %v, want %v of the field key", key, err, apperr.Invalid)
			}
		}
		if _, receipt, err := repo.Do(operator(), r, put{Item: "a"}, repo.WithKey("Schlüssel 鍵 1")); err != nil ||
			receipt.Key != "Schlüssel 鍵 1" {
			t.Errorf("got %+v, %v, want no error and Key %q", receipt, err, "Schlüssel 鍵 1")
		}
	})
}

func TestMustWritePanics(t *testing.T) {
	c := MustCluster(t)
	defer func() {
		if err, ok := recover().(error); !ok || !errors.Is(err, apperr.Invalid) {
			t.Errorf("recovered %v, %v, want true and %v", err, ok, apperr.Invalid)
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
		if a.err != nil || a.res != first.res || a.receipt.Cursor != first.receipt.Cursor {
			t.Errorf("got %+v, want %+v", a, first)
		}
		if !a.receipt.Replayed {
			fresh++
		}
	}
	if n := MustCount(t, c.primary, "SELECT COUNT(*) FROM writes"); n != 1 || fresh != 1 {
		t.Errorf("%d rows, carried out %d times, want 1 and 1", n, fresh)
	}
}
