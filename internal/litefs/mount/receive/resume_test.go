//go:build linux

package receive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/superfly/litefs"
	"github.com/superfly/ltx"

	"blog/internal/litefs/mount/receive"
	"blog/test/cluster"
)

const limit = 30 * time.Second

// mustReplica starts LiteFS's store, which follows the primary at url through the client that New returns for its data
// directory.
func mustReplica(t *testing.T, client *receive.Client, dataDir, url string) *litefs.Store {
	t.Helper()
	log.SetOutput(io.Discard) // LiteFS tells of each break
	store := litefs.NewStore(dataDir, false)
	store.Client, store.ReconnectDelay = client, time.Millisecond
	store.Leaser = litefs.NewStaticLeaser(false, "primary", url)
	store.Exit = func(code int) { t.Errorf("LiteFS gives the database up with code %d", code) }
	if err := store.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cluster.MustClose(t, "store", store.Close())
		log.SetOutput(os.Stderr)
	})
	return store
}

// awaitCopy waits until the replica has the primary's newest state, and compares the databases byte by byte.
func awaitCopy(t *testing.T, store *litefs.Store, h *history) {
	t.Helper()
	cluster.Poll(t, limit, "the copy", func(context.Context) error {
		db := store.DB(dbName)
		if db == nil || db.Pos() != h.newest() {
			return errors.New("it is behind")
		}
		return nil
	})
	got, err := os.ReadFile(filepath.Join(store.DBPath(dbName), "database"))
	if err != nil || !bytes.Equal(got, bytes.Join(h.pages, nil)) {
		t.Errorf("the copy has %d bytes and differs, %v", len(got), err)
	}
}

// TestRandomCuts has LiteFS's own store follow over HTTP/2 while the connection breaks at random bytes. The copies are
// equal in the end.
func TestRandomCuts(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	h := newHistory(t, 4, 40)
	const longest = 2 << 10 // less than an image's bytes, and up to three transactions'
	p := &primary{t: t, history: h, chunk: 300, from: 3, cut: random.IntN(longest)}
	client, spool := mustClient(t, nil)
	const memory = 600 // between a transaction's payload and an image's
	client.SetMemory(memory)
	const breaks = 150
	p.next = func() int {
		if p.streams >= breaks {
			return -1
		}
		return random.IntN(longest)
	}
	store := mustReplica(t, client, filepath.Dir(spool), p.serve(t))
	awaitCopy(t, store, h)
	if streams, _, _ := p.count(); streams < len(h.txs)/3 {
		t.Errorf("%d streams: the test tests little, want at least %d", streams, len(h.txs)/3)
	}
}

// TestImageResumed breaks an image twice and wants each of its bytes sent once. A primary that cannot resume sends it
// anew.
func TestImageResumed(t *testing.T) {
	const pages = 6 << 10 // 3 MB
	h := newHistory(t, pages, 3)
	for _, stock := range []bool{false, true} {
		t.Run(fmt.Sprintf("stock=%t", stock), func(t *testing.T) {
			cuts := []int{2 << 20, 1 << 19}
			p := &primary{t: t, history: h, chunk: 1<<16 - 1, from: 2, stock: stock, cut: cuts[0]}
			p.next = func() int {
				if p.streams < len(cuts) {
					return cuts[p.streams]
				}
				return -1
			}
			client, spool := mustClient(t, nil)
			store := mustReplica(t, client, filepath.Dir(spool), p.serve(t))
			awaitCopy(t, store, h)
			streams, sent, offered := p.count()
			size := len(h.images[p.from-1])
			// What was on its way when the connection broke is sent again, and so are lengths.
			const onTheWay = 256 << 10
			if again := sent - size; !stock && again > onTheWay {
				t.Errorf("of an image of %d bytes %d were sent in %d streams, offers %q", size, sent, streams, offered)
			}
			if stock && sent < size+cuts[0] {
				t.Errorf("%d bytes were sent: the test tests nothing", sent)
			}
			if len(offered) < 3 || offered[0] != "" || !strings.HasPrefix(offered[1], dbName+" ") || offered[1] == offered[2] {
				t.Errorf("offers %q", offered)
			}
			mustBeEmpty(t, spool)
		})
	}
}

