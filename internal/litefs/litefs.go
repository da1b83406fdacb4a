// Package litefs is the node as the application sees it: who may write now, where the primary's private
// listener is, and when the local copy has changed.
//
// It owns the role state machine and the wake-ups that come with it. It knows no SQL and no page, never goes by
// the absence of `.primary` (which is absent on a primary and on a node that knows none), and never guesses:
// while it cannot hear LiteFS, the role is Unknown.
//
// There are two nodes: Follower, which listens to LiteFS's own event stream, and Static, which is always
// primary, for a database that is a plain file.
package litefs

import "io"

// State says what this node may do with the database.
type State int

// The states. Unknown is the zero value, so that nothing is primary by omission.
const (
	Unknown State = iota // no primary is known, or LiteFS cannot be heard
	Primary              // this node holds the lease: it may write
	Replica              // another node is primary: writes go there
)

// String returns "unknown", "primary" or "replica".
func (s State) String() string {
	switch s {
	case Primary:
		return "primary"
	case Replica:
		return "replica"
	default:
		return "unknown"
	}
}

// Role is what a node knows about the primary at one moment. Roles are comparable with ==.
type Role struct {
	State State
	// Host is LiteFS's hostname (lease.hostname) of the primary. On a primary it is this node's own, and ""
	// where LiteFS does not tell it. "" when State is Unknown.
	Host string
	// URL is the base address of the primary's private listener, without a trailing slash. "" unless State is
	// Replica.
	URL string
}

// Node is this node's place in the cluster. Its methods may be called from any goroutine.
type Node interface {
	// Role returns the role as of now. It can be outdated when the caller acts on it: a write is safe because
	// the database refuses it, not because of Role.
	Role() Role
	// Changed returns a channel that is closed at the next change of the role. Call it before Role; otherwise a change
	// between the two is missed.
	Changed() <-chan struct{}
	// Subscribe returns a channel that gets a value whenever the local copy may have changed: a transaction was
	// applied, the role changed, the event stream was connected again, or Notify was called. Wake-ups are merged
	// (capacity 1): read everything new at each one. The channel is never closed. Call cancel when done.
	Subscribe() (wake <-chan struct{}, cancel func())
	// Notify wakes the subscribers. The write path calls it after COMMIT: LiteFS's own event comes before COMMIT
	// returns, when the row cannot be read yet, and a Static node has no events at all.
	Notify()
}

// NodeCloser is a Node that holds resources. Close ends it and waits for its goroutine.
type NodeCloser interface {
	Node
	io.Closer
}

// Known reports whether a role has a primary.
func Known(r Role) bool { return r.State != Unknown }
