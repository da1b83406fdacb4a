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
	problem := b.cluster.Self().Problem
	if took := time.Since(began); took < 5*time.Second { // later it may complain
		if problem != "" {
			t.Errorf("after %s it complains %q, want nothing yet", took, problem)
		}
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
	for _, once := range []string{want, "level=ERROR"} { // one line of the log
		if log := b.logged(); strings.Count(log, once) != 1 {
			t.Errorf("the log has %q %d times, want once:\n%s", once, strings.Count(log, once), log)
		}
	}
	b.role.Set(replicaOf(a))
	repotest.Eventually(t, patience, "it is content", func() bool { return b.cluster.Self().Problem == "" })
}
