package clock_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"blog/internal/clock"
)

const (
	day   = 24 * time.Hour
	years = 10 * 365 * day
)

// machine has clocks that the test sets, beside the true time.
type machine struct {
	truth time.Time
	wall  time.Duration // ahead of the truth
	lost  time.Duration // what the monotonic clock has not counted
	ntp   bool
}

func newMachine() *machine {
	return &machine{truth: time.Date(2026, 5, 24, 8, 0, 0, 0, time.UTC), ntp: true}
}

func (m *machine) read() clock.Reading {
	started := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	return clock.Reading{Wall: m.truth.Add(m.wall), Mono: m.truth.Sub(started) - m.lost, Synced: m.ntp}
}

// pass lets time pass, as any machine that runs counts it.
func (m *machine) pass(d time.Duration) { m.truth = m.truth.Add(d) }

// step sets the wall clock by hand.
func (m *machine) step(d time.Duration) { m.wall, m.ntp = m.wall+d, false }

// suspend stops a virtual machine: none of its clocks counts.
func (m *machine) suspend(d time.Duration) {
	m.truth, m.wall, m.lost = m.truth.Add(d), m.wall-d, m.lost+d
}

// mend is NTP setting the wall clock right.
func (m *machine) mend() { m.wall, m.ntp = 0, true }

// want fails unless e shows the truth but for off, within a second.
func want(t *testing.T, when string, e *clock.Estimate, m *machine, off time.Duration) {
	t.Helper()
	if got := e.Read(m.read()).Sub(m.truth); (got - off).Abs() > time.Second {
		t.Errorf("%s: got %v from the truth, want %v", when, got, off)
	}
}

// TestJumps: what a plain file and one node of several, both of which had the right
// time, show at once after the machine's clocks have jumped, 20 minutes later, and when
// the member has heard a second node with the right time.
func TestJumps(t *testing.T) {
	for name, c := range map[string]struct {
		jump                            func(m *machine)
		atOnce, plain, member, seconded time.Duration // from the truth
		doubt, doubtLater               bool          // a plain file says that its clock is wrong
	}{
		"ahead ten years":      {jump: func(m *machine) { m.step(years) }, doubt: true, doubtLater: true},
		"back ten years":       {jump: func(m *machine) { m.step(-years) }, doubt: true, doubtLater: true},
		"jump and back":        {jump: func(m *machine) { m.step(years); m.pass(time.Second); m.mend() }},
		"a laptop sleeps 10 h": {jump: func(m *machine) { m.pass(10 * time.Hour) }},
		"ahead half a minute": {
			jump: func(m *machine) { m.step(30 * time.Second) }, atOnce: 30 * time.Second,
			plain: 30 * time.Second, member: 30 * time.Second, seconded: 30 * time.Second,
		},
		"back half a minute": {
			jump: func(m *machine) { m.step(-30 * time.Second) }, atOnce: 0,
			plain: -30 * time.Second, member: -30 * time.Second, seconded: -30 * time.Second,
		},
		"ahead ten hours": {jump: func(m *machine) { m.step(10 * time.Hour) }, plain: 10 * time.Hour, doubt: true},
		"back ten hours":  {jump: func(m *machine) { m.step(-10 * time.Hour) }, plain: -10 * time.Hour, doubt: true},
		"suspended for 10 h": {
			jump: func(m *machine) { m.suspend(10 * time.Hour) }, atOnce: -10 * time.Hour,
			plain: -10 * time.Hour, member: -10 * time.Hour, seconded: -10 * time.Hour,
		},
		"suspended for 10 h, then NTP": {
			jump: func(m *machine) { m.suspend(10 * time.Hour); m.mend() }, atOnce: -10 * time.Hour,
			plain: 0, member: -10 * time.Hour, seconded: 0, doubt: true,
		},
		"suspended for a month, then NTP": {
			jump: func(m *machine) { m.suspend(30 * day); m.mend() }, atOnce: -30 * day,
			plain: 0, member: -30 * day, seconded: 0, doubt: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine()
			plain, member := clock.NewPlain(m.read()), clock.NewMember(m.read())
			member.Dated(m.read(), m.truth.Add(-day))
			member.Confirm(m.read(), m.truth)
			m.pass(time.Minute)
			want(t, "before, a plain file", &plain, m, 0)
			want(t, "before, a member", &member, m, 0)
			c.jump(m)
			want(t, "at once, a plain file", &plain, m, c.atOnce)
			want(t, "at once, a member", &member, m, c.atOnce)
			if problem := plain.Problem(); (problem != "") != c.doubt {
				t.Errorf("at once: the problem %q", problem)
			}
			m.pass(20 * time.Minute)
			want(t, "later, a plain file", &plain, m, c.plain)
			want(t, "later, a member", &member, m, c.member)
			if problem := plain.Problem(); (problem != "") != c.doubtLater {
				t.Errorf("later: the problem %q", problem)
			}
			member.Confirm(m.read(), m.truth)
			want(t, "after a second node's word", &member, m, c.seconded)
			m.mend()
			plain.Read(m.read()) // it lasts from when somebody saw it
			member.Confirm(m.read(), m.truth)
			m.pass(time.Minute)
			want(t, "mended, a member", &member, m, 0)
			m.pass(11 * time.Minute)
			want(t, "mended, a plain file", &plain, m, 0)
			if problem := plain.Problem() + member.Problem(); problem != "" {
				t.Errorf("mended: the problem %q, want none", problem)
			}
		})
	}
}

