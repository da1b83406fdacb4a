package compose

import (
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"
)

// SessionEvent is something that happened with a session: a change of it, a write that it signed,
// or a page that was asked for with its cookie.
type SessionEvent struct {
	Session    string // hash of its token
	Kind       SessionKind
	Node       string
	Start, End time.Duration
	// Alive is what the answer says about the session. Known is false when it says nothing: there is
	// no answer, it is a 503, or it says that the copy is behind.
	Alive, Known bool
	Message      string
}

// SessionKind is what was asked for.
type SessionKind string

// The kinds.
const (
	Login  SessionKind = "login"
	Logout SessionKind = "logout"
	// Signed is a write that a session signs, and that does not change the session.
	Signed SessionKind = "write"
	Page   SessionKind = "page"
	stored SessionKind = "copy"
)

// session is the state of a session, which begins once and ends once.
type session string

const (
	noSession session = "none"
	alive     session = "alive"
	ended     session = "ended"
)

func sessionModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return noSession },
		Step: func(state, input, output any) (bool, any) {
			s, e := state.(session), output.(SessionEvent)
			switch e.Kind {
			case Login:
				return s == noSession, alive
			case Logout:
				if s == alive {
					return true, ended
				}
				return !e.Known || s == ended, s // a session that has ended already is no error
			}
			return !e.Known || e.Alive == (s == alive), s
		},
		DescribeOperation: func(_, output any) string {
			e := output.(SessionEvent)
			return fmt.Sprintf("%s on %s: alive %t (known %t) %s", e.Kind, e.Node, e.Alive, e.Known, e.Message)
		},
		DescribeState: func(state any) string { return string(state.(session)) },
	}
}

// CheckSessions checks that the answers about each session have one order, in which the session
// begins once and ends once, and that all copies agree with it in the end. A page rests on a node's
// own copy: it has to show what its reader knew of the session when they asked for it, and may show
// more.
func CheckSessions(events []SessionEvent, copies []*Copy, start, end, limit time.Duration) error {
	bySession := map[string][]SessionEvent{}
	for _, e := range events {
		bySession[e.Session] = append(bySession[e.Session], e)
	}
	var wrong []string
	until := time.Now().Add(limit)
	for hash, all := range bySession {
		for _, c := range copies {
			all = append(all, SessionEvent{Session: hash, Kind: stored, Node: c.Node, Start: start, End: end,
				Alive: c.Sessions[hash], Known: true})
		}
		var h []porcupine.Operation
		for _, e := range all {
			if e.Kind == Page {
				wrong = append(wrong, e.contradicts(all)...)
				continue
			}
			done := e.End
			if !e.Known {
				done = never
			}
			h = append(h, porcupine.Operation{ClientId: len(h), Output: e, Call: int64(e.Start), Return: int64(done)})
		}
		if got := porcupine.CheckOperationsTimeout(sessionModel(), h,
			max(time.Second, time.Until(until))); got != porcupine.Ok {
			wrong = append(wrong, fmt.Sprintf("session %.8s: %s: %s", hash, verdict(got),
				describe(h, sessionModel().DescribeOperation)))
		}
	}
	return problems("sessions", wrong)
}

// contradicts returns what page e does not show of a session, although its reader knew it.
func (e *SessionEvent) contradicts(all []SessionEvent) (wrong []string) {
	if !e.Known {
		return nil
	}
	begun, over, mayBeOver := false, false, false
	for _, o := range all {
		begun = begun || o.Kind == Login && o.End < e.Start
		if o.Kind == Logout {
			over = over || o.Known && o.End < e.Start
			mayBeOver = mayBeOver || o.Start < e.End
		}
	}
	if over && e.Alive || begun && !mayBeOver && !e.Alive {
		wrong = append(wrong, fmt.Sprintf("session %.8s: a page of %s, %s to %s, says alive: %t (over: %t) %s",
			e.Session, e.Node, e.Start.Round(time.Millisecond), e.End.Round(time.Millisecond), e.Alive, over, e.Message))
	}
	return wrong
}
