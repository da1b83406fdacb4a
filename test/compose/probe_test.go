package compose_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"blog/test/compose"
)

// TestProbes: a probe that never moves is named with its last error, one that moves once is enough
// even if it does not stay moved, and none is read for the next fault.
func TestProbes(t *testing.T) {
	p := &compose.Project{}
	reads := 0
	p.Expect("moves once", func(context.Context) error {
		if reads++; reads != 3 {
			return errors.New("not the third read")
		}
		return nil
	})
	p.Expect("never moves", func(context.Context) error { return errors.New("nothing was dropped") })
	err := p.Unmoved(t.Context(), time.Second)
	if err == nil {
		t.Fatal("a probe never moves, and no error says so")
	}
	if got, want := err.Error(), "never moves has moved no probe: nothing was dropped"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := p.Unmoved(t.Context(), time.Second); err != nil {
		t.Errorf("of the next fault: %v", err)
	}
}

// TestDroppedPackets counts only what DROP and REJECT rules have counted.
func TestDroppedPackets(t *testing.T) {
	const listing = `Chain BLOG-TEST (2 references)
    pkts      bytes target     prot opt in     out     source               destination
      40     2400 RETURN     0    --  lo     *       0.0.0.0/0            0.0.0.0/0
       3      180 DROP       0    --  *      *       172.18.0.3           0.0.0.0/0
       4      240 REJECT     6    --  *      *       0.0.0.0/0            0.0.0.0/0            tcp dpt:20211 reject-with tcp-reset
`
	if got, want := compose.CountDropped(listing), 7; got != want {
		t.Errorf("got %d, want %d", got, want)
	}
	if got := compose.CountDropped(strings.ReplaceAll(listing, "DROP  ", "ACCEPT")); got != 4 {
		t.Errorf("with one rule: got %d, want 4", got)
	}
}

// TestDevice reads the network device of a container, also of one that was plugged in again.
func TestDevice(t *testing.T) {
	const lo = "1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever\n"
	for _, want := range []string{"eth0", "eth1", "lossy"} {
		text := lo + "6: " + want + "    inet 172.18.0.3/16 brd 172.18.255.255 scope global " + want + "\\       valid_lft forever\n"
		if got, err := compose.ReadDevice(text); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	if got, err := compose.ReadDevice(lo); err == nil {
		t.Errorf("without a network: got %q, want an error", got)
	}
}

// TestPaced reads the queue of one replica among several.
func TestPaced(t *testing.T) {
	const text = `class htb 1:1 root prio 0 rate 8Mbit ceil 8Mbit burst 16Kb cburst 1600b
 Sent 1048576 bytes 800 pkt (dropped 0, overlimits 25 requeues 0)
 backlog 0b 0p requeues 0
class htb 1:2 root prio 0 rate 8Mbit ceil 8Mbit burst 16Kb cburst 1600b
 Sent 96 bytes 1 pkt (dropped 0, overlimits 0 requeues 0)
 backlog 0b 0p requeues 0
`
	for replica, want := range [][2]int{{1048576, 25}, {96, 0}} {
		bytes, waits, err := compose.ReadPaced(text, replica)
		if err != nil {
			t.Errorf("replica %d: got %v, want no error", replica, err)
		}
		if got := [2]int{bytes, waits}; got != want {
			t.Errorf("replica %d: got bytes and waits %v, want %v", replica, got, want)
		}
	}
	if _, _, err := compose.ReadPaced(text, 2); err == nil {
		t.Error("a replica without a queue: no error")
	}
}