// TestSlowDrift: a wall clock that NTP slews is followed for as long as it takes, one
// that is set by a little again and again is not.
func TestSlowDrift(t *testing.T) {
	m := newMachine()
	e := clock.NewPlain(m.read())
	for range 60 * 24 * 30 {
		m.pass(time.Minute)
		m.wall += 30 * time.Millisecond // 500 ppm
		want(t, "slewed", &e, m, m.wall)
	}
	slewed := m.wall
	for range 20 {
		m.pass(time.Second)
		m.step(50 * time.Second)
		e.Read(m.read())
	}
	if got := e.Read(m.read()).Sub(m.truth) - slewed; got > 2*clock.Bound {
		t.Errorf("a thousand seconds in steps of 50: %v ahead, want at most %v", got, 2*clock.Bound)
	}
}

// TestStart: a plain file believes its clock, a member what the newest row says until a
// second node agrees.
func TestStart(t *testing.T) {
	for name, off := range map[string]time.Duration{"right": 0, "ahead": years, "behind": -years} {
		m := newMachine()
		m.step(off)
		plain, member := clock.NewPlain(m.read()), clock.NewMember(m.read())
		newest := m.truth.Add(-3 * time.Hour)
		plain.Dated(m.read(), newest)
		member.Dated(m.read(), newest)
		m.pass(time.Hour)
		want(t, name+", a plain file", &plain, m, off)
		want(t, name+", a member", &member, m, -3*time.Hour)
		if member.Confirmed() || member.Problem() == "" {
			t.Errorf("%s: a member alone: confirmed %t, the problem %q, want false and not empty", name, member.Confirmed(),
				member.Problem())
		}
		// Another primary's row comes: that much time has passed for certain.
		member.Dated(m.read(), m.truth.Add(-2*time.Hour))
		want(t, name+", a newer row", &member, m, -2*time.Hour)
		agreed := member.Confirm(m.read(), m.truth.Add(clock.Bound))
		if agreed != (off == 0) || member.Confirmed() != agreed {
			t.Errorf("%s: a second node agrees: %t, confirmed: %t, want %t", name, agreed, member.Confirmed(), off == 0)
		}
		if agreed {
			want(t, name+", confirmed", &member, m, 0)
			continue
		}
		member.Refer(m.read(), m.truth)
		want(t, name+", by the primary's time", &member, m, 0)
		m.pass(time.Hour)
		want(t, name+", an hour on", &member, m, 0)
		m.mend()
		want(t, name+", mended", &member, m, 0)
		if problem := member.Problem(); problem != "" {
			t.Errorf("%s: mended: the problem %q, want none", name, problem)
		}
	}
}

