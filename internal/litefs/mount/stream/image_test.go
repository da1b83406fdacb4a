//go:build linux

package stream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	litefshttp "github.com/superfly/litefs/http"
	"github.com/superfly/ltx"

	"blog/internal/litefs/mount/receive"
	"blog/internal/litefs/mount/stream"
	"blog/test/cluster"
)

// TestImageWhileWriting: whatever is committed between any two slices of a copy, the copy has its position's checksum
// at once, and a replica with LiteFS's own client that takes it has the primary's database.
func TestImageWhileWriting(t *testing.T) {
	t.Parallel()
	const rounds = 4
	rnd := rand.New(rand.NewPCG(8, 1)) // #nosec G404 -- what is random must be the same each time
	p := &primary{}
	writes := 0
	between := func() {
		if writes--; writes < 0 {
			return
		}
		if err := p.exec(randomCommit(rnd)); err != nil {
			t.Error(err)
		}
	}
	*p = *mustPrimary(t, settings{hooks: stream.Hooks{SliceSize: 4 * 4096, Between: between, Unused: time.Millisecond}})
	p.mustExec(t, "PRAGMA auto_vacuum=incremental")
	p.mustExec(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB); CREATE INDEX i ON t (v)")
	for range 20 {
		p.mustExec(t, randomCommit(rnd))
	}
	for round := range rounds {
		writes = 5 + rnd.IntN(20)
		mustFollow(t, p, mustReplica(t, p.server.URL()))
		if got := p.metric(t, `blog_images_total{result="complete"}`); got != float64(round+1) {
			t.Errorf("round %d: %g images, want one for each", round, got)
		}
		poll(t, "the image is removed", func() bool { return p.server.Images() == 0 })
	}
	if got := p.metric(t, `blog_images_total{result="redone"}`); got != 0 {
		t.Errorf("%g images were not the database, want 0", got)
	}
}

// randomCommit lets the database grow, shrink, or change all over.
func randomCommit(rnd *rand.Rand) string {
	switch rnd.IntN(5) {
	case 0, 1:
		return fmt.Sprintf("INSERT INTO t (v) VALUES (randomblob(%d))", rnd.IntN(20<<10))
	case 2:
		return fmt.Sprintf("DELETE FROM t WHERE id %% %d = 0", 2+rnd.IntN(3))
	case 3: // the file becomes shorter, and its pages change places
		return "PRAGMA incremental_vacuum; UPDATE t SET v = randomblob(length(v)) WHERE id % 2 = 1"
	default:
		return "UPDATE t SET v = randomblob(length(v))"
	}
}

// TestShortened: a database that becomes shorter than what is copied already, and longer again.
func TestShortened(t *testing.T) {
	t.Parallel()
	steps := []string{
		"DELETE FROM t WHERE id > 1", "PRAGMA incremental_vacuum",
		"INSERT INTO t (v) VALUES (randomblob(50000))", "INSERT INTO t (v) VALUES (randomblob(90000))",
	}
	for cut := range len(steps) + 1 {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			p := &primary{}
			slices := 0
			between := func() {
				if slices++; slices != 20 {
					return
				}
				for _, s := range steps[:cut] {
					if err := p.exec(s); err != nil {
						t.Error(err)
					}
				}
			}
			*p = *mustPrimary(t, settings{hooks: stream.Hooks{SliceSize: 4096, Between: between}})
			p.mustExec(t, "PRAGMA auto_vacuum=incremental")
			p.mustExec(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
			for range 4 {
				p.mustExec(t, "INSERT INTO t (v) VALUES (randomblob(50000))")
			}
			mustFollow(t, p, mustReplica(t, p.server.URL()))
			if got := p.metric(t, `blog_images_total{result="redone"}`); got != 0 {
				t.Errorf("%g images were not the database, want 0", got)
			}
		})
	}
}

// TestSpoiledImage: a copy that is not the database is made once more, and said to be.
func TestSpoiledImage(t *testing.T) {
	t.Parallel()
	p := &primary{}
	spoiled := false
	between := func() {
		images, err := filepath.Glob(filepath.Join(p.store.Path(), "images", "*", "image"))
		if err != nil || len(images) != 1 {
			t.Errorf("images: %v, %v, want no error and 1 of them", images, err)
			return
		}
		if !spoiled { // the first page of the first copy
			spoiled = true
			f, err := os.OpenFile(images[0], os.O_WRONLY, 0)
			if err == nil {
				_, err = f.WriteAt([]byte{1}, 4000)
			}
			if err = errors.Join(err, f.Close()); err != nil {
				t.Error(err)
			}
		}
	}
	*p = *mustPrimary(t, settings{hooks: stream.Hooks{Between: between}})
	p.mustExec(t, "CREATE TABLE t (v)")
	mustFollow(t, p, mustReplica(t, p.server.URL()))
	p.mustLog(t, "it is made once more")
	if got := p.metric(t, `blog_images_total{result="redone"}`); got != 1 {
		t.Errorf("%g images were made once more, want 1", got)
	}
}

