package decide_test

import (
	"slices"
	"strings"
	"testing"
)

// schedules returns the rows of DESIGN.md's table of schedules, by their first column.
func schedules(t *testing.T) map[string]func(sc *scene) {
	t.Helper()
	all := map[string]func(sc *scene){}
	for _, some := range []map[string]func(sc *scene){deaths(), separations(), changes(), handovers()} {
		for name, play := range some {
			if all[name] != nil {
				t.Fatalf("two schedules are called %q, want one", name)
			}
			all[name] = play
		}
	}
	return all
}

// TestSchedules plays each row of DESIGN.md's table of schedules, and there is a test for each.
func TestSchedules(t *testing.T) {
	elsewhere := []string{
		"one key at two nodes at once, during a failover", // TestSameKeyAtTheSameTime of internal/repo, test/compose
	}
	all := schedules(t)
	mustHaveRows(t, "what happens", append(slices.Collect(mapsKeys(all)), elsewhere...))
	for name, play := range all {
		t.Run(name, func(t *testing.T) {
			sc := newScene(t, thirds(name)...)
			sc.t = t
			play(sc)
			mustHold(t, sc.world)
		})
	}
}

// thirds are the nodes beside P and S that a schedule speaks of.
func thirds(name string) []string {
	if strings.Contains(name, "third") || strings.Contains(name, "replicas") {
		return []string{"C"}
	}
	return nil
}

// TestATermThatIsLeftOver shows that the schedule of such a term is one that the checks notice: where it is not
// ended, a standby that lacks an acknowledged row comes into the set.
func TestATermThatIsLeftOver(t *testing.T) {
	sc := newScene(t)
	sc.leaveTermOver(true)
	if len(sc.violations) == 0 {
		t.Error("a term that is left over: got no violation, want one")
	}
}
