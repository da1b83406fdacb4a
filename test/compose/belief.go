package compose

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Belief is a time during which a node believed that it may acknowledge. The node's log says so, by the clock of this
// machine (clock.Boot).
type Belief struct {
	Node     string
	Term     string
	From, To time.Duration
	// Open says that the log does not have the end, because the process was killed. To is then the last moment that is
	// known.
	Open bool
}

var (
	believedLine = regexp.MustCompile(`msg="this node may acknowledge( no more)?" term=(\S+) boot=(\S+)`)
	// answeredLine matches the line about a write that the node itself has carried out and acknowledged.
	answeredLine = regexp.MustCompile(`msg=write .*role=primary .*durability=(two|alone) .*replayed=false`)
)

// Beliefs returns the beliefs of which a container's log speaks. Each line of the log begins with the time at which it
// was received, by the wall clock of this machine, and boot is the time of that clock at which clock.Boot was zero. The
// belief of a killed process ends with the last write that its log says was acknowledged, since no more is known. The
// belief of a process that was stopped for a time ends when it last ran. wrong has the lines that contradict others,
// such as a write that was acknowledged while the node did not believe that it may.
func Beliefs(node, log string, boot time.Time) (all []Belief, wrong []string) {
	var now *Belief
	var ended time.Duration // when the newest line about an end was received, which may be long after that end
	end := func() {
		if now != nil {
			all = append(all, *now)
		}
		now = nil
	}
	for line := range strings.Lines(log) {
		stamp, text, _ := strings.Cut(line, " ")
		came, err := time.Parse(time.RFC3339Nano, stamp)
		if err != nil {
			continue
		}
		at := came.Sub(boot)
		if m := believedLine.FindStringSubmatch(text); m != nil {
			said, err := time.ParseDuration(m[3])
			if err != nil {
				wrong = append(wrong, fmt.Sprintf("%s: %s", node, strings.TrimSpace(line)))
				continue
			}
			switch {
			case m[1] == "":
				end() // the belief of a process that was killed
				now = &Belief{Node: node, Term: m[2], From: said, To: said, Open: true}
			case now == nil || now.Term != m[2]:
				wrong = append(wrong, fmt.Sprintf("%s ends a belief that it has not begun: %s", node, strings.TrimSpace(line)))
			default:
				now.To, now.Open = said, false
				ended = at
				end()
			}
			continue
		}
		if answeredLine.MatchString(text) {
			// The line is received after the answer was given, and the belief may have ended in between.
			if now != nil {
				now.To = max(now.To, at)
			} else if len(all) == 0 || at > ended+lineLate {
				wrong = append(wrong, fmt.Sprintf("%s acknowledges while it may not: %s", node, strings.TrimSpace(line)))
			}
		}
	}
	end()
	return all, wrong
}

// lineLate is how long after an answer its line may be received: the machine is shared, and Docker queues lines of the
// log.
const lineLate = 2 * time.Second

// CheckBeliefs fails when two nodes believed at one moment that they may acknowledge, and when one believed it again in
// its old term after a term of another node had begun.
func CheckBeliefs(all []Belief) error {
	var wrong []string
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b Belief) int { return int(a.From - b.From) })
	for i, a := range all {
		for _, b := range all[i+1:] {
			if a.Node != b.Node && b.From < a.end() && a.From < b.end() {
				wrong = append(wrong, fmt.Sprintf("%s (term %s, %s to %s) and %s (term %s, %s to %s) may both acknowledge for %s",
					a.Node, a.Term, a.From, a.To, b.Node, b.Term, b.From, b.To, min(a.end(), b.end())-max(a.From, b.From)))
			}
			if a.Node != b.Node && resumed(all, a, b) {
				wrong = append(wrong, fmt.Sprintf("%s may acknowledge in term %s again, although that of %s (%s) began at %s",
					a.Node, a.Term, b.Node, b.Term, b.From))
			}
		}
	}
	return problems("beliefs", wrong)
}

// resumed reports whether a node believed again, in the term of before, after other had begun.
func resumed(all []Belief, before, other Belief) bool {
	return slices.ContainsFunc(all, func(b Belief) bool {
		return b.Node == before.Node && b.Term == before.Term && b.From > other.From
	})
}

// end returns the last moment at which the node certainly had the belief. The last line of a killed process may have
// been received late.
func (b *Belief) end() time.Duration {
	if b.Open {
		return max(b.From, b.To-lineLate)
	}
	return b.To
}
