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

// TestFaults runs every fault once, in a fixed order, on one project.
func TestFaults(t *testing.T) {
	faults := selected(t, compose.Faults())
	if len(faults) == 0 {
		return
	}
	s := compose.Start(t, seed(t))
	for _, fault := range faults {
		if !t.Run(fault.Name, func(t *testing.T) { s.Run(t, fault) }) {
			t.FailNow() // the cluster is in an unknown state
		}
	}
	if len(faults) == len(compose.Faults()) { // a single one may leave no outcome unknown
		s.Counted(t)
	}
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

// TestDeterministic runs the schedules of events that a storm meets only by luck.
func TestDeterministic(t *testing.T) {
	t.Run("1. not acknowledged before the standby has it", func(t *testing.T) {
		compose.Start(t, seed(t), "DURABILITY=strict").HeldBack(t)
	})
	s := compose.Start(t, seed(t))
	t.Run("2. unknown, discarded, asked again in another order", func(t *testing.T) { s.Discarded(t, "case 2", false) })
	t.Run("3. the same, after replicas have shown them", func(t *testing.T) { s.Discarded(t, "case 3", true) })
	t.Run("4. one key at once on two nodes during a failover", func(t *testing.T) { s.AtOnce(t) })
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
		if len(named()) == 0 {
			t.Fatalf("FAULT=%q is in no name of what is drawn", s.Only)
		}
		t.Logf("FAULT=%q names a fault of another test, and nothing that is drawn", s.Only)
		return
	}
	for i := range faults(t) {
		if !t.Run(fmt.Sprint(i+1), func(t *testing.T) { s.Chaos(t, i+1) }) {
			t.FailNow()
		}
	}
	if faults(t) >= fewest && s.Only == "" {
		s.Counted(t)
	}
}

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

// drawn is how many faults are drawn without FAULTS, as by `make test`, where TestFaults has one of each kind.
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
