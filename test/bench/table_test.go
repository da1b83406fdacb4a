package bench_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// table is what the benchmark prints at its end, as Markdown.
type table struct {
	head []string // nil means the heads of add
	rows [][]string
}

// add adds a row: what was measured, the result, what it is compared with, the ratio or difference,
// and the goal, with whether that was reached when there is one.
func (t *table) add(what, figure, against, ratio, goal string) {
	t.rows = append(t.rows, []string{what, figure, against, ratio, goal})
}

// goal returns a goal and whether it was reached.
func goal(aim string, met bool) string {
	if met {
		return aim + ": met"
	}
	return aim + ": **not met**"
}

func (t *table) String() string {
	head := t.head
	if head == nil {
		head = []string{"what", "figure", "against", "ratio", "goal"}
	}
	rows := append([][]string{head}, t.rows...)
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for n, row := range rows {
		for i, cell := range row {
			b.WriteString("| " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)) + " ")
		}
		b.WriteString("|\n")
		if n == 0 {
			for _, w := range widths {
				b.WriteString("|" + strings.Repeat("-", w+2))
			}
			b.WriteString("|\n")
		}
	}
	return b.String()
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }

// BenchmarkTable measures all figures in one run and prints them.
func BenchmarkTable(b *testing.B) {
	t, before := &table{}, busy()
	for _, part := range []struct {
		name    string
		measure func(b *testing.B, t *table)
	}{
		{"pages", pages}, {"start", starts}, {"sockets", sockets}, {"reads", reads}, {"forwarding", forwarding},
		{"frames", frames}, {"two", two}, {"writers", many}, {"releases", releases},
		{"failover", failover}, {"copies", copies},
	} {
		b.Run(part.name, func(b *testing.B) {
			part.measure(b, t)
			b.ReportMetric(0, "ns/op") // a part is no operation
		})
	}
	// The figures of a benchmark belong on standard output.
	_, _ = fmt.Fprintf(os.Stdout, `
%d processors, shared by the servers and what asks them; load average %s (before, after). %s.
Pages: %d keep-alive connections, Accept-Encoding: identity for all, %d rounds in turns; requests a second and p50 / p99
are medians over the rounds, a ratio is the median of those taken within a round.
On two nodes, and without a writer: nodes that elect their primary, with a lease of %s in Consul.

%s
`, runtime.NumCPU(), before+", "+busy(), runtime.Version(), connections, rounds, lease, t)
}

// busy returns the machine's load average over the last minute, which shows how far the figures can
// be trusted.
func busy() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	minute, _, _ := strings.Cut(string(text), " ")
	return minute
}
