package compose_test

import (
	"testing"
	"time"

	"blog/test/compose"
)

// TestExceeds: a limit fails at twice its time and twice the machine's own, and a node that hangs fails on every
// machine.
func TestExceeds(t *testing.T) {
	for name, c := range map[string]struct {
		took, limit, work time.Duration
		fails             bool
	}{
		"within the limit":           {took: 19 * time.Second, limit: 20 * time.Second},
		"within twice the limit":     {took: 40 * time.Second, limit: 20 * time.Second},
		"over it, without a measure": {took: 41 * time.Second, limit: 20 * time.Second, fails: true},
		"over it, on a slow machine": {took: 41 * time.Second, limit: 20 * time.Second, work: 8 * time.Second},
		"over its allowance as well": {took: 57 * time.Second, limit: 20 * time.Second, work: 8 * time.Second, fails: true},
	} {
		if err := compose.Exceeds(c.took, c.limit, c.work); (err != nil) != c.fails {
			t.Errorf("%s: %v, want an error: %t", name, err, c.fails)
		}
	}
	slowest := compose.SlowestStart + compose.SlowestWrite
	if err := compose.Exceeds(compose.UpLimit, compose.LongestLimit, slowest); err == nil {
		t.Error("on the slowest machine a storm stops waiting before a limit fails: that limit shows nothing")
	}
}

// TestCheckSpeed: a machine that is too slow, or on which something hangs, fails before the first fault.
func TestCheckSpeed(t *testing.T) {
	start, write := compose.SlowestStart, compose.SlowestWrite
	if err := compose.CheckSpeed(start, write); err != nil {
		t.Errorf("the slowest machine: %v", err)
	}
	for _, s := range [][2]time.Duration{{start + 1, write}, {start, write + 1}} {
		if err := compose.CheckSpeed(s[0], s[1]); err == nil {
			t.Errorf("a machine that takes %s is fast enough", s)
		}
	}
}
