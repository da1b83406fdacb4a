package cluster

import (
	"time"

	"blog/internal/cluster/decide"
)

// belief is whether a term of this node may acknowledge, as the node believes and can show. Each change of it is a line
// in the log with the time of the machine's own clock (Options.Boot), which no test falsifies and all containers of one
// machine share: what two nodes believe at one moment can be compared. Whoever may acknowledge at the same time as
// another would lose what one of them has acknowledged.
//
// It decides nothing. Where the clock that the decisions go by stood still while the process was stopped, the term goes
// on unawares, and what it acknowledges rests on echoes. What it can show then ends when the process last ran, and
// begins again with an answer to what was asked since.
type belief struct {
	term  uint64 // the state's number of the term that may acknowledge, or the newest that might
	lease string // that term's
	may   bool
	ran   time.Duration // when this process last ran, and until when the belief lasts if it ends now
	until time.Duration
	// woke says that the process has been stopped, and that nothing asked since then has been answered: asked is what had
	// been asked before.
	woke  bool
	asked decide.Asked
}

// run notes that this process runs at now, before an event, and what it has asked so far. A stop that is shorter than
// decide.Slept is none.
func (b *belief) run(now time.Duration, asked decide.Asked) {
	b.until = now
	if now-b.ran > decide.Slept {
		b.until, b.woke, b.asked = b.ran, true, asked
	}
	b.ran = now
}

// noteBeliefLocked logs a change of what this node believes, after each event and before what follows from it. A new
// term has Consul's answer of its beginning. The line may be written later (log.go): the time in it is the event's.
func (c *Cluster) noteBeliefLocked() {
	b, term := &c.belief, c.state.Term()
	if term != b.term || c.state.Shown(b.asked) {
		b.woke = false
	}
	lease, may := c.state.MayAcknowledge()
	may = may && !b.woke
	if b.may && (!may || term != b.term) {
		c.log.Info("this node may acknowledge no more", "term", b.lease, "boot", b.until)
		b.may = false
	}
	if may && !b.may {
		c.log.Info("this node may acknowledge", "term", lease, "boot", b.ran)
	}
	b.term, b.lease, b.may = term, lease, may
}
