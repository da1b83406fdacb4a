//go:build linux

package stream_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/superfly/litefs"
	"github.com/superfly/ltx"

	"blog/internal/litefs/mount/stream"
)

// mustWait reads frames up to the notice that says that the term is not confirmed. Before it there is nothing but
// heartbeats that say that nothing is synced.
func (f *follower) mustWait(t *testing.T) {
	t.Helper()
	for {
		frame, err := f.next()
		must(t, err)
		switch frame := frame.(type) {
		case *litefs.HeartbeatStreamFrame:
			if frame.Timestamp != -1 {
				t.Fatalf("the heartbeat says %d, want -1", frame.Timestamp)
			}
		case *litefs.DropDBStreamFrame:
			if !strings.HasPrefix(frame.Name, stream.NoticePrefix) || !strings.Contains(frame.Name, "confirmed") {
				t.Fatalf("%q is dropped, want beginning with %v and with %q", frame.Name, stream.NoticePrefix, "confirmed")
			}
			return
		default:
			t.Fatalf("a frame %T before the term is confirmed", frame)
		}
	}
}

// TestUnconfirmed: before the term is confirmed no follower that has a copy is sent an image, whatever it needs one
// for, nor told that its database is dropped; a follower without a copy, and one that has the transaction before the
// next one, is served at once.
func TestUnconfirmed(t *testing.T) {
	t.Parallel()
	var confirmed atomic.Bool
	p := mustPrimary(t, settings{seed: 1 << 20, confirmed: confirmed.Load})
	before := p.db().Pos()
	p.mustExec(t, "CREATE TABLE u AS SELECT randomblob(9000) AS v")
	newest := p.db().Pos()

	empty := p.mustConnect(t, 1, nil, "")
	empty.mustLTX(t)
	image := empty.mustFile(t)
	if _, pos := mustDecode(t, image); pos != newest {
		t.Errorf("the empty follower is sent the image at %s, want %s", pos, newest)
	}
	next := p.mustConnect(t, 2, map[string]ltx.Pos{name: before}, "")
	next.mustLTX(t)
	if header, _ := mustDecode(t, next.mustFile(t)); header.PreApplyPos() != before {
		t.Errorf("the follower at %s is sent what follows %s", before, header.PreApplyPos())
	}

	other := ltx.Checksum(1)<<63 | 1
	waiting := map[string]*follower{}
	for what, pos := range map[string]ltx.Pos{
		"ahead":              {TXID: newest.TXID + 5, PostApplyChecksum: other},
		"of another history": {TXID: newest.TXID, PostApplyChecksum: other},
		"behind, of another": {TXID: before.TXID, PostApplyChecksum: other},
	} {
		waiting[what] = p.mustConnect(t, uint64(10+len(waiting)), map[string]ltx.Pos{name: pos}, "")
	}
	stray := p.mustConnect(t, 3, map[string]ltx.Pos{"a-stray.db": before, name: newest}, "")
	for _, f := range waiting {
		f.mustWait(t)
	}
	stray.mustWait(t)
	if err := p.server.Lacks(t.Context(), 10); err == nil {
		t.Error("a follower that waits may be handed the lease")
	}

	confirmed.Store(true)
	for what, f := range waiting {
		f.mustLTX(t)
		if _, pos := mustDecode(t, f.mustFile(t)); pos != newest {
			t.Errorf("%s: sent the image at %s, want %s", what, pos, newest)
		}
	}
	for {
		frame, err := stray.next()
		must(t, err)
		if drop, ok := frame.(*litefs.DropDBStreamFrame); ok && drop.Name == "a-stray.db" {
			break
		}
	}
}

// TestUnconfirmedTermEnds: a term that ends without having been confirmed ends the wait, and has sent no image.
func TestUnconfirmedTermEnds(t *testing.T) {
	t.Parallel()
	p := mustPrimary(t, settings{seed: 1 << 20, confirmed: func() bool { return false }})
	at := p.db().Pos()
	at.TXID += 5
	f := p.mustConnect(t, 1, map[string]ltx.Pos{name: at}, "")
	f.mustWait(t)
	p.store.Demote()
	for {
		frame, err := f.next()
		must(t, err)
		switch frame := frame.(type) {
		case *litefs.HeartbeatStreamFrame: // one may be under way
		case *litefs.EndStreamFrame:
			p.mustLog(t, "cause=role")
			return
		default:
			t.Fatalf("a frame %T, want the end of the stream", frame)
		}
	}
}
