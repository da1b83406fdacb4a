package clock

import (
	"fmt"
	"time"
)

// Bound is how far the wall clock may be from what the monotonic clock, or the wall
// clock of a second node, says and still be believed.
const Bound = time.Minute

const (
	// lineLife is how long one Line is compared with: the wall clock may move by Bound
	// against the monotonic clock in that time, and no more. NTP slews by 2 s an hour.
	lineLife = time.Hour
	// lasting is how long a plain file's wall clock must run evenly after a step before
	// the step is believed, and credible the largest step that needs no NTP for that.
	lasting  = 10 * time.Minute
	credible = 24 * time.Hour
)

// A reference is old that has waited in a buffer while this process was stopped, so one
// that contradicts a confirmed time counts after referTries in a row, referEvery apart.
const (
	referTries = 3
	referEvery = 250 * time.Millisecond
)

// Reading is what the machine's clocks say at one moment.
type Reading struct {
	// Wall is the time of day, which somebody may set.
	Wall time.Time
	// Mono is the time since some moment of the past, which nobody sets. On Linux it
	// goes on while the machine is suspended; while a virtual machine is it does not.
	Mono time.Duration
	// Synced says that the kernel has its time of day from NTP. Setting the wall clock
	// by hand ends that.
	Synced bool
}

// line is a time that is believed, and the moment at which it was right.
type line struct {
	at   time.Time
	mono time.Duration
}

// now returns what the line says at r: its time and what has passed since.
func (l line) now(r Reading) time.Time { return l.at.Add(max(0, r.Mono-l.mono)) }

func near(a, b time.Time) bool { return a.Sub(b).Abs() <= Bound }

// Estimate is what a node believes to be the time. It is a pure value of the readings
// and of the other nodes' times that its methods are given; package documentation has
// the rules. It is not safe for concurrent use.
type Estimate struct {
	plain     bool // no second node: the wall clock is believed at the start
	confirmed bool // a second node agreed, the operator vouched, or it is a plain file
	based     bool // base is set
	base      line // what the wall clock is compared with
	stepped   line // the wall clock when it last left base; while apart
	apart     bool // the wall clock is not believed now
	shown     time.Time
	mono      time.Duration // of shown
	wall      time.Time     // of the last reading
	newest    time.Time     // date of the newest row
	referred  time.Duration // when a reference was last compared
	differed  int           // references in a row that the wall clock differs from
}

// NewPlain returns the estimate of a plain file's node, which believes its wall clock.
func NewPlain(r Reading) Estimate {
	e := Estimate{plain: true}
	e.believe(r)
	return e
}

// NewMember returns the estimate of one node of several, which believes no clock yet.
func NewMember(r Reading) Estimate { return Estimate{shown: r.Wall, mono: r.Mono, wall: r.Wall} }

// believe makes the wall clock's time the one that is shown, also if that is earlier.
func (e *Estimate) believe(r Reading) {
	e.confirmed, e.apart = true, false
	e.follow(r)
	e.shown, e.mono, e.wall = r.Wall, r.Mono, r.Wall
}

// follow makes r what later readings of the wall clock are compared with.
func (e *Estimate) follow(r Reading) {
	e.based, e.base = true, line{r.Wall, r.Mono}
}

// Read returns the time at r. It is the wall clock's as long as that moves as the
// monotonic clock does, within Bound; else the time of before and what the monotonic
// clock has counted since. It goes back only where a step back of a plain file's wall
// clock has lasted.
func (e *Estimate) Read(r Reading) time.Time {
	next := e.shown.Add(max(0, r.Mono-e.mono))
	e.wall = r.Wall
	switch {
	case !e.based: // there is no row that a wrong clock could harm
		next = r.Wall
	case near(r.Wall, e.base.now(r)):
		if e.apart = false; r.Mono-e.base.mono >= lineLife {
			e.follow(r)
		}
		next = r.Wall
	case !e.apart:
		e.apart, e.stepped = true, line{r.Wall, r.Mono}
	case e.plain && e.lasts(r, next):
		e.believe(r)
		return e.shown
	}
	if next.Before(e.shown) {
		next = e.shown
	}
	e.shown, e.mono = next, r.Mono
	return next
}

// lasts reports whether a plain file's wall clock has run evenly since its step for
// long enough. Nobody else can be asked, and a machine that was suspended, or that had
// no time at its start, must not be wrong until it is restarted.
func (e *Estimate) lasts(r Reading, next time.Time) bool {
	if !near(r.Wall, e.stepped.now(r)) {
		e.stepped = line{r.Wall, r.Mono} // another step
		return false
	}
	return r.Mono-e.stepped.mono >= lasting && (r.Synced || r.Wall.Sub(next).Abs() <= credible)
}

