// Package cluster owns what the nodes tell each other beside the data: each node's
// uplink to the primary, the sync set that follows from the reports, and with it
// the moment when a write may be acknowledged and who may lead.
//
// It is the repo.Durability of nodes that fail over. It knows nothing of posts and
// no SQL but the position of a copy; the lease itself is the LiteFS node's, which it
// asks over the control socket. It refuses: a second way for data (rows travel by
// LiteFS alone), comparing the clocks of two machines (times are this node's own,
// of when it heard something), and electing anybody. DESIGN.md has the argument why
// no acknowledged write can be lost.
package cluster
