package repo_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"blog/internal/repo"
)

// TestReadyWhileTheWriterIsHeld: by a write that does not end, with others behind it, in both journal modes.
func TestReadyWhileTheWriterIsHeld(t *testing.T) {
	for name, litefs := range map[string]bool{"a plain file": false, "under LiteFS": true} {
		t.Run(name, func(t *testing.T) {
			entered, goOn := make(chan struct{}), make(chan struct{})
			var once sync.Once
			p := MustPair(t, func(o *repo.Options) {
				o.LiteFS = litefs
				o.Authorize = func(context.Context, *repo.Tx) error {
					once.Do(func() { close(entered); <-goOn })
					return nil
				}
			})
			var writers sync.WaitGroup
			for i := range 100 {
				writers.Go(func() {
					if _, err := repo.Write(as("user:1"), p.a, put{Item: fmt.Sprint(i)}); err != nil {
						t.Error(err)
					}
				})
			}
			<-entered
			ctx, cancel := context.WithTimeout(t.Context(), patience) // the writer is held for longer
			defer cancel()
			if h := p.a.Health(ctx); !h.Ready || h.Writing.State != repo.WriteFit {
				t.Errorf("while the writer is held: %+v, want it ready, and fit as it was seen last", h)
			}
			close(goOn)
			writers.Wait()
		})
	}
}

// TestOneReadForAllWhoAsk, in a bubble of synctest: one read answers all callers within a second.
func TestOneReadForAllWhoAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		r := repo.NewReadiness(t.Context(), func(context.Context) error {
			reads++
			time.Sleep(100 * time.Millisecond)
			return nil
		})
		defer r.Close()
		ask := func(want int, after time.Duration) {
			t.Helper()
			time.Sleep(after)
			var all sync.WaitGroup
			for range 1000 {
				all.Go(func() {
					if at, err := r.Find(t.Context()); err != nil || time.Since(at) > time.Second {
						t.Errorf("found at %s: %v, want no error and at most %v", at, err, time.Second)
					}
				})
			}
			all.Wait()
			if reads != want {
				t.Errorf("the database was read %d times for all, want %d", reads, want)
			}
		}
		ask(1, 0)
		ask(1, 999*time.Millisecond)
		ask(2, time.Millisecond)
	})
}

// TestReadinessWhileAReadHangs, in a bubble of synctest: a caller gets the last good result, which must not be old.
func TestReadinessWhileAReadHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := false
		errLate := errors.New("too late")
		r := repo.NewReadiness(t.Context(), func(ctx context.Context) error {
			if !hangs {
				return nil
			}
			<-ctx.Done()
			return errLate
		})
		defer r.Close()
		ask := func(what string, elapsed, age time.Duration, want error) {
			t.Helper()
			start := time.Now()
			at, err := r.Find(t.Context())
			if got := time.Since(start); got != elapsed || time.Since(at) != age || !errors.Is(err, want) {
				t.Errorf("%s: %v, found %s ago, after %s; want %v, %s ago, after %s",
					what, err, time.Since(at), got, want, age, elapsed)
			}
		}
		ask("a sound one", 0, 0, nil)
		hangs = true
		time.Sleep(2 * time.Second)
		ask("the first that hangs", time.Second, 3*time.Second, nil)
		ask("while it hangs", time.Second, 4*time.Second, nil)
		ask("until it fails", time.Second, 5*time.Second, nil)
		time.Sleep(4 * time.Second) // it has failed at 9 s
		ask("a failed one", 0, 0, errLate)
		hangs = false
		time.Sleep(time.Second)
		ask("a sound one again", 0, 0, nil)
		hangs = true
		time.Sleep(9500 * time.Millisecond)
		ask("a read that hangs, and none that was good within 10 s", 7*time.Second, 0, errLate)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		time.Sleep(time.Second)
		if _, err := r.Find(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who does not wait is told %v, want %v", err, context.DeadlineExceeded)
		}
	})
}
