package bench_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"blog/internal/repo"
)

// Goals of writers and readers side by side: the least share of their rate alone that 64 writers
// reach, and the longest time of the slowest of a hundred readers, compared with readers alone who
// ask as often.
const (
	besideGoal      = 0.7
	besideReadsGoal = 3.0
)

// besideReaders measures 64 writers alone, readers alone, and both, in turns. The readers ask for
// the list of posts, which every write changes, and for a post, at half the rate that they reach
// alone. The time of an answer counts from when its request was due. The share of the processors
// that each takes shows what is left for the others.
func besideReaders(b *testing.B, t *table, where string, w repo.Writer, meant repo.Assurance, addr, post string) {
	b.Helper()
	const turns, lasting = 3, 3 * time.Second
	paths := []string{"/posts", post}
	readRate(b, addr, paths, 0, time.Second)
	publish(b, w, 8, time.Second, meant)
	var most, written, share, tail []float64
	var alone, beside []load
	var all []time.Duration
	shares := processors{}
	for range turns {
		reach := readRate(b, addr, paths, 0, lasting)
		var calm, busy load
		var only, also writings
		shares.measure(b, "readers", func() { calm = readRate(b, addr, paths, reach.perSecond/2, lasting) })
		shares.measure(b, "writers", func() { only = publish(b, w, writerCounts[len(writerCounts)-1], lasting, meant) })
		shares.measure(b, "both", func() {
			var both sync.WaitGroup
			both.Go(func() { busy = readRate(b, addr, paths, reach.perSecond/2, lasting) })
			also = publish(b, w, writerCounts[len(writerCounts)-1], lasting, meant)
			both.Wait()
		})
		most, written = append(most, only.perSecond), append(written, also.perSecond)
		share = append(share, also.perSecond/only.perSecond)
		tail = append(tail, float64(busy.p99)/float64(calm.p99))
		alone, beside, all = append(alone, calm), append(beside, busy), append(all, also.took...)
	}
	middle := func(list []load) string {
		var rate []float64
		var p50, p99 []time.Duration
		for _, l := range list {
			rate, p50, p99 = append(rate, l.perSecond), append(p50, l.p50), append(p99, l.p99)
		}
		return fmt.Sprintf("%.1fk/s, %s / %s", median(rate)/1000, ms(median(p50)), ms(median(p99)))
	}
	t.add("posts.create by 64 beside readers, "+where,
		fmt.Sprintf("%.0f/s, %s / %s", median(written), ms(median(all)), ms(quantile(all, 0.99))),
		fmt.Sprintf("alone %.0f/s", median(most)), fmt.Sprintf("%.2f", median(share)),
		goal(fmt.Sprintf("≥ %.1f", besideGoal), median(share) >= besideGoal))
	t.add("readers at half their rate beside 64 writers, "+where+": p50 / p99",
		middle(beside), "alone "+middle(alone), fmt.Sprintf("%.1f", median(tail)),
		goal(fmt.Sprintf("p99 ≤ %.0f × alone", besideReadsGoal), median(tail) <= besideReadsGoal))
	t.add("processors taken by both, "+where, shares.of("both"),
		fmt.Sprintf("readers alone %.0f %%, writers alone %.0f %%", median(shares["readers"]), median(shares["writers"])),
		"", "")
}

// processors has the shares of all processors, in percent, that were used while something ran: in all, under its name,
// and by each program, under its name, a space and the program's.
type processors map[string][]float64

// measure adds what this process, and those that it has started, use while run runs.
func (p processors) measure(tb testing.TB, what string, run func()) {
	tb.Helper()
	before, start := processorTime(tb), time.Now()
	run()
	whole := float64(time.Since(start)) * float64(runtime.NumCPU())
	sum := 0.0
	for program, took := range processorTime(tb) {
		share := 100 * float64(took-before[program]) / whole
		p[what+" "+program] = append(p[what+" "+program], share)
		sum += share
	}
	p[what] = append(p[what], sum)
}

// of returns in words the medians of what was used while what ran.
func (p processors) of(what string) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(p)) {
		if program, found := strings.CutPrefix(key, what+" "); found {
			parts = append(parts, fmt.Sprintf("%s %.0f %%", program, median(p[key])))
		}
	}
	return fmt.Sprintf("%.0f %%: %s", median(p[what]), strings.Join(parts, ", "))
}