// TestStaleReferences: words of the primary that have waited in a buffer come at once and
// do not move a right clock; those of a primary whose time is another do.
func TestStaleReferences(t *testing.T) {
	m := newMachine()
	e := clock.NewMember(m.read())
	e.Confirm(m.read(), m.truth)
	m.pass(10 * time.Minute)
	for i := range 10 {
		e.Refer(m.read(), m.truth.Add(-10*time.Minute+time.Duration(i)*time.Second))
		m.pass(time.Millisecond)
	}
	want(t, "after a buffer", &e, m, 0)
	m.pass(time.Second)
	e.Refer(m.read(), m.truth)
	for range 4 {
		m.pass(time.Second)
		e.Refer(m.read(), m.truth.Add(-time.Hour))
	}
	want(t, "another time", &e, m, -time.Hour)
}

// TestReset: dates go back by the operator's word where the clock is to be relied on.
func TestReset(t *testing.T) {
	m := newMachine()
	member := clock.NewMember(m.read())
	member.Dated(m.read(), m.truth.Add(years))
	m.pass(time.Minute)
	want(t, "rows by a clock that was ahead", &member, m, years-time.Minute+time.Minute)
	if _, err := member.Reset(m.read(), false); err == nil {
		t.Error("no second node has agreed, and it is reset")
	}
	member.Confirm(m.read(), m.truth)
	if problem := member.Problem(); problem == "" {
		t.Error("rows are dated in ten years, and nothing is said")
	}
	at, err := member.Reset(m.read(), false)
	if err != nil || !at.Equal(m.truth) {
		t.Errorf("got %v, %v, want no error and %v", at, err, m.truth)
	}
	member.Redated(m.read(), at)
	if problem := member.Problem(); problem != "" {
		t.Errorf("reset, and still %q, want none", problem)
	}

	// A replica that has heard nobody follows the row.
	replica := clock.NewMember(m.read())
	replica.Dated(m.read(), m.truth.Add(years))
	replica.Redated(m.read(), at)
	want(t, "a replica", &replica, m, 0)

	m.step(years)
	if _, err := member.Reset(m.read(), false); err == nil {
		t.Error("the clock was set while running, and is relied on")
	}
	if at, err := member.Reset(m.read(), true); err != nil || !at.Equal(m.truth.Add(years)) {
		t.Errorf("by force: %v, %v, want no error and %v", at, err, m.truth.Add(years))
	}
}

// TestWalk: whatever happens to its clocks, a member that hears a second node's is
// within the bound of the truth after each word that agrees, and what writes are dated
// with, the later of the time and the newest date, is never ahead of the truth by more
// than the bound an hour, and never goes back.
func TestWalk(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 8)) // #nosec G404 -- to be drawn again
		m := newMachine()
		e := clock.NewMember(m.read())
		newest := m.truth.Add(-time.Duration(r.Int64N(int64(30 * day))))
		e.Dated(m.read(), newest)
		var did []string
		for i := range 200 {
			what := r.IntN(7)
			d := time.Duration(r.Int64N(int64(20 * time.Hour)))
			switch what {
			case 0:
				m.step(d - 10*time.Hour)
			case 1:
				m.step(years)
			case 2:
				m.suspend(d)
			case 3, 4:
				m.mend()
			}
			m.pass(time.Duration(r.Int64N(int64(time.Minute))))
			did = append(did, fmt.Sprint(what, d))
			if what == 5 {
				// The second node's clock is right within half the bound.
				other := m.truth.Add(time.Duration(r.Int64N(int64(clock.Bound))) - clock.Bound/2)
				agreed := e.Confirm(m.read(), other)
				if off := e.Read(m.read()).Sub(m.truth); agreed && off.Abs() > 2*clock.Bound {
					t.Fatalf("seed %d, %v: confirmed, and %v from the truth", seed, did, off)
				}
			}
			now := e.Read(m.read())
			if ahead := now.Sub(m.truth); ahead > clock.Bound*time.Duration(2+i/60) {
				t.Fatalf("seed %d, %v: %v ahead, want at most %v", seed, did, ahead, clock.Bound*time.Duration(2+i/60))
			}
			at := now
			if at.Before(newest) {
				at = newest
			}
			e.Dated(m.read(), at)
			if next := e.Read(m.read()); next.Before(now) {
				t.Fatalf("seed %d, %v: back from %v to %v", seed, did, now, next)
			}
			newest = at
		}
	}
}
