package repo_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// keeper is a Durability that holds all answers until the test lets them go.
type keeper struct {
	mu      sync.Mutex
	waiting int
	open    chan struct{}
}

func (k *keeper) Lead(context.Context, <-chan struct{}) error { return nil }
func (k *keeper) Resign()                                     {}
func (k *keeper) Await(ctx context.Context, _ repo.Cursor, over <-chan struct{}) (repo.Assurance, error) {
	k.mu.Lock()
	k.waiting++
	k.mu.Unlock()
	select {
	case <-k.open:
		return repo.Two, nil
	case <-over:
		return "", context.Canceled
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (k *keeper) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.waiting
}

// TestTooManyWait: a thousand calls wait, without holding the writing connection; one
// more is refused at once, and nothing is done for it.
func TestTooManyWait(t *testing.T) {
	k := &keeper{open: make(chan struct{})}
	o := options(t, filepath.Join(t.TempDir(), "blog.db"), repotest.NewSeat(repotest.Primary()))
	o.Durability = k
	r := repotest.MustOpen(t, o)
	const most = 1000
	ended := make(chan error, most)
	for i := range most {
		go func() {
			_, receipt, err := repo.Do(operator(), r, put{Item: fmt.Sprint(i)})
			if err == nil && receipt.Assurance != repo.Two {
				err = fmt.Errorf("rests on %q", receipt.Assurance)
			}
			ended <- err
		}()
	}
	repotest.Eventually(t, patience, "all wait", func() bool { return k.count() == most })
	if _, err := repo.Write(operator(), r, put{Item: "one more"}); !repo.HasReason(err, repo.Overloaded) || repo.AsError(err).RetryAfter == 0 {
		t.Errorf("one more: %v", err)
	}
	close(k.open)
	for range most {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if n := MustCount(t, r, "SELECT COUNT(*) FROM writes"); n != most {
		t.Errorf("%d rows, want %d", n, most)
	}
	if _, err := repo.Write(operator(), r, put{Item: "now"}); err != nil {
		t.Errorf("when there is room again: %v", err)
	}
}
