package repo_test

import (
	"context"
	"fmt"
	"testing"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// stubborn is a command whose Apply always wants another Prepare.
type stubborn struct{}

// stubbornly counts the Prepares and Applies of the one stubborn of a test.
var stubbornly struct{ prepared, applied, last int }

func (stubborn) Name() string { return "items.stubborn" }

func (s stubborn) Prepare(context.Context, repo.Viewer) (repo.Command[int], error) {
	stubbornly.prepared++
	return s, nil
}

func (stubborn) Apply(ctx context.Context, tx *repo.Tx) (int, error) {
	stubbornly.applied++
	if _, err := tx.ExecContext(ctx, "INSERT INTO items (name, value) VALUES ('stubborn', '')"); err != nil {
		return 0, err
	}
	if err := tx.PrepareAgain(); err != nil {
		return 0, fmt.Errorf("again: %w", err)
	}
	stubbornly.last++
	return stubbornly.prepared, nil
}

// eager is a stubborn without a Prepare.
type eager struct{}

func (eager) Name() string { return "items.eager" }
func (eager) Apply(_ context.Context, tx *repo.Tx) (int, error) {
	return 1, tx.PrepareAgain()
}

// TestPrepareAgain: each time in a transaction that is rolled back, three times at the
// most, and never for a command that has no Prepare.
func TestPrepareAgain(t *testing.T) {
	stubbornly.prepared, stubbornly.applied, stubbornly.last = 0, 0, 0
	c := MustCluster(t, func(o *repo.Options) {
		o.Registry = repotest.MustRegistry(t, []repo.Registration{repo.Register[stubborn](), repo.Register[eager]()})
	})
	got, receipt, err := repo.Do(operator(), c.primary, stubborn{})
	if err != nil {
		t.Error(err)
	}
	if got != 3 {
		t.Errorf("got the result of Prepare %d, want of Prepare 3", got)
	}
	if stubbornly.applied != 3 {
		t.Errorf("got %d Applies, want 3", stubbornly.applied)
	}
	if stubbornly.last != 1 {
		t.Errorf("got %d Applies that were not to be prepared again, want 1", stubbornly.last)
	}
	if receipt.Seq != 1 {
		t.Errorf("got Seq %d, want 1", receipt.Seq)
	}
	if n := MustCount(t, c.primary, "SELECT COUNT(*) FROM items"); n != 1 {
		t.Errorf("%d rows of the command, want 1", n)
	}
	if _, err := repo.Write(operator(), c.primary, eager{}); err != nil {
		t.Errorf("without a Prepare: got %v, want no error", err)
	}
}
