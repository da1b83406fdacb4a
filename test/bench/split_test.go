package bench_test

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"blog/internal/repo"
	"blog/internal/transport"
	nodes "blog/test/cluster"
)

// BenchmarkSplit prints where the time of posts.create goes, with one and with many writers, and with many beside
// readers: the stages of a call, those of a batch, and the processor time by program.
func BenchmarkSplit(b *testing.B) {
	split := &table{head: []string{"what", "by 1", "by 8", "by 64"}}
	beside := &table{head: []string{"what", "by 64 alone", "by 64 beside readers"}}
	b.Run("plain", func(b *testing.B) {
		client, base, transport := plainWriter(b, build(b, "./cmd/blog"))
		split.parts("a plain file", measureCounts(b, place{client, base, transport, repo.Local}))
	})
	b.Run("besideplain", func(b *testing.B) {
		s := newSiteOf(b, build(b, "./cmd/blog"))
		s.serve(b)
		client, base, transport := s.writer(b)
		at := place{client, base, transport, repo.Local}
		beside.parts("a plain file", measureBeside(b, at, "http://"+s.public))
	})
	b.Run("litefs", func(b *testing.B) {
		c, transport := regions(b)
		base := c.Primary().PrivateURL
		at := place{repo.NewClient(base, transport), base, transport, repo.Local}
		split.parts("LiteFS, this node's disk", measureCounts(b, at))
	})
	b.Run("two", func(b *testing.B) {
		c, transport := elected(b, nodes.Options{Nodes: 2})
		primary, _ := pair(b, c, transport)
		base := primary.PrivateURL
		at := place{repo.NewClient(base, transport), base, transport, repo.Two}
		split.parts("acknowledged on two nodes", measureCounts(b, at))
		beside.parts("acknowledged on two nodes", measureBeside(b, at, primary.PublicURL))
	})
	b.ReportMetric(0, "ns/op")
	_, _ = fmt.Fprintf(os.Stdout, "\nLoad average %s.\n\n%s\n\n%s\n", busy(), split, beside)
}

// plainWriter starts binary's blog on a plain file. It returns a writer to it, its private address
// and a client of that.
func plainWriter(b *testing.B, binary string) (repo.Writer, string, *transport.Client) {
	b.Helper()
	s := newSiteOf(b, binary)
	s.serve(b)
	return s.writer(b)
}

// measured is the result of a run of writers.
type measured struct {
	writings
	lasted time.Duration
	stages map[repo.Stage]stage     // on the primary
	cpu    map[string]time.Duration // by program
}

// stage is how often a stage was passed, and how long it took in all.
type stage struct {
	count int
	took  time.Duration
}

// place is where writers write: through w, to the primary whose private address is base, and what answers must rest on.
type place struct {
	w         repo.Writer
	base      string
	transport *transport.Client
	meant     repo.Assurance
}

// parts adds the rows of one place: the medians of the runs of each column.
func (t *table) parts(where string, columns [][]measured) {
	row := func(what string, value func(m measured) (part, whole time.Duration)) {
		t.addParts(columns, what, value)
	}
	rates, sizes := []string{"**" + where + "**: writes a second"}, []string{"calls a batch"}
	for _, runs := range columns {
		var rate, size []float64
		for _, m := range runs {
			rate, size = append(rate, m.perSecond), append(size, m.perBatch())
		}
		rates, sizes = append(rates, fmt.Sprintf("%.0f/s", median(rate))), append(sizes, fmt.Sprintf("%.1f", median(size)))
	}
	t.rows = append(t.rows, rates, sizes)
	ofCall := repo.Stages()[:6]
	for _, s := range ofCall {
		row("of a call: "+string(s), func(m measured) (time.Duration, time.Duration) { return m.perCall(s), m.call() })
	}
	row("of a call: the remainder (HTTP, the feed, the client)", func(m measured) (time.Duration, time.Duration) {
		left := m.call()
		for _, s := range ofCall {
			left -= m.perCall(s)
		}
		return left, m.call()
	})
	ofBatch := []repo.Stage{repo.StageBegin, repo.StageApply, repo.StageUpkeep, repo.StageCommit}
	for _, s := range ofBatch {
		row("of a batch: "+string(s), func(m measured) (time.Duration, time.Duration) { return m.perBatchTime(s), m.batch() })
	}
	row("of a batch: the remainder (waiting for calls)", func(m measured) (time.Duration, time.Duration) {
		left := m.batch()
		for _, s := range ofBatch {
			left -= m.perBatchTime(s)
		}
		return left, m.batch()
	})
	for _, program := range slices.Sorted(maps.Keys(columns[0][0].cpu)) {
		row("processor time a call: "+program, func(m measured) (time.Duration, time.Duration) {
			calls := time.Duration(len(m.took))
			return m.cpu[program] / calls, m.lasted * time.Duration(runtime.NumCPU()) / calls
		})
	}
}

// Runs of a split: how many of each kind, in turns, and how long each.
const (
	splitTurns = 3
	splitRun   = 4 * time.Second
)

// measureCounts runs each number of writers, and returns a column for each.
func measureCounts(b *testing.B, at place) [][]measured {
	b.Helper()
	publish(b, at.w, 8, time.Second, at.meant) // warms up
	columns := make([][]measured, len(writerCounts))
	for range splitTurns {
		for i, n := range writerCounts {
			columns[i] = append(columns[i], at.measure(b, n))
		}
	}
	return columns
}

