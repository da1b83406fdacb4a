//go:build linux

package mount_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"blog/internal/litefs/mount"
)

func TestWatchdog(t *testing.T) {
	for name, c := range map[string]struct {
		delay time.Duration // a question, from the third on
		stuck bool
	}{
		"answers":         {0, false},
		"answers late":    {15 * time.Second, false},
		"does not answer": {time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				asked, stuck := 0, false // one question at a time
				mount.Watchdog(ctx, func() {
					if asked++; asked > 2 {
						select {
						case <-time.After(c.delay):
						case <-ctx.Done():
						}
					}
				}, func() { stuck = true })
				cancel()
				synctest.Wait()
				if stuck != c.stuck || asked < 3 || (!c.stuck && asked < 30) {
					t.Errorf("stuck: %t, after %d questions", stuck, asked)
				}
			})
		})
	}
}
