//go:build linux

package stream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/superfly/litefs"

	"blog/internal/litefs/mount/stream"
)

const (
	big     = 64 << 20
	commits = 30
)

// TestCommitsDuringCopies: while a follower stands still in the middle of an image, one takes 1 MB/s and one is cut
// off, commits go on. The writer gives up a COMMIT that waits for 250 ms. Nor does Recover wait, by which LiteFS ends
// a term.
func TestCommitsDuringCopies(t *testing.T) {
	p := &primary{}
	held := atomic.Bool{}
	between := func() { held.Store(held.Load() || stream.Held(p.db())) }
	*p = *mustPrimary(t, settings{seed: big, hooks: stream.Hooks{Between: between}})

	stopped := p.mustConnect(t, 7, nil, "")
	slow := p.mustConnect(t, 8, nil, "")
	cut := mustRawStream(t, p) // of which nothing is read, not even a ping
	defer func() { must(t, cut.Close()) }()
	var readers sync.WaitGroup
	defer readers.Wait()
	defer slow.close()
	for range commits { // some of them while it is copied
		p.mustExec(t, "INSERT INTO t VALUES (1)")
	}
	for _, f := range []*follower{stopped, slow} {
		f.mustLTX(t)
		_, err := f.chunk()
		must(t, err)
	}
	const second = 1 << 20 // bytes
	readers.Go(func() {
		tick := time.NewTicker(time.Second / 16)
		defer tick.Stop()
		for range tick.C {
			if _, err := io.CopyN(io.Discard, slow.body, second/16); err != nil {
				return
			}
		}
	})
	for range commits {
		p.mustExec(t, "INSERT INTO t VALUES (1)")
	}
	if held.Load() || stream.Held(p.db()) {
		t.Errorf("outside a slice a lock was held: %t, is held: %t, want neither", held.Load(), stream.Held(p.db()))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := p.store.Recover(ctx); err != nil {
		t.Errorf("recover: %v", err)
	}
	if got := p.metric(t, `blog_images_total{result="complete"}`); got != 1 {
		t.Errorf("%g images, want one for all", got)
	}
	if _, err := io.CopyN(io.Discard, stopped.body, second); err != nil { // its stream has not ended for that
		t.Errorf("read on: %v", err)
	}
}

// TestDemotion: a node that is not primary any more stops copying at once, ends its streams and follows, whatever its
// followers do.
func TestDemotion(t *testing.T) {
	t.Parallel()
	p := &primary{}
	var demoted sync.Once
	between := func() {
		demoted.Do(func() {
			p.store.Demote()
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			for p.store.IsPrimary() && ctx.Err() == nil { // it is primary again a moment later, in another term
				select {
				case <-time.After(time.Millisecond):
				case <-ctx.Done():
				}
			}
			if err := p.store.Recover(ctx); err != nil { // the copy is in the middle
				t.Errorf("recover: %v", err)
			}
		})
	}
	set := settings{seed: 1 << 20, hooks: stream.Hooks{Between: between, SliceSize: 64 << 10, Unused: time.Hour}}
	*p = *mustPrimary(t, set)
	f := p.mustConnect(t, 7, nil, "")
	for {
		frame, err := f.next()
		if err != nil {
			t.Errorf("the stream broke: %v", err)
			break
		}
		if _, ok := frame.(*litefs.EndStreamFrame); ok {
			break
		}
		if _, ok := frame.(*litefs.LTXStreamFrame); ok {
			t.Fatal("an image of the term before was sent")
		}
	}
	poll(t, "the image is gone", func() bool { return p.server.Images() == 0 })
	p.mustLog(t, "cause=role")
}

// TestFollowerReadsNothing: a stream ends whose follower takes no byte for a while, whether it does not read the stream
// or its whole connection stands still; one that takes a little at a time goes on for much longer than that.
func TestFollowerReadsNothing(t *testing.T) {
	const stall = time.Second
	p := mustPrimary(t, settings{seed: 12 << 20, hooks: stream.Hooks{Stall: stall}})

	t.Run("the stream is not read", func(t *testing.T) {
		f := p.mustConnect(t, 7, nil, "")
		f.mustLTX(t)
		poll(t, "it ends", func() bool { return p.metric(t, `blog_streams_ended_total{cause="stalled"}`) == 1 })
		p.mustLog(t, "the follower has taken no byte within the limit")
		for {
			if _, err := f.chunk(); errors.Is(err, io.EOF) {
				t.Fatal("the image seems to be whole")
			} else if err != nil {
				break
			}
		}
	})
	t.Run("the connection stands still", func(t *testing.T) {
		raw := mustRawStream(t, p)
		poll(t, "it begins", func() bool { return p.metric(t, "blog_streams") == 1 })
		poll(t, "it ends", func() bool { return p.metric(t, "blog_streams") == 0 })
		must(t, raw.Close())
	})
	t.Run("an idle follower is gone", func(t *testing.T) { // its heartbeats lie in the kernel's buffers for hours
		idle := mustPrimary(t, settings{hooks: stream.Hooks{Stall: stall}})
		raw := mustRawStream(t, idle)
		poll(t, "it begins", func() bool { return idle.metric(t, "blog_streams") == 1 })
		poll(t, "it ends", func() bool { return idle.metric(t, "blog_streams") == 0 })
		must(t, raw.Close())
	})
	t.Run("a little at a time", func(t *testing.T) {
		f := p.mustConnect(t, 8, nil, "")
		f.mustLTX(t)
		began, tick := time.Now(), time.NewTicker(20*time.Millisecond)
		defer tick.Stop()
		for {
			<-tick.C
			_, err := f.chunk()
			for range 3 {
				if err == nil {
					_, err = f.chunk()
				}
			}
			if errors.Is(err, io.EOF) {
				break
			}
			must(t, err)
		}
		if took := time.Since(began); took < 2*stall {
			t.Errorf("it took only %s: nothing was tried", took)
		}
	})
}

// mustRawStream asks for a stream over a connection of which nothing is read afterwards.
func mustRawStream(t *testing.T, p *primary) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.server.URL(), "http://"))
	must(t, err)
	must(t, writeRequest(conn))
	return conn
}

