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
			h := p.a.Health(ctx)
			if !h.Ready {
				t.Errorf("while the writer is held: got %+v, want it ready", h)
			}
			if h.Writing.State != repo.WriteFit { // as it was seen last
				t.Errorf("while the writer is held: got state %s, want %s", h.Writing.State, repo.WriteFit)
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
					at, err := r.Find(t.Context())
					if err != nil {
						t.Error(err)
					}
					if age := time.Since(at); age > time.Second {
						t.Errorf("found %s ago, want at most %s", age, time.Second)
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
			if got := time.Since(start); got != elapsed {
				t.Errorf("%s: answered after %s, want after %s", what, got, elapsed)
			}
			if got := time.Since(at); got != age {
				t.Errorf("%s: found %s ago, want %s ago", what, got, age)
			}
			if !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", what, err, want)
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
