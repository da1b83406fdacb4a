package compose

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Title is the title of a post's revision, and its text too: whatever page shows
// it says whose write it is.
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

// Sight is one page that a reader got, or did not get.
type Sight struct {
	Fault  string        `json:"fault"`
	Node   string        `json:"node"`
	Reader string        `json:"reader"`
	Cookie bool          `json:"cookie,omitempty"` // the reader has a position
	Path   string        `json:"path"`
	Start  time.Duration `json:"start"`
	End    time.Duration `json:"end"`
	Status int           `json:"status,omitempty"` // 0: no answer
	Err    string        `json:"err,omitempty"`
	Shown  []Shown       `json:"shown,omitempty"`
	Only   string        `json:"only,omitempty"` // the page is this post's
	// Stale is the row that the reader had seen and that the node has waited for in
	// vain, by its own word; 0 for none. It shows what it has, or nothing (503); the
	// reader's position stays.
	Stale int64 `json:"stale,omitempty"`
	// Excused: the node was meant not to answer. Held: rows were meant not to reach it.
	Excused bool `json:"excused,omitempty"`
	Held    bool `json:"held,omitempty"`
}

// Log is all that readers saw.
type Log struct {
	mu     sync.Mutex
	sights []Sight
}

// Add notes a sight.
func (l *Log) Add(s Sight) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sights = append(l.sights, s)
}

// Sights returns what was noted after the first from.
func (l *Log) Sights(from int) []Sight {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.sights[min(from, len(l.sights)):])
}

// acked is when which revision of a post was acknowledged.
type acked map[Shown]time.Duration

func ackedBy(ops []Op) acked {
	a := acked{}
	for _, op := range ops {
		if op.Outcome == OK {
			a[Shown{op.Post, op.Revision, op.Key}] = op.Done
		}
	}
	return a
}

// CheckSights checks what readers saw against what writers were told: nothing
// that was refused is shown; an acknowledged write once seen at a node is not
// unseen there, and one that a reader with a position has seen is not unseen by
// that reader anywhere, unless they are told so; who was not meant to wait got an
// answer, and one that is not stale (see late).
func CheckSights(sights []Sight, ops []Op) error {
	var wrong []string
	known := map[string]Op{}
	for _, op := range ops {
		known[op.Key] = op
	}
	groups := map[string][]Sight{}
	for _, s := range sights {
		groups["at "+s.Node] = append(groups["at "+s.Node], s)
		if s.Cookie {
			groups["by "+s.Reader] = append(groups["by "+s.Reader], s)
		}
		for _, v := range s.Shown {
			if op, ok := known[v.Key]; !ok || op.Post != v.Post || op.Expected+1 != v.Revision {
				wrong = append(wrong, fmt.Sprintf("%s shows %+v, which nobody asked for", s.where(), v))
			} else if op.Outcome == Refused {
				// A Conflict may have been seen for a while: carried out on a primary
				// that was cut off, discarded, and then asked again by the chain.
				wrong = append(wrong, fmt.Sprintf("%s shows %+v, which was told as %s", s.where(), v, op.Outcome))
			}
		}
		if w := s.failed(); w != "" {
			wrong = append(wrong, w)
		}
	}
	a := ackedBy(ops)
	for name, group := range groups {
		wrong = append(wrong, backwards(name, group, a)...)
	}
	return problems("readers", append(wrong, tooLate(sights)...))
}

func (s *Sight) where() string {
	return fmt.Sprintf("[%s] %s at %s for %s, %s to %s", s.Fault, s.Path, s.Node, s.Reader, s.Start.Round(time.Millisecond), s.End.Round(time.Millisecond))
}

// outageOfConsul begins the names of stretches in which Consul alone is away.
const outageOfConsul = "j."

// failed says what is wrong with the answer by itself. A post may not have arrived
// yet (404). Who has waited in vain for what they have seen is told that it may be on
// its way instead (503), where rows are held back. Who has no position waits for nothing.
// While Consul is away no read may fail: all nodes are there, with what they have, and
// that nobody is primary is then no excuse.
func (s *Sight) failed() string {
	stale := s.Stale > 0
	excused := s.Excused || s.Only != "" && s.Status == 503 && stale && !s.late()
	switch {
	case stale && !s.Cookie:
	case s.Status == 200, s.Only != "" && s.Status == 404 && !stale, excused && !strings.HasPrefix(s.Fault, outageOfConsul):
		return ""
	}
	return fmt.Sprintf("%s failed: status %d %s (stale: %d)", s.where(), s.Status, s.Err, s.Stale)
}

// backwards finds what was seen and then unseen in a group of sights. Only a page
// asked for after a revision was acknowledged counts as having seen it: what was
// shown before may have been an execution that was lost, and then done again.
func backwards(name string, group []Sight, a acked) (wrong []string) {
	byStart, byEnd := slices.Clone(group), slices.Clone(group)
	slices.SortStableFunc(byStart, func(x, y Sight) int { return int(x.Start - y.Start) })
	slices.SortStableFunc(byEnd, func(x, y Sight) int { return int(x.End - y.End) })
	seen := map[string]int64{}
	for _, s := range byStart {
		for ; len(byEnd) > 0 && byEnd[0].End < s.Start; byEnd = byEnd[1:] {
			for _, v := range byEnd[0].Shown {
				if done, ok := a[v]; ok && done <= byEnd[0].Start {
					seen[v.Post] = max(seen[v.Post], v.Revision)
				}
			}
		}
		if name[:3] == "by " && s.Stale > 0 {
			continue // the reader is told, and has what they had seen by the next answer that says nothing
		}
		for _, v := range s.Shown {
			if v.Revision < seen[v.Post] {
				wrong = append(wrong, fmt.Sprintf("%s shows revision %d of %s after revision %d was seen %s", s.where(), v.Revision, v.Post, seen[v.Post], name))
			}
		}
		if s.Status == 404 && s.Only != "" && seen[s.Only] > 0 {
			wrong = append(wrong, fmt.Sprintf("%s is not found after revision %d was seen %s", s.where(), seen[s.Only], name))
		}
	}
	return wrong
}
