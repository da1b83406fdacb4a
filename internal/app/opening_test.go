package app_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"blog/internal/app"
)

// TestOpeningThatHangs, in a bubble of synctest: a step of opening a node reads a disk that hangs, and no context ends
// it. A node under LiteFS ends after a minute and three seconds, any node 8 s after it was told to.
func TestOpeningThatHangs(t *testing.T) {
	for _, c := range []struct {
		name   string
		litefs bool
		stopAt time.Duration // when the node is to end; 0 is never
		hangs  time.Duration // until the step returns
		want   error
		took   time.Duration
	}{
		{"it opens in time", true, 0, time.Minute, nil, time.Minute},
		{"it opens as soon as the process, which was stopped, runs again", true, 0, 62 * time.Second, nil, 62 * time.Second},
		{"it hangs", true, 0, time.Hour, app.ErrBroken, 63 * time.Second},
		{"a plain file is migrated for an hour", false, 0, time.Hour, nil, time.Hour},
		{"it hangs, and is told to end", true, 5 * time.Second, time.Hour, app.ErrUnclosed, 13 * time.Second},
		{"a plain file hangs, and is told to end", false, 2 * time.Minute, time.Hour, app.ErrUnclosed, 128 * time.Second},
		{"it is told to end, and opens all the same", true, 5 * time.Second, 10 * time.Second, nil, 10 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, end := context.WithCancel(t.Context())
				defer end()
				if c.stopAt > 0 {
					time.AfterFunc(c.stopAt, end)
				}
				release := make(chan struct{})
				want, began := new(app.Server), time.Now()
				var config app.Config
				if c.litefs {
					config.LiteFSURL = "http://localhost:20202"
				}
				s, err := app.OpenWithin(ctx, config, func(context.Context) (*app.Server, error) {
					select { // whatever ctx says
					case <-time.After(c.hangs):
					case <-release:
					}
					return want, nil
				})
				took := time.Since(began)
				close(release)
				synctest.Wait()
				if !errors.Is(err, c.want) {
					t.Errorf("got error %v, want %v", err, c.want)
				}
				if c.want == nil && s != want {
					t.Errorf("got server %p, want the one that was opened, %p", s, want)
				}
				if c.want != nil && s != nil {
					t.Errorf("got server %p, want none", s)
				}
				if took != c.took {
					t.Errorf("it took %s, want %s", took, c.took)
				}
			})
		})
	}
}
