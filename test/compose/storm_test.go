//go:build compose

package compose_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"blog/test/compose"
)

// TestFaults runs on one project the schedules of events that a storm meets only by luck, then every fault once, in a
// fixed order, and then three that are drawn from the seed.
func TestFaults(t *testing.T) {
	faults := selected(t, compose.Faults())
	if len(faults) == 0 {
		return
	}
	s := compose.Start(t, seed(t))
	if everything() {
		schedules(t, s)
	}
	for _, fault := range faults {
		if !t.Run(fault.Name, func(t *testing.T) { s.Run(t, fault) }) {
			t.FailNow() // the cluster is in an unknown state
		}
	}
	if everything() { // a single one may leave no outcome unknown
		chaos(t, s, drawn)
		s.Counted(t)
	}
}

// schedules runs the schedules of events.
func schedules(t *testing.T, s *compose.Storm) {
	t.Helper()
	ok := t.Run("2. unknown, discarded, asked again in another order", func(t *testing.T) {
		s.Discarded(t, "case 2", false)
	})
	ok = ok && t.Run("3. the same, after replicas have shown them", func(t *testing.T) { s.Discarded(t, "case 3", true) })
	ok = ok && t.Run("4. one key at once on two nodes during a failover", func(t *testing.T) { s.AtOnce(t) })
	if !ok {
		t.FailNow()
	}
}

// chaos runs the first n of the faults that are drawn.
func chaos(t *testing.T, s *compose.Storm, n int) {
	t.Helper()
	for i := range n {
		if !t.Run(fmt.Sprint("drawn ", i+1), func(t *testing.T) { s.Chaos(t, i+1) }) {
			t.FailNow()
		}
	}
}

// TestHeldBack runs the schedule that needs another durability, on a project of its own.
func TestHeldBack(t *testing.T) {
	if !everything() {
		return
	}
	t.Run("1. not acknowledged before the standby has it", func(t *testing.T) {
		compose.Start(t, seed(t), "DURABILITY=strict").HeldBack(t)
	})
}

// TestPowerLoss runs the faults of candidates that lose their power, on a project of its own: volumes that remember
// what was not synced cost every write something.
func TestPowerLoss(t *testing.T) {
	faults := selected(t, compose.PowerFaults())
	if len(faults) == 0 {
		return
	}
	s := compose.Start(t, seed(t), compose.OnVolumes)
	for _, fault := range faults {
		if !t.Run(fault.Name, func(t *testing.T) { s.Run(t, fault) }) {
			t.FailNow()
		}
	}
}

// TestChaos draws faults, victims and moments from a seed: SEED, or the time. FAULTS is how many. VOLUMES=1 draws
// losses of power as well.
func TestChaos(t *testing.T) {
	n := seed(t)
	t.Logf("seed %d: make chaos SEED=%d FAULTS=%d", n, n, faults(t))
	var env []string
	if os.Getenv("VOLUMES") != "" {
		env = append(env, compose.OnVolumes)
	}
	s := compose.Start(t, n, env...)
	s.Only = os.Getenv("FAULT")
	if s.Drawable() == 0 {
		t.Fatalf("FAULT=%q is in no name of what is drawn", s.Only)
	}
	chaos(t, s, faults(t))
	if faults(t) >= fewest && s.Only == "" {
		s.Counted(t)
	}
}

// everything reports whether everything is to run, and not the faults that FAULT names.
func everything() bool { return os.Getenv("FAULT") == "" }

// selected returns those of the faults that FAULT names, all without it. There are none where it names another test's.
func selected(t *testing.T, faults []compose.Fault) []compose.Fault {
	t.Helper()
	some := compose.Named(faults, os.Getenv("FAULT"))
	if len(some) == 0 && len(named()) == 0 {
		t.Fatalf("FAULT=%q is in no fault's name", os.Getenv("FAULT"))
	}
	t.Logf("%d of %d faults", len(some), len(faults))
	return some
}

// named returns all faults that FAULT names.
func named() []compose.Fault {
	all := append(compose.Faults(), compose.PowerFaults()...)
	return compose.Named(all, os.Getenv("FAULT"))
}

// fewest is how many drawn faults are expected to leave at least one outcome unknown.
const fewest = 6

// drawn is how many faults TestFaults draws after one of each kind, and TestChaos without FAULTS.
const drawn = 3

func seed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("SEED")
	if text == "" {
		return uint64(time.Now().UnixNano()) % 1e9
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("SEED: %v", err)
	}
	return n
}

func faults(t *testing.T) int {
	t.Helper()
	text := os.Getenv("FAULTS")
	if text == "" {
		return drawn
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("FAULTS: %q", text)
	}
	return n
}
