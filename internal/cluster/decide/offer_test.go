package decide_test

import (
	"testing"
	"time"

	"blog/internal/cluster/decide"
)

// TestOfferLease to the standby that has everything, once for each time that it is due.
func TestOfferLease(t *testing.T) {
	offer := func(p *primary, due bool, want decide.Offer) {
		t.Helper()
		got, effects := p.s.OfferLease(p.at, due)
		if got != want {
			t.Errorf("the offer is %d, want %d", got, want)
		}
		offered := want == decide.Offered
		if follows := len(effects) == 1; follows != offered {
			t.Errorf("the offer is followed by %v, want one effect: %t", effects, offered)
		}
	}
	asked := func(p *primary, want bool) {
		t.Helper()
		h := p.s.NextHeartbeat("S", p.at, time.Time{})
		if h.Promote != want {
			t.Errorf("the heartbeat asks S to become primary: %t, want %t", h.Promote, want)
		}
		if leaves := h.Leaving == "P"; leaves != want {
			t.Errorf("the heartbeat says that %q leaves, want that P does: %t", h.Leaving, want)
		}
	}
	begun := func() *primary {
		p := MustPrimary(t, usual(), 5, "S")
		p.connect("S", 5)
		p.s.NextHeartbeat("S", p.at, time.Time{})
		return p
	}

	p := begun()
	p.want(row(6), true)
	offer(p, true, decide.NotYet) // it lacks row 6
	asked(p, false)
	p.report("S", decide.Report{Cursor: row(6)})
	offer(p, false, decide.NotYet)
	asked(p, false)
	offer(p, true, decide.Offered)
	asked(p, true)
	asked(p, false)

	offer(p, true, decide.Offered)
	p.begin(6) // the offer is of the term before
	asked(p, false)

	p.report("S", decide.Report{Cursor: row(6), Leaving: true})
	offer(p, true, decide.NoStandby)
	p = begun()
	p.at += 3 * time.Second
	offer(p, true, decide.NoStandby)
	p = begun()
	p.on(decide.TermEnded{Term: p.s.Term()})
	offer(p, true, decide.NoStandby)
	p = MustPrimary(t, usual(), 5)
	p.deaf = true
	p.connect("S", 5)
	offer(p, true, decide.NoStandby) // it is not in the set
}
