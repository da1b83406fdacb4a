package repo_test

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// TestCanary, in a bubble of synctest: it fails only when a primary cannot begin a transaction, not when it has much to
// do.
func TestCanary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entered, goOn := make(chan struct{}), make(chan struct{})
		node := repotest.NewNode(repotest.Primary())
		o := options(t, filepath.Join(t.TempDir(), "blog.db"), node)
		o.Authorize = func(context.Context, *repo.Tx) error { close(entered); <-goOn; return nil }
		primary := repotest.MustOpen(t, o)
		o.Node, o.LiteFS = node.Beside(repotest.Replica("http://primary.example")), true
		replica := repotest.MustOpen(t, o)
		if err := primary.Canary(t.Context()); err != nil {
			t.Errorf("a sound one: got %v, want no error", err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := repo.Write(as("user:1"), primary, put{Item: "slow"})
			done <- err
		}()
		<-entered
		if err := primary.Canary(within(t, 100*time.Millisecond)); err != nil {
			t.Errorf("behind a slow write: got %v, want no error", err)
		}
		close(goOn)
		if err := <-done; err != nil {
			t.Errorf("the slow write: got %v, want no error", err)
		}
		tx, err := repotest.MustRaw(t, o.Path).BeginTx(t.Context(), nil) // immediate
		if err != nil {
			t.Fatal(err)
		}
		if err := primary.Canary(t.Context()); err == nil {
			t.Error("while somebody else keeps the lock: got no error, want one")
		}
		if err := replica.Canary(t.Context()); err != nil {
			t.Errorf("a replica, which writes nothing: got %v, want no error", err)
		}
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
		if err := primary.Canary(t.Context()); err != nil {
			t.Errorf("when the lock is free again: got %v, want no error", err)
		}
	})
}