// TestOlderStream: a follower that connects once more has one stream, so that LiteFS chooses the living one for a
// hand-off.
func TestOlderStream(t *testing.T) {
	t.Parallel()
	p := mustPrimary(t, settings{seed: 8 << 20})
	first := p.mustConnect(t, 7, nil, "")
	first.mustLTX(t) // and stands still
	second := p.mustConnect(t, 7, nil, "")
	p.mustLog(t, "cause=replaced")
	poll(t, "one stream is left", func() bool { return p.metric(t, "blog_streams") == 1 })
	second.mustLTX(t)
	mustDecode(t, second.mustFile(t))
}

// TestFullDisk: followers wait for an image while the disk is too full, both logs say so, and it is made as soon as
// there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"before", "in the middle"} {
		t.Run(when, func(t *testing.T) {
			var free atomic.Int64
			free.Store(stream.Spare)
			if when != "before" {
				free.Store(stream.Spare + 4<<20)
			}
			var once sync.Once
			hooks := stream.Hooks{
				SliceSize: 64 << 10,
				Free:      func() (int64, error) { return free.Load(), nil },
				Between:   func() { once.Do(func() { free.Store(stream.Spare) }) },
			}
			if when == "before" {
				hooks.Between = nil
			}
			p := mustPrimary(t, settings{seed: 1 << 20, hooks: hooks})
			f := p.mustConnect(t, 7, nil, "")
			beats, notice := 0, ""
			for beats == 0 || notice == "" {
				frame, err := f.next()
				must(t, err)
				switch frame := frame.(type) {
				case *litefs.HeartbeatStreamFrame:
					if beats++; frame.Timestamp != -1 {
						t.Errorf("a heartbeat of %d says that the follower has everything, want -1", frame.Timestamp)
					}
				case *litefs.DropDBStreamFrame:
					notice = frame.Name
				default:
					t.Fatalf("got a %T", frame)
				}
			}
			const want = "the primary has no image of test.db yet: the disk is too full for a copy"
			if !strings.HasPrefix(notice, stream.NoticePrefix+want) {
				t.Errorf("the follower is told %q, want beginning with %v", notice, stream.NoticePrefix+want)
			}
			p.mustLog(t, "followers wait for an image until the disk has room")
			if left, _ := dirSize(p.store.Path() + "/images"); left > 0 {
				t.Errorf("%d bytes of an image lie on the full disk, want 0", left)
			}
			free.Store(1 << 40)
			f.mustLTX(t)
			if _, at := mustDecode(t, f.mustFile(t)); at != p.db().Pos() {
				t.Errorf("got %s, want %s", at, p.db().Pos())
			}
		})
	}
}

// TestHandoff: the lease is not handed to a node that does not follow, or that is still catching up.
func TestHandoff(t *testing.T) {
	t.Parallel()
	p := mustPrimary(t, settings{seed: 8 << 20})
	mustRefuse := func(id uint64, part string) {
		t.Helper()
		status, text := p.mustAsk(t, "POST", fmt.Sprintf("/handoff?nodeID=%016X", id))
		if status != 409 || !strings.Contains(text, part) {
			t.Errorf("status %d, %q; want 409 and %q", status, text, part)
		}
	}
	mustRefuse(5, "does not follow this one")
	f := p.mustConnect(t, 7, nil, "")
	f.mustLTX(t)
	mustRefuse(7, "is still catching up: it is being sent the whole of test.db")
	f.mustFile(t)
	status, text := p.mustAsk(t, "POST", "/handoff?nodeID=0000000000000007")
	if status == 409 || !strings.Contains(text, "handoff") { // LiteFS's: a static lease has none
		t.Errorf("status %d, %q; want LiteFS's own answer", status, text)
	}
}
