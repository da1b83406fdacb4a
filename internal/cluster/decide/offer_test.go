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
		if (want == decide.Offered) != (len(effects) == 1) {
			t.Errorf("it is followed by %v", effects)
		}
	}
	asked := func(p *primary, want bool) {
		t.Helper()
		h := p.s.NextHeartbeat("S", p.at, time.Time{})
		if h.Promote != want || (h.Leaving == "P") != want {
			t.Errorf("the heartbeat %+v asks S to become primary, want %t", h, want)
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
