package bench_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// connections is how many keep-alive connections a load has, over all its threads.
const connections = 64

// target is one address of one server, which gets the same bytes again and again.
type target struct {
	addr    string // host:port
	request []byte
	answer  int // bytes of a whole answer; each one is as long as the first
	body    []byte
}

// newTarget sends one request, in the ordinary way, to learn how long an answer is. The headers are
// the same for all servers.
func newTarget(tb testing.TB, addr, path string, more ...string) target {
	tb.Helper()
	var req bytes.Buffer
	fmt.Fprintf(&req,
		"GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nAccept: text/html\r\nAccept-Encoding: identity\r\n", path, addr)
	for _, line := range more {
		req.WriteString(line + "\r\n")
	}
	req.WriteString("\r\n")
	conn, err := new(net.Dialer).DialContext(tb.Context(), "tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err = conn.Write(req.Bytes()); err != nil {
		tb.Fatal(err)
	}
	var head bytes.Buffer
	res, err := http.ReadResponse(bufio.NewReader(io.TeeReader(conn, &head)), nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		tb.Fatalf("%s%s: got status %d, want 200", addr, path, res.StatusCode)
	}
	if res.ContentLength != int64(len(body)) {
		tb.Fatalf("%s%s: got %d bytes, want %d", addr, path, len(body), res.ContentLength)
	}
	return target{addr: addr, request: req.Bytes(), answer: head.Len(), body: body}
}

// load is the result of a run of requests.
type load struct {
	perSecond float64
	p50, p99  time.Duration
}

// run sends n requests over 64 connections, a new one as soon as an answer is there, from as many
// threads as there are processors, each with an epoll of its own. That is as little work per
// request as possible, because the generator uses the same processors that it measures.
func run(tb testing.TB, t target, n int) load {
	tb.Helper()
	var left atomic.Int64
	left.Store(int64(n))
	got, err := perThread(func(threads int, _ time.Time) ([]time.Duration, error) {
		return drive(t, connections/threads, &left)
	})
	if err != nil {
		tb.Fatalf("load %s: %v", t.addr, err)
	}
	return got
}

// perThread runs drive on as many threads as there are processors, at the same time, and collects
// how long their requests took.
func perThread(drive func(threads int, start time.Time) ([]time.Duration, error)) (load, error) {
	threads := runtime.NumCPU()
	took := make([][]time.Duration, threads)
	errs := make([]error, threads)
	var all sync.WaitGroup
	start := time.Now()
	for i := range threads {
		all.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			took[i], errs[i] = drive(threads, start)
		})
	}
	all.Wait()
	seconds := time.Since(start).Seconds()
	every := slices.Concat(took...)
	got := load{perSecond: float64(len(every)) / seconds, p50: quantile(every, 0.5), p99: quantile(every, 0.99)}
	return got, errors.Join(errs...)
}

// conn is a connection with a request under way.
type conn struct {
	fd   int
	sent time.Time
	got  int
}

// drive keeps its connections busy until left is used up and all answers are there.
func drive(t target, conns int, left *atomic.Int64) (took []time.Duration, err error) {
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(poll) }()
	open := map[int32]*conn{}
	busy := 0
	next := func(c *conn) error {
		if left.Add(-1) < 0 {
			return nil
		}
		busy++
		c.sent, c.got = time.Now(), 0
		_, err := unix.Write(c.fd, t.request)
		return err
	}
	for range conns {
		c, cerr := connect(t.addr, poll)
		if cerr != nil {
			return nil, cerr
		}
		defer func() { _ = unix.Close(c.fd) }()
		open[int32(c.fd)] = c // #nosec G115 -- a file descriptor
		if err := next(c); err != nil {
			return nil, err
		}
	}
	events, buf := make([]unix.EpollEvent, conns), make([]byte, 64<<10)
	for busy > 0 {
		n, err := unix.EpollWait(poll, events, 30_000)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return nil, fmt.Errorf("no answer within 30 s: %w", err)
		}
		for _, ev := range events[:n] {
			c := open[ev.Fd]
			whole, err := c.read(t, buf)
			if err != nil {
				return nil, err
			}
			if whole {
				busy--
				took = append(took, time.Since(c.sent))
				if err := next(c); err != nil {
					return nil, err
				}
			}
		}
	}
	return took, nil
}

func connect(addr string, poll int) (*conn, error) {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()})
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err == nil {
		// #nosec G115 -- a file descriptor
		err = unix.EpollCtl(poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return &conn{fd: fd}, nil
}

// read reads what is there, and reports whether the answer is complete.
func (c *conn) read(t target, buf []byte) (bool, error) {
	n, err := unix.Read(c.fd, buf)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return false, nil
	case err != nil:
		return false, err
	case n == 0:
		return false, errors.New("the server closed a connection")
	case c.got == 0 && !bytes.HasPrefix(buf[:n], []byte("HTTP/1.1 200 ")):
		return false, fmt.Errorf("answered %.40q", buf[:n])
	}
	c.got += n
	if c.got > t.answer {
		return false, fmt.Errorf("an answer is longer than the first, of %d bytes", t.answer)
	}
	return c.got == t.answer, nil
}

// quantile returns the quantile q of list, which it sorts.
func quantile[T int | float64 | time.Duration](list []T, q float64) T {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[min(int(q*float64(len(list))), len(list)-1)]
}

func median[T int | float64 | time.Duration](list []T) T { return quantile(list, 0.5) }
