package repo

import (
	"context"
	"time"
)

// This file has the policy of all waits for a row. Each wait has a limit and an answer that is true at its end, so that
// nobody waits for what may never come; each ends early with its context.
//
//	who waits                   at most               what is answered at the end
//	Await                       ReadableWithin        the answer, as it is; a cookie makes the next request wait
//	web, a reader's cookie      ReadableWithin        X-Stale-Read; nobody waits again for 10 s, or until the feed moves
//	web, a page of a refusal    ReadableWithin        the page as it is here
//	web, a page for the cache   ReadableWithin        the page, which is not cached
//	live, a socket              SocketWithin          resync: the page is fetched again
//	acknowledge                 deadline + lateness   outcome_unknown: the row is here, and may be lost
//	Forward                     deadline              outcome_unknown where an attempt may have done it, else no_primary
//	Client                      deadline + maxGrace   as Forward
//	a COMMIT that hangs         deadline + commitGrace  outcome_unknown
//
// Await waits for the call's own row, or the newest that a refusal rests on, in this node's copy; a reader's cookie
// is the newest row that they have seen; a page for the cache has read a row of which the tails have not been
// notified yet; a socket's row is the one that its page shows. These five go by Feed.WaitWithin, which knows three
// ends: the row is here, it is in a history that was given up, or neither is known, which is all that a limit's end
// says. acknowledge waits for the row in each member's copy, and Forward and Client for whoever is primary.
const (
	// DefaultDeadline is how long a write may take when its caller sets no deadline:
	// longer than an election.
	DefaultDeadline = 30 * time.Second

	// ReadableWithin bounds the wait of an answer for a row to arrive in this node's copy. A write
	// is done by then, and a page is better late than never, but not later than a reader's patience.
	ReadableWithin = 2 * time.Second

	// SocketWithin is ReadableWithin for a socket: nobody waits for a page meanwhile, since it is
	// there already.
	SocketWithin = 5 * time.Second

	// lateness is how far past its deadline a call may arrive and still be run:
	// the clocks of two nodes may differ by that much.
	lateness = 2 * time.Second

	// maxGrace is how much longer than the server a client waits: the server's "no
	// primary could take this" comes at the deadline and has to travel.
	maxGrace = time.Second

	// commitGrace is for how long a caller whose time is up waits for a COMMIT that has its call in it: a proper one takes
	// milliseconds, and one that hangs holds nobody.
	commitGrace = 2 * time.Second

	// checkRowAfter is when a primary checks whether it has the row that is waited for at all: by
	// then its feed has notified of all that it wrote before, and a caller that waits for that waits no longer.
	checkRowAfter = 200 * time.Millisecond
)

// WaitWithin is Wait for limit at the most.
func (f *Feed) WaitWithin(ctx context.Context, limit time.Duration, c Cursor) Place {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return f.Wait(ctx, c)
}