// TestImageNotNeeded: an image whose beginning is here is not asked for where the replica has another position by now,
// and its file goes. Another primary's answer, of another image, ends it as well.
func TestImageNotNeeded(t *testing.T) {
	h := newHistory(t, 8, 3)
	for name, c := range map[string]struct {
		pos     ltx.Pos
		answer  string
		offered bool
	}{
		"another position": {h.pos[1], "", false},
		"another image":    {ltx.Pos{}, dbName + " 00 1500", true},
	} {
		var offers []string
		client, spool := mustClient(t, script(func(r *http.Request) (http.Header, io.ReadCloser) {
			offers = append(offers, r.Header.Get(receive.HeaderResume))
			frame := mustLTXFrame(t, h.images[0], 100).bytes[:1500]
			header := http.Header{}
			if len(offers) > 1 {
				frame = nil
				header.Set(receive.HeaderResumed, c.answer)
			}
			return header, io.NopCloser(bytes.NewReader(frame))
		}))
		client.SetMemory(1)
		for _, pos := range []ltx.Pos{{}, c.pos} {
			st := mustStream(t, client, "http://primary", pos)
			if got, _ := consume(t, st); len(got) > 0 {
				t.Errorf("%s: %d frames arrived, want 0", name, len(got))
			}
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		}
		if len(offers) != 2 || offers[0] != "" || (offers[1] != "") != c.offered {
			t.Errorf("%s: offers %q", name, offers)
		}
		mustBeEmpty(t, spool)
	}
}

// TestSpace: a frame that the disk has no room for ends the stream with the reason, and leaves nothing on the disk. The
// primary is not asked again before there is room. What fits into memory needs no room.
func TestSpace(t *testing.T) {
	const pages = 4 << 10 // 2 MB
	h := newHistory(t, pages, 2)
	calls := 0
	client, spool := mustClient(t, script(func(*http.Request) (http.Header, io.ReadCloser) {
		calls++
		all := append(mustLTXFrame(t, h.txs[1], 1<<15).bytes, mustLTXFrame(t, h.images[1], 1<<15).bytes...)
		return http.Header{}, io.NopCloser(bytes.NewReader(all))
	}))
	image := int64(len(h.images[1]))
	free := receive.Reserve + image // the copy in the database does not fit
	client.SetFree(func() int64 { return free })
	st := mustStream(t, client, "http://primary", ltx.Pos{})
	got, err := consume(t, st)
	if len(got) != 1 || !errors.Is(err, receive.ErrNoRoom) || !strings.Contains(err.Error(), "256 MB stay free") {
		t.Errorf("%d frames, and %v, want 1, %v and with %q", len(got), err, receive.ErrNoRoom, "256 MB stay free")
	}
	if err = st.Close(); err != nil {
		t.Error(err)
	}
	mustBeEmpty(t, spool)
	_, err = client.Stream(t.Context(), "http://primary", 1, nil, nil)
	if !errors.Is(err, receive.ErrNoRoom) || calls != 1 {
		t.Errorf("asked %d times, and %v, want %v and 1", calls, err, receive.ErrNoRoom)
	}
	free += 2 * image
	st = mustStream(t, client, "http://primary", ltx.Pos{})
	if got, err := consume(t, st); len(got) != 2 || err != io.EOF { //nolint:errorlint // LiteFS compares like this
		t.Errorf("with room: %d frames, and %v, want 2 and %v", len(got), err, io.EOF)
	}
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}

// TestSpaceGivenBack: LiteFS makes a copy of a frame, and the disk has room for one.
func TestSpaceGivenBack(t *testing.T) {
	const pages = 16 << 10 // 8 MB
	h := newHistory(t, pages, 1)
	wire := mustLTXFrame(t, h.images[0], 1<<16-1).bytes // as LiteFS reads it
	client, spool := quickClient(t, wire)
	st := mustStream(t, client, "http://primary", ltx.Pos{})
	if _, err := io.CopyN(io.Discard, st, int64(len(wire))-1); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(spool)
	if err != nil || len(files) != 1 {
		t.Fatalf("the spool has %v, %v, want no error and 1 of them", files, err)
	}
	info, err := files[0].Info()
	if err != nil {
		t.Fatal(err)
	}
	const blocks, most = 512, 2 << 20
	on := info.Sys().(*syscall.Stat_t).Blocks * blocks
	if info.Size() < int64(len(h.images[0])) || on > most {
		t.Errorf("of a file of %d bytes that has been read %d are on the disk", info.Size(), on)
	}
	if _, err := io.ReadAll(st); err != nil {
		t.Error(err)
	}
	mustBeEmpty(t, spool) // before LiteFS applies it
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}
