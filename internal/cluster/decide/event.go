package decide

import (
	"time"

	"blog/internal/litefs"
	"blog/internal/repo"
)

// Epoch names one unbroken role of this node. Epochs are compared, and nothing else.
type Epoch any

// Event is something that has happened: one of the types of this file.
type Event interface {
	apply(s *State, at Instant)
}

// Events that concern this node's own copy and its uplink to the primary.
type (
	// InfoRead says how this node is.
	InfoRead struct{ Info Info }

	// RowsRead says that the feed has delivered rows of this node's copy. Over says that the
	// epoch in which they were read has ended since.
	RowsRead struct {
		Rows  []repo.Cursor
		Epoch Epoch
		Over  bool
	}

	// HistoryReset says that the feed has found another history, whose newest row is Position.
	HistoryReset struct {
		Position repo.Cursor
		Epoch    Epoch
		Over     bool
	}

	// PositionRead says what the database had as newest row, read after this node's position
	// had been Before. Where it is another by now the event is ignored: the feed may have
	// delivered something newer than what was read.
	PositionRead struct{ Before, Position repo.Cursor }

	// LeaveBegun says that this node is about to stop.
	LeaveBegun struct{}

	// Dialed says that this node has a new uplink to a primary.
	Dialed struct{}

	// HungUp says that this node's uplink is gone.
	HungUp struct{}

	// HeartbeatReceived says what the primary sent over that uplink.
	HeartbeatReceived struct{ Heartbeat Heartbeat }

	// ReportSent says that the report has gone out.
	ReportSent struct{ Report Report }

	// UplinkFailed says what an operator has to put right about this node's uplink.
	UplinkFailed struct {
		Problem string
		Err     error
	}
)

// Events that concern the nodes that report to this one.
type (
	// UplinkOpened says that the node with that id has one more uplink to this node.
	UplinkOpened struct{ ID string }

	// UplinkClosed says that the node with that id has one uplink less.
	UplinkClosed struct{ ID string }

	// ReportReceived says what a node has reported over an uplink of Epoch. Over says that the
	// epoch has ended since. Wall is this machine's clock.
	ReportReceived struct {
		ID     string
		Report Report
		Epoch  Epoch
		Over   bool
		Wall   time.Time
	}

	// Cleaned is given once a second. Primary says that this node has the role.
	Cleaned struct{ Primary bool }
)

// Events of a term.
type (
	// TermBegun says that Consul has written the set that Opening returned: this node's next
	// term begins, and the one before is over.
	TermBegun struct {
		Self   litefs.Member
		Lease  string // the name of this holding of the lease
		Epoch  Epoch
		Set    litefs.SyncSet // as Consul has written it
		Newest repo.Cursor    // of this node's copy
		Asked  Instant        // when Consul was asked to write it
	}

	// TermEnded says that the term with that number is over.
	TermEnded struct{ Term uint64 }

	// Tick is given every TickEvery while a term lasts.
	Tick struct{}

	// StandingRead is what came of ReadStanding.
	StandingRead struct {
		Term     uint64
		Standing litefs.Standing
		Err      error
	}

	// SetWritten is what came of WriteSet.
	SetWritten struct {
		Term uint64
		Set  litefs.SyncSet
		Err  error
	}

	// LeaseGivenUp is what came of GiveUpLease.
	LeaseGivenUp struct {
		Term uint64
		Err  error
	}

	// AnswerWanted says that an answer of the term with that number waits. Write says that it
	// is the answer to the write at Row; without it the answer, of a replay or a refusal,
	// rests on Row as the newest that its transaction saw.
	AnswerWanted struct {
		Term   uint64
		Waiter uint64
		Row    repo.Cursor
		Write  bool
	}

	// AnswerWithdrawn says that nobody waits for that answer any more.
	AnswerWithdrawn struct{ Waiter uint64 }
)

// Effect is something that has to be done: one of the types below, or Log.
type Effect interface{ effect() }

// Effects.
type (
	// SendHeartbeat has NextHeartbeat sent to that node at once.
	SendHeartbeat struct{ To string }

	// SendReport has NextReport sent over this node's uplink at once.
	SendReport struct{}

	// ReadPosition has this node's position read from its database, soon.
	ReadPosition struct{}

	// ReadStanding asks Consul whether the lease is held, and what the set is. The term has
	// one of ReadStanding, WriteSet and GiveUpLease under way at a time.
	ReadStanding struct{}

	// WriteSet asks Consul for another set.
	WriteSet struct{ Change litefs.SyncChange }

	// GiveUpLease has the LiteFS node give its lease up.
	GiveUpLease struct{ Giving litefs.Giving }

	// Wake has a Tick given after that time, besides those of every TickEvery.
	Wake struct{ After time.Duration }

	// GiveAnswer has the answer that waits be given.
	GiveAnswer struct {
		Waiter    uint64
		Assurance repo.Assurance
	}

	// RefuseAnswer ends the waiting of an answer: the term is over.
	RefuseAnswer struct{ Waiter uint64 }

	// AcquireLease asks for the lease in the place of the primary, which wants it.
	AcquireLease struct{}

	// ConfirmClock compares another node's clock with this one's.
	ConfirmClock struct{ Time time.Time }

	// FollowClock makes the primary's time this node's.
	FollowClock struct{ Time time.Time }
)

func (SendHeartbeat) effect() {}
func (SendReport) effect()    {}
func (ReadPosition) effect()  {}
func (ReadStanding) effect()  {}
func (WriteSet) effect()      {}
func (GiveUpLease) effect()   {}
func (Wake) effect()          {}
func (GiveAnswer) effect()    {}
func (RefuseAnswer) effect()  {}
func (AcquireLease) effect()  {}
func (ConfirmClock) effect()  {}
func (FollowClock) effect()   {}
func (Log) effect()           {}