// readRate asks for paths in turn over 64 connections, for a while: perSecond times a second, or as
// often as possible when that is 0. When an answer is no page the benchmark fails but goes on,
// since any goroutine may call readRate.
func readRate(tb testing.TB, addr string, paths []string, perSecond float64, lasting time.Duration) load {
	tb.Helper()
	got, err := perThread(func(threads int, start time.Time) ([]time.Duration, error) {
		p := &pace{addr: addr, end: start.Add(lasting), next: start}
		if perSecond > 0 {
			p.every = time.Duration(float64(threads) / perSecond * float64(time.Second))
		}
		for _, path := range paths {
			p.requests = append(p.requests, fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\n"+
				"Accept: text/html\r\nAccept-Encoding: identity\r\n\r\n", path, addr))
		}
		return p.run(connections / threads)
	})
	if err != nil {
		tb.Errorf("read from %s: %v", addr, err)
	}
	return got
}

// pace is one thread of readers who ask at fixed intervals, however long answers take. A request
// that is due while all connections are busy waits, and its wait counts.
type pace struct {
	addr     string
	requests [][]byte
	every    time.Duration // 0: as soon as a connection is free
	end      time.Time
	next     time.Time // when the next request is due
	asked    int
	took     []time.Duration
}

// run asks until the end, and waits for the answers under way.
func (p *pace) run(conns int) (_ []time.Duration, err error) {
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(poll) }()
	var free []*reply
	open := map[int32]*reply{}
	for range conns {
		c, cerr := connect(p.addr, poll)
		if cerr != nil {
			return nil, cerr
		}
		defer func() { _ = unix.Close(c.fd) }()
		r := &reply{conn: c}
		open[int32(c.fd)] = r // #nosec G115 -- a file descriptor
		free = append(free, r)
	}
	events, buf := make([]unix.EpollEvent, conns), make([]byte, 64<<10)
	for {
		if free, err = p.send(free); err != nil {
			return nil, err
		}
		if len(free) == conns && !time.Now().Before(p.end) {
			return p.took, nil
		}
		wait := 1 // 1 ms, since the next request may be due
		if len(free) == 0 {
			wait = 30_000
		}
		n, err := unix.EpollWait(poll, events, wait)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 && len(free) == 0 {
			return nil, fmt.Errorf("no answer within 30 s: %w", err)
		}
		for _, ev := range events[:n] {
			r := open[ev.Fd]
			whole, err := r.read(buf)
			if err != nil {
				return nil, err
			}
			if whole {
				p.took = append(p.took, time.Since(r.sent))
				free = append(free, r)
			}
		}
	}
}

// send sends due requests over free connections, and returns the remaining connections.
func (p *pace) send(free []*reply) ([]*reply, error) {
	now := time.Now()
	for len(free) > 0 && now.Before(p.end) && !p.next.After(now) {
		r := free[len(free)-1]
		free = free[:len(free)-1]
		r.sent, r.got, r.whole, r.head = p.next, 0, 0, r.head[:0]
		if p.every == 0 {
			r.sent = now
		}
		p.next = p.next.Add(p.every)
		p.asked++
		if _, err := unix.Write(r.fd, p.requests[p.asked%len(p.requests)]); err != nil {
			return nil, err
		}
	}
	return free, nil
}

// reply is a connection with an answer under way, whose head says how long it is.
type reply struct {
	*conn
	head  []byte
	whole int // bytes of head and body; 0: not known yet
}

// read reads what is there, and reports whether the answer is complete.
func (r *reply) read(buf []byte) (bool, error) {
	n, err := unix.Read(r.fd, buf)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return false, nil
	case err != nil:
		return false, err
	case n == 0:
		return false, errors.New("the server closed a connection")
	}
	r.got += n
	if r.whole == 0 {
		r.head = append(r.head, buf[:n]...)
		head, _, found := bytes.Cut(r.head, []byte("\r\n\r\n"))
		if !found {
			return false, nil
		}
		_, after, has := bytes.Cut(head, []byte("\r\nContent-Length: "))
		length, _, _ := bytes.Cut(after, []byte("\r\n"))
		size, err := strconv.Atoi(string(length))
		if !has || err != nil || !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
			return false, fmt.Errorf("answered %.200q", head)
		}
		r.whole = len(head) + 4 + size
	}
	if r.got > r.whole {
		return false, fmt.Errorf("an answer has %d bytes, its head says %d", r.got, r.whole)
	}
	return r.got == r.whole, nil
}

// firstPost publishes a post through w, and returns its address at the site at base.
func firstPost(b *testing.B, w repo.Writer, base string) (addr, path string) {
	b.Helper()
	slug := publishOne(b, w, "A post that does not change")
	path = "/posts/" + url.PathEscape(slug)
	if got := get(b, http.DefaultClient, base+path); got.status != http.StatusOK {
		b.Fatalf("%s%s: status %d", base, path, got.status)
	}
	return strings.TrimPrefix(base, "http://"), path
}
