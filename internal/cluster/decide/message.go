package decide

import (
	"time"

	"blog/internal/repo"
)

// Info is how a node is, as it reports it to the primary and as `blog status` shows it.
type Info struct {
	ID     string `json:"id"` // of its data directory
	Node   string `json:"node"`
	Region string `json:"region"`
	Role   string `json:"role"`
	// Primary is the primary's LiteFS hostname, or its name where it has none; "" when nobody is known.
	Primary   string `json:"primary"`
	Candidate bool   `json:"candidate"`
	Release   string `json:"release"`
	Schema    int64  `json:"schema"`
	Seq       int64  `json:"seq"`  // newest write of its copy
	Mark      string `json:"mark"` // of that write: the whole cursor
	TXID      string `json:"txid"`
	Checksum  string `json:"checksum"`
	// Durability is what acknowledgements rest on: two, alone or local.
	Durability string   `json:"durability"`
	SyncSet    []string `json:"sync_set"` // names of who has every acknowledged write
	// StandbySeq is the newest write that a standby in the sync set has reported.
	StandbySeq int64 `json:"standby_seq"`
	// Lag is how many writes the node's copy is behind the primary's, as far as the primary
	// knows; on a replica without an uplink it is as of the last heartbeat.
	Lag     int64     `json:"lag"`
	Sockets int       `json:"sockets"`
	Clock   time.Time `json:"clock"` // the machine's, believed or not
	// Heard is how long ago the primary received a report of the node, in milliseconds; 0 for
	// the node that answers.
	Heard int64 `json:"heard_ms,omitempty"`
	// Problem is what somebody has to put right, in a sentence.
	Problem string `json:"problem,omitempty"`
}

// Report is what a node sends over its uplink: at once when its copy has changed or a
// numbered heartbeat has come, and whole every HeartbeatEvery.
type Report struct {
	Cursor repo.Cursor `json:"cursor"`
	// Info comes with the first report of an uplink and with each whole one.
	Info *Info `json:"info,omitempty"`
	// Leaving says that the node stops: it will not be there for some time.
	Leaving bool `json:"leaving,omitempty"`
	// Echo is the number of the newest heartbeat that the node has received over this uplink
	// when it made the report; 0: none, or the node is of a release that does not echo them.
	Echo uint64 `json:"echo,omitempty"`
}

// Heartbeat is what the primary sends to a node: regularly, and when it wants something.
type Heartbeat struct {
	From string `json:"from"` // the primary's id
	// Number is greater than that of every heartbeat that the primary's process has sent
	// before, to any node. 0: it is of a release that does not number them.
	Number     uint64      `json:"number,omitempty"`
	Cursor     repo.Cursor `json:"cursor"` // the primary's newest write
	Durability string      `json:"durability,omitempty"`
	SyncSet    []string    `json:"sync_set,omitempty"`
	StandbySeq int64       `json:"standby_seq,omitempty"`
	// Forgotten are the ids of nodes that an operator had forgotten within a day.
	Forgotten []string `json:"forgotten,omitempty"`
	// InSet says that the node is in the sync set.
	InSet bool `json:"in_set,omitempty"`
	// Promote asks the node to become primary; Leaving is then the id of the node that asks,
	// which will not be there for some time.
	Promote bool   `json:"promote,omitempty"`
	Leaving string `json:"leaving,omitempty"`
	// Problem is what is wrong with the node's configuration.
	Problem string `json:"problem,omitempty"`
	// Clock is the primary's time, where a second node's clock agrees with it.
	Clock time.Time `json:"clock,omitzero"`
}
