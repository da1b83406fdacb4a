package decide

import (
	"log/slog"
	"slices"

	"blog/internal/repo"
)

// State is what one node knows of itself and of the others, and what it has decided.
type State struct {
	config Config

	self     Info        // as of the last InfoRead
	position repo.Cursor // newest row of this node's own copy
	leaving  bool

	uplink      uplink    // to the primary, while there is one
	primary     Heartbeat // the newest of the primary's, while this node is none
	heartbeatAt Instant   // when it came

	peers map[string]*peer   // by id: who has an uplink to this node, or had one
	left  map[string]Instant // by id: when a node said that it leaves
	// forgotten is, by id, when an operator had a node forgotten here, on the primary.
	forgotten map[string]Instant

	term *term // nil unless this node's role is primary and a term has begun
	last *term // the newest term of this node, over or not

	heartbeats uint64 // number of the newest heartbeat that this process has sent
	terms      uint64 // that this node has begun

	effects []Effect // of the event that is being handled
}

// New returns the state of a node that knows nothing yet.
func New(c Config) *State {
	return &State{
		config: c, peers: map[string]*peer{}, left: map[string]Instant{}, forgotten: map[string]Instant{},
	}
}

// On handles an event of the moment at, which is never before that of an earlier event,
// and returns what has to be done, in order.
func (s *State) On(at Instant, e Event) []Effect {
	if s.term != nil {
		s.term.noticeSleep(at)
	}
	e.apply(s, at)
	if s.term != nil {
		s.decide(at)
	}
	s.reportChange()
	effects := s.effects
	s.effects = nil
	return effects
}

func (s *State) emit(e Effect) { s.effects = append(s.effects, e) }

func (s *State) log(level slog.Level, text string, attrs ...any) {
	s.emit(Log{Level: level, Text: text, Attrs: attrs})
}

// peer is another node, as this one knows it from its uplink.
type peer struct {
	info    Info
	cursor  repo.Cursor
	epoch   Epoch // in which it was reported
	heard   Instant
	uplinks int // open ones: a new one may come before the old one is known to be dead
	leaving bool
	// sent is the number of the newest heartbeat to it, echoed that of the newest which a
	// report of it has echoed, and wanted the least of which an answer waits for the echo.
	sent, echoed, wanted uint64
	due                  bool    // SendHeartbeat has been returned, and NextHeartbeat not been asked for since
	offered              uint64  // the term whose next heartbeat offers it the lease; 0: none does
	skewed               int     // reports in a row with another time of day
	clockChecked         Instant // when that was last compared
	// joinAfter is when it may be tried to bring it into the sync set again.
	joinAfter Instant
}

func (p *peer) live(at Instant) bool { return p.uplinks > 0 && at-p.heard < lostAfter }

// ids returns the ids of all peers, in an order that stays.
func (s *State) ids() []string {
	ids := make([]string, 0, len(s.peers))
	for id := range s.peers {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func (e UplinkOpened) apply(s *State, _ Instant) {
	p := s.peers[e.ID]
	if p == nil {
		p = &peer{}
		s.peers[e.ID] = p
	}
	p.uplinks++
	p.due = false // an uplink begins with a heartbeat
	delete(s.forgotten, e.ID)
}

func (e UplinkClosed) apply(s *State, _ Instant) {
	if p := s.peers[e.ID]; p != nil {
		p.uplinks--
	}
}

// apply accepts a report. What a copy had in another epoch says nothing about the present
// one: it may have got another history meanwhile. Once the epoch is over to which it was
// reported it says nothing at all: a newer uplink may have come.
func (e ReportReceived) apply(s *State, at Instant) {
	p, rep := s.peers[e.ID], e.Report
	if e.Over || p == nil {
		return
	}
	p.heard, p.cursor, p.epoch, p.leaving = at, rep.Cursor, e.Epoch, rep.Leaving
	if rep.Info != nil {
		p.info = *rep.Info
		s.compareClock(p, at, e.Wall)
	}
	if rep.Leaving {
		s.left[e.ID] = at
	} else {
		delete(s.left, e.ID)
	}
	if rep.Echo <= s.heartbeats { // what nobody has sent cannot be echoed
		p.echoed = max(p.echoed, rep.Echo)
	}
	s.sendWanted(e.ID)
	if t := s.term; t != nil && t.epoch == e.Epoch {
		t.cover(e.ID, rep.Cursor, at)
	}
}

// sendWanted has a heartbeat sent to a node where an answer waits for a later echo than
// any heartbeat so far can have. There is one on its way at most: a node that does not
// echo gets no more than the regular ones.
func (s *State) sendWanted(id string) {
	if p := s.peers[id]; p.wanted > p.sent && p.echoed >= p.sent {
		s.sendHeartbeat(id)
	}
}

// sendHeartbeat has a heartbeat sent to a node at once, unless one is about to be.
func (s *State) sendHeartbeat(id string) {
	if p := s.peers[id]; !p.due {
		p.due = true
		s.emit(SendHeartbeat{To: id})
	}
}

// apply notes how this node is.
func (e InfoRead) apply(s *State, _ Instant) { s.self = e.Info }

// apply accepts rows of this node's own copy. Only rows that were read in the term's own
// epoch are of its history: the feed may have read them before another was primary, and
// deliver them afterwards.
func (e RowsRead) apply(s *State, at Instant) {
	if t := s.term; t != nil && t.epoch == e.Epoch {
		for _, row := range e.Rows {
			s.register(row, at)
		}
	}
	// The database may have been read since the feed read it: never back to what it was.
	// Which of the two is right where they differ the database says.
	switch last := e.Rows[len(e.Rows)-1]; {
	case last == s.position:
	case last.Seq > s.position.Seq && !e.Over:
		s.position = last
	default:
		s.emit(ReadPosition{})
	}
}

// apply accepts another history. A term's newest row is of its history, whatever the feed
// knew before.
func (e HistoryReset) apply(s *State, at Instant) {
	if e.Over { // what was newest in it may be older than what has been read since
		s.emit(ReadPosition{})
		return
	}
	if t := s.term; t != nil && t.epoch == e.Epoch {
		s.register(e.Position, at)
	}
	s.position = e.Position
}

func (e PositionRead) apply(s *State, _ Instant) {
	if s.position == e.Before {
		s.position = e.Position
	}
}

// Position returns the newest row of this node's copy, as it reports it.
func (s *State) Position() repo.Cursor { return s.position }

// Primary returns the newest row of the primary's that this node has heard of.
func (s *State) Primary() repo.Cursor { return s.primary.Cursor }

// InSet reports whether this node's role is primary in a term, or the primary has said that
// it is in the sync set; known is false while no primary has said anything.
func (s *State) InSet() (in, known bool) {
	if s.term != nil {
		return true, true
	}
	return s.primary.InSet, s.heartbeatAt != 0
}

// Peer returns how many uplinks a node has to this one, -1 where it is not known, and when its
// newest report came.
func (s *State) Peer(id string) (uplinks int, heard Instant) {
	if p := s.peers[id]; p != nil {
		return p.uplinks, p.heard
	}
	return -1, 0
}
