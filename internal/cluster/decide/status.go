package decide

import (
	"cmp"
	"log/slog"
	"slices"
	"strings"
	"time"

	"blog/internal/litefs"
)

// Here is what a status says of this node beside its State.
type Here struct {
	Role         litefs.State
	Wall         time.Time // this machine's clock
	ClockProblem string    // what is wrong with it
}

// Self returns this node as it knows itself, with what the primary has said of the whole.
func (s *State) Self(at Instant, here Here) Info {
	i := s.self
	i.Clock = here.Wall.UTC()
	i.Seq, i.Mark = s.position.Seq, s.position.String()
	switch t := s.term; {
	case t != nil:
		i.Durability, i.SyncSet, i.StandbySeq = string(t.assurance()), s.names(&t.set), t.standbySeq()
		i.Problem = sentences(s.self.Problem, s.countProblem(at))
	case here.Role == litefs.Primary:
		i.Durability = string(Local)
		if s.config.SyncSet && s.config.Policy != Local {
			i.Durability = "" // its term has not begun
		}
	case here.Role == litefs.Unknown:
		i.Problem = s.primary.Problem // what acknowledgements rest on nobody knows now
	default:
		h := s.primary
		i.Durability, i.SyncSet, i.StandbySeq, i.Problem = h.Durability, h.SyncSet, h.StandbySeq, h.Problem
		i.Lag = max(0, h.Cursor.Seq-s.position.Seq)
	}
	i.Problem = sentences(i.Problem, here.ClockProblem)
	if i.SyncSet == nil {
		i.SyncSet = []string{} // a list in JSON, too
	}
	return i
}

// sentences puts what is wrong into one text.
func sentences(all ...string) string {
	return strings.Join(slices.DeleteFunc(all, func(s string) bool { return s == "" }), " ")
}

// Nodes returns this node first and, on a primary, everybody who has an uplink or had one.
func (s *State) Nodes(at Instant, here Here) []Info {
	out := []Info{s.Self(at, here)}
	if here.Role != litefs.Primary {
		return out
	}
	for _, id := range s.ids() {
		p := s.peers[id]
		i := p.info
		i.Seq, i.Mark, i.Lag = p.cursor.Seq, p.cursor.String(), max(0, s.position.Seq-p.cursor.Seq)
		i.Durability, i.SyncSet, i.StandbySeq = out[0].Durability, out[0].SyncSet, out[0].StandbySeq
		i.Heard, i.Problem = max(1, (at-p.heard).Milliseconds()), sentences(s.problem(p, at), p.info.Problem)
		out = append(out, i)
	}
	slices.SortStableFunc(out[1:], func(a, b Info) int { return cmp.Compare(a.Node, b.Node) })
	return out
}

// maxSkew is how far two clocks may be apart: deadlines of calls are compared with it.
const maxSkew = 2 * time.Second

// skewedReports is how many whole reports in a row must say so: one may have waited in a
// buffer.
const skewedReports = 5

// compareClock compares the clock of a whole report with this machine's.
func (s *State) compareClock(p *peer, at Instant, wall time.Time) {
	if at-p.clockChecked < HeartbeatEvery/2 {
		return // they waited together in a buffer, of this process or on the way
	}
	p.clockChecked = at
	s.emit(ConfirmClock{p.info.Clock})
	apart := wall.Sub(p.info.Clock).Abs()
	if apart <= maxSkew {
		p.skewed = 0
		return
	}
	p.skewed++
	if p.skewed == skewedReports {
		s.log(slog.LevelWarn, "two nodes' clocks are more than 2 s apart: set them by NTP, or calls are refused as too late",
			"node", p.info.Node, "apart", apart)
	}
}