// TestHotJournal: a writer that was killed in the middle of a transaction has left pages in the file that no commit has
// brought. They are in no image, which is made as soon as SQLite has rolled them back.
func TestHotJournal(t *testing.T) {
	t.Parallel()
	p := mustPrimary(t, settings{seed: 1 << 20})
	p.mustExec(t, "PRAGMA cache_size=5")
	p.mustExec(t, "BEGIN")
	p.mustExec(t, "UPDATE t SET v = randomblob(length(v))") // more than the cache holds: it lies in the file
	p.killWriter(t)
	f := p.mustConnect(t, 7, nil, "")
	p.mustLog(t, "it is made once more")
	p.startWriter(t)
	p.mustExec(t, "SELECT count(*) FROM t")
	f.mustLTX(t)
	if _, at := mustDecode(t, f.mustFile(t)); at != p.db().Pos() {
		t.Errorf("got %s, want %s", at, p.db().Pos())
	}
}

// TestDropped: a database that is no more is none on a follower either.
func TestDropped(t *testing.T) {
	t.Parallel()
	p := mustPrimary(t, settings{seed: 1 << 20})
	must(t, os.Remove(filepath.Join(p.mnt, name)))
	f := p.mustConnect(t, 7, nil, "")
	f.mustLTX(t)
	header, at := mustDecode(t, f.mustFile(t))
	if at != p.db().Pos() || header.Commit != 0 {
		t.Errorf("got %s with %d pages, want %s with none", at, header.Commit, p.db().Pos())
	}
}

// TestRetainedTransactions: a follower that is slow in an image finds what was committed meanwhile although retention
// has deleted it, without a second image, and what was kept for it goes when it has passed it.
func TestRetainedTransactions(t *testing.T) {
	t.Parallel()
	p := mustPrimary(t, settings{seed: 8 << 20, hooks: stream.Hooks{Unused: time.Millisecond}}) // more than is under way
	f := p.mustConnect(t, 7, nil, "")
	f.mustLTX(t)
	const commits = 5
	for range commits {
		p.mustExec(t, "INSERT INTO t VALUES (1)")
	}
	poll(t, "the transactions are kept", func() bool {
		retained, err := filepath.Glob(filepath.Join(p.store.Path(), "images", "*", "*.ltx"))
		return err == nil && len(retained) == commits
	})
	must(t, p.db().EnforceRetention(t.Context(), time.Now().Add(time.Hour)))
	if _, err := p.db().OpenLTXFile(p.db().Pos().TXID - 1); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("retention has left the transaction: %v, want %v", err, fs.ErrNotExist)
	}
	_, at := mustDecode(t, f.mustFile(t))
	for range commits {
		f.mustLTX(t)
		header, next := mustDecode(t, f.mustFile(t))
		if header.PreApplyPos() != at {
			t.Fatalf("after %s came what follows %s", at, header.PreApplyPos())
		}
		at = next
	}
	if at != p.db().Pos() {
		t.Errorf("it has %s, want %s", at, p.db().Pos())
	}
	poll(t, "the image is removed", func() bool { return p.server.Images() == 0 })
	left, err := filepath.Glob(filepath.Join(p.store.Path(), "images", "*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v, want no error and 0 of them", left, err)
	}
}

// TestOneImageForAll: followers that need an image at the same time share one, and images of a process before are
// removed at the start.
func TestOneImageForAll(t *testing.T) {
	t.Parallel()
	p := mustPrimary(t, settings{})
	p.mustExec(t, "CREATE TABLE t (v)")
	for id := range uint64(3) {
		f := p.mustConnect(t, 7+id, nil, "")
		f.mustLTX(t)
		_, at := mustDecode(t, f.mustFile(t))
		if at != p.db().Pos() {
			t.Errorf("follower %d has %s, want %s", id, at, p.db().Pos())
		}
	}
	if got := p.metric(t, `blog_images_total{result="complete"}`); got != 1 {
		t.Errorf("%g images, want 1", got)
	}
	left := filepath.Join(p.store.Path(), "images", "99", "image")
	must(t, os.MkdirAll(filepath.Dir(left), 0o750))
	must(t, os.WriteFile(left, nil, 0o600))
	next := stream.NewServer(stream.Config{
		Store: p.store, Addr: "127.0.0.1:0", Dir: filepath.Join(p.store.Path(), "images"), Logger: discard(),
	})
	must(t, next.Listen())
	defer func() { must(t, next.Close()) }()
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an old image is left: %v, want %v", err, fs.ErrNotExist)
	}
}

