package cluster_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"blog/internal/litefs"
	"blog/internal/repo/repotest"
)

// MustTry waits until n has tried so many times more to reach the primary, in vain.
func (n *node) MustTry(t *testing.T, times int) {
	t.Helper()
	tries := func() int { return strings.Count(n.logged(), "there is no uplink") }
	before := tries()
	repotest.Eventually(t, patience, "it tries again", func() bool { return tries() >= before+times })
}

// TestAPrimaryThatNobodyReaches: the address that the primary is known by leads nowhere.
// A failover is over sooner; after that the log says so, once, and the status for as
// long as it lasts.
func TestAPrimaryThatNobodyReaches(t *testing.T) {
	w := MustWorld(t)
	a, b := w.MustPair(t)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nowhere := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	b.role.Set(litefs.Role{State: litefs.Replica, Host: "a", URL: nowhere})
	b.MustTry(t, 1)
	b.cluster.FailLonger(10 * time.Second)
	b.MustTry(t, 2)
	if problem := b.cluster.Self().Problem; problem != "" && time.Since(began) < 5*time.Second {
		t.Errorf("it complains too early: %s", problem)
	}
	b.cluster.FailLonger(10 * time.Second)
	repotest.Eventually(t, patience, "it complains", func() bool { return b.cluster.Self().Problem != "" })
	b.MustTry(t, 3)
	want := "The primary's private listener at " + nowhere + " does not answer: check that its PRIVATE_ADDR is " +
		"an address that other nodes can reach, " +
		"and that PRIMARY_URL and its LITEFS_HOSTNAME make that address."
	if got := b.cluster.Self().Problem; got != want {
		t.Errorf("the status says %q, want %q", got, want)
	}
	if log := b.logged(); strings.Count(log, want) != 1 || strings.Count(log, "level=ERROR") != 1 {
		t.Errorf("not in one line of the log, want %v once and %q once:\n%s", want, "level=ERROR", log)
	}
	b.role.Set(replicaOf(a))
	repotest.Eventually(t, patience, "it is content", func() bool { return b.cluster.Self().Problem == "" })
}
