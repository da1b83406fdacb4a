package cluster_test

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

var believed = regexp.MustCompile(`msg="this node may acknowledge( no more)?" term=(\S+) boot=(\S+)`)

// beliefs are the lines of a node's log about what it may do, and their times.
func beliefs(tb testing.TB, n *node) (may []bool, at []time.Duration) {
	tb.Helper()
	for _, m := range believed.FindAllStringSubmatch(n.logged(), -1) {
		boot, err := time.ParseDuration(m[3])
		if err != nil {
			tb.Fatal(err)
		}
		may, at = append(may, m[1] == ""), append(at, boot)
	}
	return may, at
}

// TestBeliefIsLogged: a node's log says from when to when it may acknowledge, by a clock that all nodes of a machine
// share. A process that was stopped may not since it last ran, whenever it comes to say so.
func TestBeliefIsLogged(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	w.MustWrite(t, a, "1", repo.Two)
	first, _ := beliefs(t, a)
	if diff := cmp.Diff([]bool{true}, first); diff != "" {
		t.Fatalf("of a primary the log says whether it may acknowledge (-want +got):\n%s", diff)
	}
	if may, _ := beliefs(t, b); len(may) != 0 {
		t.Fatalf("of a standby the log says %t, want nothing", may)
	}
	a.elapsed.Jump(time.Minute)
	repotest.Eventually(t, patience, "a is sure again", func() bool { may, _ := beliefs(t, a); return len(may) == 3 })
	a.role.Set(replicaOf(b))
	repotest.Eventually(t, patience, "a's term is over", func() bool { may, _ := beliefs(t, a); return len(may) == 4 })
	may, at := beliefs(t, a)
	for i := range may {
		if want := i%2 == 0; may[i] != want {
			t.Errorf("line %d of the log says %t, want %t: %t", i, may[i], want, may)
		}
	}
	if !slices.IsSorted(at) {
		t.Errorf("the log has the times %v, want one after the other", at)
	}
}

// TestBeliefOfAStoppedProcess: where the clock that the decisions go by stood still while a process was stopped, what
// it can show ended when it last ran, and begins again when others have answered what was asked since.
func TestBeliefOfAStoppedProcess(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	w.MustWrite(t, a, "1", repo.Two)
	w.consul.cut(true) // an echo shows it as well
	const stopped = time.Hour
	before := a.boot.Read()
	a.boot.Jump(stopped)
	repotest.Eventually(t, patience, "b has echoed", func() bool { may, _ := beliefs(t, a); return len(may) == 3 })
	may, at := beliefs(t, a)
	if diff := cmp.Diff([]bool{false, true}, may[1:3]); diff != "" {
		t.Errorf("the log then says whether it may acknowledge (-want +got):\n%s", diff)
	}
	if at[1] >= before+stopped {
		t.Errorf("it may not from %s on, want from before %s", at[1], before+stopped)
	}
	if at[2] < before+stopped {
		t.Errorf("it may again from %s on, want not before %s", at[2], before+stopped)
	}
	w.consul.cut(false)
	a.boot.Jump(stopped)
	repotest.Eventually(t, patience, "it has shown it once more", func() bool {
		may, _ := beliefs(t, a)
		return len(may) == 5
	})
	if may, _ := beliefs(t, b); len(may) != 0 {
		t.Errorf("of the standby the log says %t, want 0 of them", may)
	}
}
