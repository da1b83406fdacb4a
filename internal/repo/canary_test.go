package repo_test

import (
	"context"
	"testing"
	"time"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// TestCanary: only what keeps a primary from beginning a transaction is a failure, not
// that it has much to do.
func TestCanary(t *testing.T) {
	t.Parallel()
	entered, goOn := make(chan struct{}), make(chan struct{})
	c := hooked(t, func(context.Context) error { close(entered); <-goOn; return nil })
	if err := c.primary.Canary(t.Context()); err != nil {
		t.Errorf("a sound one: %v", err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := repo.Write(as("user:1"), c.primary, put{Item: "slow"})
		done <- err
	}()
	<-entered
	if err := c.primary.Canary(within(t, 100*time.Millisecond)); err != nil {
		t.Errorf("behind a slow write: %v", err)
	}
	close(goOn)
	if err := <-done; err != nil {
		t.Errorf("the slow write: %v", err)
	}
	tx, err := repotest.MustRaw(t, c.path).BeginTx(t.Context(), nil) // immediate
	if err != nil {
		t.Fatal(err)
	}
	if err := c.primary.Canary(t.Context()); err == nil {
		t.Error("nothing is wrong while somebody else keeps the lock")
	}
	if err := c.replica.Canary(t.Context()); err != nil {
		t.Errorf("a replica writes nothing: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
	if err := c.primary.Canary(t.Context()); err != nil {
		t.Errorf("the lock is free again: %v", err)
	}
}