// TestResume: a follower whose link breaks in the middle of an image gets the rest of the same bytes, wherever it
// broke.
func TestResume(t *testing.T) {
	t.Parallel()
	for _, compress := range []bool{false, true} {
		t.Run(fmt.Sprintf("compress %t", compress), func(t *testing.T) {
			p := mustPrimary(t, settings{compress: compress, seed: 1 << 20})
			first := p.mustConnect(t, 7, nil, "")
			first.mustLTX(t)
			whole := first.mustFile(t)
			first.close()
			_, at := mustDecode(t, whole)
			p.mustExec(t, "INSERT INTO t VALUES (1)")
			for _, offset := range []int{ltx.HeaderSize, ltx.HeaderSize + 1, len(whole) / 2, len(whole) - 1, len(whole)} {
				resume := fmt.Sprintf("%s %s %d", name, imageID(whole), offset)
				f := p.mustConnect(t, 7, nil, resume)
				if got := f.header.Get("Blog-Image-Resumed"); got != resume {
					t.Fatalf("resumed %q, want %q", got, resume)
				}
				f.mustLTX(t)
				got := append([]byte{}, whole[:offset]...)
				if _, pos := mustDecode(t, append(got, f.mustFile(t)...)); pos != at {
					t.Errorf("from %d on: %s, want %s", offset, pos, at)
				}
				f.mustLTX(t)
				if header, _ := mustDecode(t, f.mustFile(t)); header.PreApplyPos() != at {
					t.Errorf("after the image at %s comes what follows %s", at, header.PreApplyPos())
				}
				f.close()
			}
			for what, resume := range map[string]string{
				"another image":    name + " " + imageID(make([]byte, ltx.HeaderSize)) + " 200",
				"another database": "x.db " + imageID(whole) + " 200",
				"no offset":        name + " " + imageID(whole),
				"too little":       name + " " + imageID(whole) + " 99",
			} {
				f := p.mustConnect(t, 7, nil, resume)
				if got := f.header.Get("Blog-Image-Resumed"); got != "" {
					t.Errorf("%s: resumed %q, want none", what, got)
				}
				f.close()
			}
		})
	}
}

// TestBrokenLink: a node of this release goes on in the middle of the image after each of two breaks.
func TestBrokenLink(t *testing.T) {
	t.Parallel()
	p := mustPrimary(t, settings{seed: 8 << 20})
	const passed = 3 << 20 // bytes, before each break
	link := mustLink(t, p, passed, passed)
	client, err := receive.New(litefshttp.NewClient(), t.TempDir(), discard())
	must(t, err)
	mustFollow(t, p, mustReplicaWith(t, link, client))
	line := regexp.MustCompile(`msg="image sent".* bytes=(\d+) skipped=(\d+)`)
	cluster.Poll(t, time.Minute, "a stream goes on after two breaks", func(context.Context) error {
		// A stream whose link broke may have been written to its end all the same: the kernel took it.
		all := line.FindAllStringSubmatch(p.logs.String(), -1)
		for _, sent := range all {
			if mustInt(t, sent[2]) > passed && mustInt(t, sent[1]) < 8<<20-passed {
				return nil
			}
		}
		return fmt.Errorf("the streams that came to their end are %v", all)
	})
}

func mustInt(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}

// mustLink is the address of a link to the primary. Its first connections break when so many bytes have passed.
func mustLink(t *testing.T, p *primary, breaks ...int64) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	var running sync.WaitGroup
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(func() { cancel(); must(t, listener.Close()); running.Wait() })
	running.Go(func() {
		for n := 0; ; n++ {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(p.server.URL(), "http://"))
			if err != nil {
				_ = near.Close()
				return
			}
			context.AfterFunc(ctx, func() { _ = errors.Join(near.Close(), far.Close()) })
			running.Go(func() { _, _ = io.Copy(far, near); _ = far.Close() })
			running.Go(func() {
				if n < len(breaks) {
					_, _ = io.CopyN(near, far, breaks[n])
				} else {
					_, _ = io.Copy(near, far)
				}
				_ = errors.Join(near.Close(), far.Close()) // it breaks
			})
		}
	})
	return "http://" + listener.Addr().String()
}
