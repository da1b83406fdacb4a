package compose

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Title returns the title of a post's revision, which is in its text too, so that every page that
// shows the revision says which write made it.
func Title(post string, revision int64, key string) string {
	return fmt.Sprintf("Post %s r%d by %s.", post, revision, key)
}

var titled = regexp.MustCompile(`Post ([a-z0-9]+) r(\d+) by ([a-z0-9]+)\.`)

// Shown is a post's revision on a page or in a copy.
type Shown struct {
	Post     string `json:"post"`
	Revision int64  `json:"revision"`
	Key      string `json:"key"`
}

// ShownIn returns the revisions that text shows, each once.
func ShownIn(text string) []Shown {
	var all []Shown
	for _, m := range titled.FindAllStringSubmatch(text, -1) {
		rev, err := strconv.ParseInt(m[2], 10, 64)
		if s := (Shown{m[1], rev, m[3]}); err == nil && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// Observation is one page that a reader requested.
type Observation struct {
	Fault  string        `json:"fault"`
	Node   string        `json:"node"`
	Reader string        `json:"reader"`
	Cookie bool          `json:"cookie,omitempty"` // whether the reader has a position
	Path   string        `json:"path"`
	Start  time.Duration `json:"start"`
	End    time.Duration `json:"end"`
	Status int           `json:"status,omitempty"` // 0 without an answer
	Err    string        `json:"err,omitempty"`
	Shown  []Shown       `json:"shown,omitempty"`
	Only   string        `json:"only,omitempty"` // the post whose page it is
	// Stale is the row that the reader had seen and for which the node says that it has waited in
	// vain; 0 for none. The page shows what the node has, or nothing (503). The reader's position
	// stays the same.
	Stale int64 `json:"stale,omitempty"`
	// Excused means that the node was meant not to answer, Held that rows were meant not to reach it. Unsteady means that
	// no single node was primary all the time around the request, so that a row that the page shows may be discarded.
	Excused  bool `json:"excused,omitempty"`
	Held     bool `json:"held,omitempty"`
	Unsteady bool `json:"unsteady,omitempty"`
}

// Log has everything that readers saw.
type Log struct {
	mu           sync.Mutex
	observations []Observation
}

// Add notes an observation.
func (l *Log) Add(s Observation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.observations = append(l.observations, s)
}

// Observations returns the observations after the first from ones.
func (l *Log) Observations(from int) []Observation {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.observations[min(from, len(l.observations)):])
}

// acked has the time at which each revision of a post was acknowledged.
type acked map[Shown]time.Duration

func ackedBy(ops []Op) acked {
	a := acked{}
	for _, op := range ops {
		if op.Outcome == OK && (op.Kind == Create || op.Kind == Edit) {
			a[Shown{op.Post, op.Revision, op.Key}] = op.Done
		}
	}
	return a
}

// CheckObservations compares what readers saw with what writers were told. No page shows a refused
// write. An acknowledged write that was seen at a node is not unseen there later, and one that a
// reader with a position has seen is not unseen by that reader at any node, unless the answer says
// so. A reader who is not excused gets an answer, and one that is not late (see late).
func CheckObservations(observations []Observation, ops []Op) error {
	var wrong []string
	known := byKey(ops)
	groups := map[string][]Observation{}
	for _, s := range observations {
		groups["at "+s.Node] = append(groups["at "+s.Node], s)
		if s.Cookie {
			groups["by "+s.Reader] = append(groups["by "+s.Reader], s)
		}
		for _, v := range s.Shown {
			if op, ok := known[v.Key]; !ok || op.Post != v.Post || op.Expected+1 != v.Revision {
				wrong = append(wrong, fmt.Sprintf("%s shows %+v, which nobody asked for", s.where(), v))
			} else if op.Outcome == Refused {
				// A write in conflict may have been seen for a while: a primary that was cut off
				// carried it out, its row was discarded, and then the write was asked for again.
				wrong = append(wrong, fmt.Sprintf("%s shows %+v, which was told as %s", s.where(), v, op.Outcome))
			}
		}
		if w := s.failed(); w != "" {
			wrong = append(wrong, w)
		}
	}
	b := backward{ackedBy(ops), known, hidingOf(ops)}
	for name, group := range groups {
		wrong = append(wrong, b.find(name, group)...)
	}
	return problems("readers", append(wrong, tooLate(observations)...))
}

func (s *Observation) where() string {
	return fmt.Sprintf("[%s] %s at %s for %s, %s to %s", s.Fault, s.Path, s.Node, s.Reader,
		s.Start.Round(time.Millisecond), s.End.Round(time.Millisecond))
}

// outageOfConsul begins the names of stretches in which only Consul is away.
const outageOfConsul = "j."

// failed returns what is wrong with the answer by itself, or "". A post may not have arrived yet
// (404). Where rows are held back, a reader who has waited in vain for what they have seen may be
// told that it is on its way (503). A reader without a position does not wait. While Consul is away
// no read may fail: all nodes answer with what they have, and the missing primary is no excuse.
func (s *Observation) failed() string {
	stale := s.Stale > 0
	excused := s.Excused || s.Only != "" && s.Status == 503 && stale && !s.late()
	switch {
	case stale && !s.Cookie:
	case s.Status == 200, s.Only != "" && s.Status == 404 && !stale, excused &&
		!strings.HasPrefix(s.Fault, outageOfConsul):
		return ""
	}
	return fmt.Sprintf("%s failed: status %d %s (stale: %d)", s.where(), s.Status, s.Err, s.Stale)
}

// hiding has the writes that hide a post from readers, and those that show it again.
type hiding struct{ hides, shows []Op }

// hidingOf returns the hiding of each post, by the key of the write that made the post.
func hidingOf(ops []Op) map[string]hiding {
	all := map[string]hiding{}
	for _, op := range ops {
		h := all[op.Born]
		switch {
		case op.Unchanged:
		case (op.Kind == Unpublish || op.Kind == Delete) && op.Outcome != Refused:
			h.hides = append(h.hides, op)
		case op.Kind == Publish && op.Outcome == OK:
			h.shows = append(h.shows, op)
		}
		all[op.Born] = h
	}
	return all
}

// explains reports whether the page may hide the post from who has seen it at this revision.
func (h hiding) explains(seen int64, s *Observation) bool {
	for _, hide := range h.hides {
		again := slices.ContainsFunc(h.shows, func(show Op) bool {
			return show.Expected > hide.Expected &&
				seen > show.Expected
		})
		if s.mayHave(hide, seen) && (hide.Kind == Delete || !again) {
			return true
		}
	}
	return false
}

// mayHave reports whether the copy from which the page was read may have op, for who has seen the post at this
// revision.
//
// A write that was told as in conflict, or of a post that is not there, may have been carried out at an earlier ask, by
// a primary that was cut off or died. Its row is discarded, and nodes may have that row for a while: one that rows do
// not reach, for as long as that lasts, and others around a change of the primary, until they follow the next one, by
// which the write was answered. The row makes its revision from the one that the write expects, so who has seen a later
// one has seen the history in which another row did that.
func (s *Observation) mayHave(op Op, seen int64) bool {
	switch {
	case op.Outcome == Refused, op.Asked >= s.End:
		return false
	case op.Outcome == Unknown, op.Outcome == OK && !op.Unchanged:
		return true
	case seen > op.Expected:
		return false
	case s.Held, s.Excused:
		return true
	}
	return s.Unsteady && s.Start <= op.Done+following
}

// backward finds what was seen and then unseen.
type backward struct {
	acked  acked
	known  map[string]Op
	hiding map[string]hiding
}

// find returns what a group of observations unsees. Only a page that was asked for after a revision
// was acknowledged counts as having seen it: what was shown earlier may come from an execution that
// was lost, and was then repeated. Names may be used again, so a post is identified by the write
// that made it.
func (b *backward) find(name string, group []Observation) (wrong []string) {
	byStart, byEnd := slices.Clone(group), slices.Clone(group)
	slices.SortStableFunc(byStart, func(x, y Observation) int { return int(x.Start - y.Start) })
	slices.SortStableFunc(byEnd, func(x, y Observation) int { return int(x.End - y.End) })
	type naming struct {
		name   string
		signed bool // a reader who is signed in sees what is hidden from others
	}
	seen := map[string]int64{}     // newest revision of each post
	named := map[naming][]string{} // posts that were seen, by their names
	for _, s := range byStart {
		for ; len(byEnd) > 0 && byEnd[0].End < s.Start; byEnd = byEnd[1:] {
			for _, v := range byEnd[0].Shown {
				if done, ok := b.acked[v]; ok && done <= byEnd[0].Start {
					born := b.known[v.Key].Born
					seen[born] = max(seen[born], v.Revision)
					for _, n := range []naming{{v.Post, true}, {v.Post, byEnd[0].Cookie}} {
						if !slices.Contains(named[n], born) {
							named[n] = append(named[n], born)
						}
					}
				}
			}
		}
		if name[:3] == "by " && s.Stale > 0 {
			continue // the answer says so; the next one that does not say it has what the reader had seen
		}
		for _, v := range s.Shown {
			if since := seen[b.known[v.Key].Born]; v.Revision < since {
				wrong = append(wrong, fmt.Sprintf("%s shows revision %d of %s after revision %d was seen %s", s.where(),
					v.Revision, v.Post, since, name))
			}
		}
		if s.Status != http.StatusNotFound || s.Only == "" {
			continue
		}
		for _, born := range named[naming{s.Only, s.Cookie}] {
			if !b.hiding[born].explains(seen[born], &s) {
				wrong = append(wrong, fmt.Sprintf("%s is not found after revision %d was seen %s", s.where(), seen[born], name))
			}
		}
	}
	return wrong
}