// Dated notes the date of the newest row of this node's copy. Until a second node has
// agreed, the time shown is the newest of these and what has passed since it was noted.
func (e *Estimate) Dated(r Reading, at time.Time) {
	e.newest = at
	if e.confirmed || at.IsZero() {
		return
	}
	if !e.based || at.After(e.Read(r)) {
		e.base = line{at, r.Mono}
		e.based, e.apart = true, false
		e.shown, e.mono = at, r.Mono
	}
}

// Redated notes a row whose date may be earlier than the one before it: the time of
// where it was written. Where no wall clock is believed that time is shown from now on.
func (e *Estimate) Redated(r Reading, at time.Time) {
	e.Read(r)
	if e.newest = at; !e.confirmed || e.apart {
		e.base = line{at, r.Mono}
		e.based, e.apart = true, false
		e.shown, e.mono = at, r.Mono
	}
}

// Confirm notes the wall clock of a second node, and reports whether this node's agrees
// with it. Where it does this node's wall clock is believed, whatever was before.
func (e *Estimate) Confirm(r Reading, other time.Time) bool {
	if !near(r.Wall, other) {
		e.Read(r)
		return false
	}
	was := e.Read(r)
	e.believe(r)
	if near(was, r.Wall) && was.After(r.Wall) {
		e.shown = was // so small a difference is waited for
	}
	return true
}

// Refer notes a time on which two other nodes agree, such as the primary and its
// standby. Where this node's wall clock agrees it is believed; else that time is shown,
// and what passes from now on.
func (e *Estimate) Refer(r Reading, t time.Time) {
	if e.Confirm(r, t) {
		e.differed = 0
		return
	}
	if e.confirmed {
		if r.Mono-e.referred < referEvery {
			return
		}
		e.referred = r.Mono
		if e.differed++; e.differed < referTries {
			return
		}
	}
	e.confirmed, e.based, e.base = true, true, line{t, r.Mono}
	if !e.apart {
		e.apart, e.stepped = true, line{r.Wall, r.Mono}
	}
	if !near(e.shown, t) {
		e.shown = t
	}
}

// Reset returns the time that a row may be dated with although the newest one is later.
// It fails unless this node's wall clock is believed and confirmed; with force, the
// operator vouches for the wall clock and it is believed from now on.
func (e *Estimate) Reset(r Reading, force bool) (time.Time, error) {
	at := e.Read(r)
	switch {
	case force:
		e.believe(r)
		return e.shown, nil
	case e.apart:
		return at, fmt.Errorf("the primary's machine says that it is %s, and the primary holds that to be wrong by %s",
			form(r.Wall), length(r.Wall.Sub(at)))
	case !e.confirmed:
		return at, fmt.Errorf("no second node's clock agrees with the primary's, which says %s", form(r.Wall))
	}
	return at, nil
}

// Confirmed reports whether the time that was last shown is one on which two nodes agree.
func (e *Estimate) Confirmed() bool { return e.confirmed }

// Apart is how far ahead of the time shown the wall clock was at the last reading.
func (e *Estimate) Apart() time.Duration { return e.wall.Sub(e.shown) }

// Believed reports whether the time shown is the wall clock's.
func (e *Estimate) Believed() bool { return !e.apart }

// Ahead is how far the newest row's date was ahead of the time shown.
func (e *Estimate) Ahead() time.Duration { return max(0, e.newest.Sub(e.shown)) }

// Problem says what an operator has to put right, "" where nothing is wrong.
func (e *Estimate) Problem() string {
	switch {
	case e.apart && !e.confirmed:
		return fmt.Sprintf("This machine's clock says %s, and no second node's agrees: "+
			"time goes on from the newest write's date, %s now. Set the clocks of all nodes by NTP; "+
			"where there is one node alone, and its clock is right, `blog clock reset --force` says so.",
			form(e.wall), form(e.shown))
	case e.apart:
		return fmt.Sprintf("This machine's clock says %s, which is wrong by %s: "+
			"this node goes on from the time that it had, %s now. Set the clock by NTP.",
			form(e.wall), length(e.Apart()), form(e.shown))
	case e.Ahead() > Bound:
		return fmt.Sprintf("The newest write is dated %s, and now is %s: a clock was wrong, "+
			"and every write is dated like that one. `blog clock reset` ends it.", form(e.newest), form(e.shown))
	}
	return ""
}

func form(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func length(d time.Duration) time.Duration { return d.Abs().Round(time.Second) }
