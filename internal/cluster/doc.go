// Package cluster owns what the nodes send each other beside the data: each node's uplink
// to the primary, the sync set that follows from the reports, and with it the moment when
// a write may be acknowledged and who may be primary.
//
// It is the repo.Durability of nodes that fail over. Package decide decides everything, as
// a value; this one has the goroutines, the lock, the clock, the sockets, the log, and asks
// Consul through the control socket of the LiteFS node, whose lease it is. It knows nothing
// of posts and no SQL but the position of a copy. It refuses: a second way for data (rows
// travel by LiteFS alone), comparing the clocks of two machines (times are this node's, of
// when it received something), and electing anybody. DESIGN.md has the argument why no
// acknowledged write can be lost.
package cluster