// measureBeside runs the most writers alone and beside readers of the site at public, who ask as besideReaders says,
// and returns a column for each.
func measureBeside(b *testing.B, at place, public string) [][]measured {
	b.Helper()
	addr, post := firstPost(b, at.w, public)
	paths, most := []string{"/posts", post}, writerCounts[len(writerCounts)-1]
	publish(b, at.w, 8, time.Second, at.meant) // warms up
	columns := make([][]measured, 2)
	for range splitTurns {
		reach := readRate(b, addr, paths, 0, splitRun)
		columns[0] = append(columns[0], at.measure(b, most))
		var readers sync.WaitGroup
		readers.Go(func() { readRate(b, addr, paths, reach.perSecond/2, splitRun) })
		columns[1] = append(columns[1], at.measure(b, most))
		readers.Wait()
	}
	return columns
}

// measure runs n writers, and returns what they have done and what the primary's metrics and the kernel counted in
// that time.
func (p place) measure(b *testing.B, n int) measured {
	b.Helper()
	before, cpu, start := readStages(b, p.base, p.transport), processorTime(b), time.Now()
	m := measured{writings: publish(b, p.w, n, splitRun, p.meant)}
	m.lasted = time.Since(start)
	m.stages, m.cpu = readStages(b, p.base, p.transport), processorTime(b)
	for s, then := range before {
		m.stages[s] = stage{m.stages[s].count - then.count, m.stages[s].took - then.took}
	}
	for program, then := range cpu {
		m.cpu[program] -= then
	}
	return m
}

// addParts adds a row with a part of the time, and its share of the whole, in each column.
func (t *table) addParts(
	columns [][]measured, what string, value func(m measured) (part, whole time.Duration),
) {
	cells := []string{what}
	for _, runs := range columns {
		var times []time.Duration
		var shares []float64
		for _, m := range runs {
			part, whole := value(m)
			times, shares = append(times, part), append(shares, 100*float64(part)/float64(whole))
		}
		cells = append(cells, fmt.Sprintf("%.2f ms, %.0f %%", median(times).Seconds()*1000, median(shares)))
	}
	t.rows = append(t.rows, cells)
}

// call returns the mean time of a call as its writer sees it.
func (m measured) call() time.Duration {
	var all time.Duration
	for _, d := range m.took {
		all += d
	}
	return all / time.Duration(len(m.took))
}

func (m measured) perCall(s repo.Stage) time.Duration {
	return m.stages[s].took / time.Duration(len(m.took))
}

func (m measured) batches() int { return max(m.stages[repo.StageCommit].count, 1) }

func (m measured) perBatch() float64 { return float64(len(m.took)) / float64(m.batches()) }

// batch returns the mean time from one batch to the next.
func (m measured) batch() time.Duration { return m.lasted / time.Duration(m.batches()) }

func (m measured) perBatchTime(s repo.Stage) time.Duration {
	return m.stages[s].took / time.Duration(m.batches())
}

// readStages returns the stages so far, from the metrics of the server at base.
func readStages(b *testing.B, base string, transport *transport.Client) map[repo.Stage]stage {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/metrics", nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header = transport.Header()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	all := map[repo.Stage]stage{}
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		for _, name := range repo.Stages() {
			s := all[name]
			if value, found := strings.CutPrefix(lines.Text(), metric("sum", name)); found {
				s.took = time.Duration(mustFloat(b, value) * float64(time.Second))
			}
			if value, found := strings.CutPrefix(lines.Text(), metric("count", name)); found {
				s.count = int(mustFloat(b, value))
			}
			all[name] = s
		}
	}
	if all[repo.StageApply].count == 0 {
		b.Fatalf("no stages in the metrics of %s, status %d", base, res.StatusCode)
	}
	return all
}

// metric returns the beginning of the line with the sum or the count of a stage.
func metric(of string, s repo.Stage) string {
	return fmt.Sprintf("blog_write_stage_seconds_%s{stage=%q} ", of, s)
}

func mustFloat(tb testing.TB, text string) float64 {
	tb.Helper()
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

// processorTime returns the processor time so far of this process and of those that it has started,
// by program. The kernel counts it in ticks of 10 ms.
func processorTime(tb testing.TB) map[string]time.Duration {
	tb.Helper()
	const tick = 10 * time.Millisecond
	type process struct {
		parent int
		name   string
		took   time.Duration
	}
	all := map[int]process{}
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		tb.Fatal(err)
	}
	for _, path := range paths {
		stat, serr := os.ReadFile(filepath.Clean(path))
		args, aerr := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		_, after, found := strings.Cut(string(stat), ") ")
		fields := strings.Fields(after)
		if serr != nil || aerr != nil || !found || len(fields) < 13 { // it has ended meanwhile
			continue
		}
		pid, perr := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		parent, rerr := strconv.Atoi(fields[1])
		if perr != nil || rerr != nil {
			continue
		}
		argv := strings.Split(string(args), "\x00")
		name := filepath.Base(argv[0])
		if len(argv) > 1 && name == "blog" {
			name += " " + argv[1]
		}
		all[pid] = process{parent, name, tick * time.Duration(mustFloat(tb, fields[11])+mustFloat(tb, fields[12]))}
	}
	self := os.Getpid()
	sum := map[string]time.Duration{}
	for pid, p := range all {
		name := p.name
		if pid == self {
			name = "who asks"
		}
		for up := pid; up != 0; up = all[up].parent {
			if up == self {
				sum[name] += p.took
				break
			}
		}
	}
	return sum
}
