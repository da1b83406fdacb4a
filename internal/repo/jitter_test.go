package repo_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// TestCallsThatWaitedDoNotComeAtOnce: when a primary is found, those that have waited for
// it are spread over a tenth of a second; and while there is none, each tries again at
// its own random times.
func TestCallsThatWaitedDoNotComeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := repotest.NewNode(repotest.Unknown())
		var mu sync.Mutex
		var arrived []time.Time
		handler := repo.Forward(node, nil, slog.New(slog.DiscardHandler))(func(context.Context, *repo.Call) error {
			mu.Lock()
			defer mu.Unlock()
			arrived = append(arrived, time.Now())
			return nil
		})
		const calls = 100
		var running sync.WaitGroup
		for range calls {
			running.Go(func() {
				if err := handler(t.Context(), &repo.Call{Name: "items.put", Deadline: time.Now().Add(time.Minute)}); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(5 * time.Second)
		begun := time.Now()
		node.Set(repotest.Primary())
		running.Wait()
		slices.SortFunc(arrived, time.Time.Compare)
		most, run := 0, 0
		for i, at := range arrived {
			if i > 0 && at.Equal(arrived[i-1]) {
				run++
			} else {
				run = 1
			}
			most = max(most, run)
		}
		first, last := arrived[0].Sub(begun), arrived[calls-1].Sub(begun)
		if most > 3 {
			t.Errorf("%d of %d calls came in one moment, want at most 3", most, calls)
		}
		if spread := last - first; spread < 60*time.Millisecond {
			t.Errorf("the calls came within %v, the first after %v, want them over at least 60ms", spread, first)
		}
		if last > 100*time.Millisecond {
			t.Errorf("the last call came after %v, want at most 100ms", last)
		}
	})
}
