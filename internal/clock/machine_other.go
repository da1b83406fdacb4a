//go:build !linux

package clock

import "time"

// machine reads Go's monotonic clock, which may stand still while the machine is
// suspended.
func machine() Source {
	start := time.Now()
	return func() Reading {
		now := time.Now()
		return Reading{Wall: now.Round(0).UTC(), Mono: now.Sub(start)}
	}
}

// bootTime is not read here.
func bootTime() time.Duration { return 0 }
