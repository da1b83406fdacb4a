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

// TestFaults goes through every fault once, in a fixed order, on one project.
func TestFaults(t *testing.T) {
	s := compose.Start(t, seed(t))
	for _, fault := range compose.Faults() {
		if !t.Run(fault.Name, func(t *testing.T) { s.Run(t, fault) }) {
			t.FailNow() // the cluster is in nobody knows what state
		}
	}
	s.Counted(t)
}

// TestDeterministic is what a storm meets only by luck.
func TestDeterministic(t *testing.T) {
	t.Run("1. not acknowledged before the standby has it", func(t *testing.T) {
		compose.Start(t, seed(t), "DURABILITY=strict").HeldBack(t)
	})
	s := compose.Start(t, seed(t))
	t.Run("2. unknown, discarded, asked again in another order", func(t *testing.T) { s.Discarded(t, "case 2", false) })
	t.Run("3. the same, after replicas have shown them", func(t *testing.T) { s.Discarded(t, "case 3", true) })
	t.Run("4. one key at once on two nodes during a failover", func(t *testing.T) { s.AtOnce(t) })
}

// TestChaos draws faults, victims and moments from a seed: SEED, or the time.
// FAULTS is how many.
func TestChaos(t *testing.T) {
	n := seed(t)
	t.Logf("seed %d: make chaos SEED=%d FAULTS=%d", n, n, faults(t))
	s := compose.Start(t, n)
	for i := range faults(t) {
		if !t.Run(fmt.Sprint(i+1), func(t *testing.T) { s.Chaos(t, i+1) }) {
			t.FailNow()
		}
	}
	if faults(t) >= fewest {
		s.Counted(t)
	}
}

// fewest is how many drawn faults are expected to leave some outcome unknown.
const fewest = 10

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
		return 10
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("FAULTS: %q", text)
	}
	return n
}
