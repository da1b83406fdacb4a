//go:build linux

package stream_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/superfly/litefs"
	"github.com/superfly/ltx"

	"blog/internal/litefs/mount/stream"
)

// other is a database beside the one that is written to. Its name comes first.
const other = "app.db"

// mustImport puts a database of that journal mode onto the primary.
func (p *primary) mustImport(t *testing.T, mode string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db, err := sql.Open("sqlite3", path)
	must(t, err)
	_, err = db.ExecContext(t.Context(), "PRAGMA journal_mode="+mode+"; CREATE TABLE t AS SELECT randomblob(9000)")
	must(t, errors.Join(err, db.Close()))
	f, err := os.Open(path)
	must(t, err)
	defer func() { must(t, f.Close()) }()
	to, err := p.store.CreateDBIfNotExists(other)
	must(t, err)
	must(t, to.Import(t.Context(), f))
}

// mustUntil reads frames up to one that is told of in those words, and returns all of them in words. The stream must
// not end.
func (f *follower) mustUntil(t *testing.T, text string) (all []string) {
	t.Helper()
	const limit = 30 * time.Second // there is a heartbeat each second
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); {
		frame, err := f.next()
		must(t, err)
		line := fmt.Sprintf("%T", frame)
		switch frame := frame.(type) {
		case *litefs.LTXStreamFrame:
			_, at := mustDecode(t, f.mustFile(t))
			line = fmt.Sprintf("%s at %s", frame.Name, at)
		case *litefs.HeartbeatStreamFrame:
			line = fmt.Sprintf("heartbeat, synced %t", frame.Timestamp > 0)
		case *litefs.DropDBStreamFrame:
			line = strings.Replace(frame.Name, stream.NoticePrefix, "notice: ", 1)
		case *litefs.ReadyStreamFrame:
			line = "ready"
		case *litefs.EndStreamFrame:
			t.Fatalf("the stream has ended, after %q", all)
		}
		if all = append(all, line); strings.HasPrefix(line, text) {
			return all
		}
	}
	t.Fatalf("not within %s: %s; there was %q", limit, text, all)
	return nil
}

// mustCommit lets the primary commit, and reads up to that transaction.
func (f *follower) mustCommit(t *testing.T, p *primary) {
	t.Helper()
	p.mustExec(t, "INSERT INTO t VALUES (1)")
	f.mustUntil(t, fmt.Sprintf("%s at %s", name, p.db().Pos()))
}

// TestWALMode: a database in WAL mode, of which no copy can be made, is set aside: it is named to the follower, which
// gets everything else, is ready and may be handed the lease. It is sent when it is in another mode.
func TestWALMode(t *testing.T) {
	t.Parallel()
	p := mustPrimary(t, settings{seed: 1 << 20})
	p.mustImport(t, "wal")
	f := p.mustConnect(t, 7, nil, "")
	all := f.mustUntil(t, "ready")
	const want = "notice: the primary cannot send " + other
	if !slices.ContainsFunc(all, func(s string) bool {
		return strings.HasPrefix(s, want) && strings.Contains(s, "the database is in WAL mode")
	}) {
		t.Fatalf("the follower is told %q, want %q and why", all, want)
	}
	f.mustUntil(t, "heartbeat, synced true")
	p.mustLog(t, "the database is in WAL mode")
	f.mustCommit(t, p)
	must(t, p.server.Lacks(t.Context(), 7))
	p.mustExec(t, fmt.Sprintf("ATTACH '%s' AS other", filepath.Join(p.mnt, other)))
	p.mustExec(t, "PRAGMA other.journal_mode=delete")
	f.mustUntil(t, fmt.Sprintf("%s at %s", other, p.store.DB(other).Pos()))
}

// TestOneWaits: while the image of one database waits for room, the others are replicated. The follower is not ready,
// nor handed the lease, before it has both.
func TestOneWaits(t *testing.T) {
	t.Parallel()
	var free atomic.Int64
	free.Store(stream.Spare)
	p := mustPrimary(t, settings{
		seed: 1 << 20, hooks: stream.Hooks{Free: func() (int64, error) { return free.Load(), nil }},
	})
	p.mustImport(t, "delete")
	f := p.mustConnect(t, 7, map[string]ltx.Pos{name: p.db().Pos()}, "")
	all := f.mustUntil(t, "notice: the primary has no image of "+other)
	f.mustCommit(t, p)
	all = append(all, f.mustUntil(t, "heartbeat")...)
	if slices.Contains(all, "ready") || slices.Contains(all, "heartbeat, synced true") {
		t.Fatalf("the follower is told that it has everything: %q, want without %q and without %q", all, "ready",
			"heartbeat, synced true")
	}
	if err := p.server.Lacks(t.Context(), 7); err == nil || !strings.Contains(err.Error(), "the whole of "+other) {
		t.Errorf("a hand-off: %v, want none because of %s", err, other)
	}
	free.Store(1 << 40)
	f.mustUntil(t, other+" at ")
	f.mustUntil(t, "ready")
	f.mustUntil(t, "heartbeat, synced true")
	must(t, p.server.Lacks(t.Context(), 7))
}

// TestOneFails: while one database cannot be read, the others are replicated, and it is tried again. The follower is
// not handed the lease before it has both.
func TestOneFails(t *testing.T) {
	t.Parallel()
	p := mustPrimary(t, settings{seed: 1 << 20})
	p.mustImport(t, "delete")
	at := p.store.PosMap()
	p.mustImport(t, "delete")
	newest := p.store.DB(other).Pos()
	path := p.store.DB(other).LTXPath(newest.TXID, newest.TXID)
	file, err := os.ReadFile(path)
	must(t, err)
	spoiled := slices.Clone(file)
	spoiled[len(spoiled)/2]++
	must(t, os.WriteFile(path, spoiled, 0o600)) // #nosec G703 -- a file of the test's own
	f := p.mustConnect(t, 7, at, "")
	f.mustUntil(t, "notice: the primary cannot send "+other)
	f.mustCommit(t, p)
	if err := p.server.Lacks(t.Context(), 7); err == nil || !strings.Contains(err.Error(), "cannot be sent "+other) {
		t.Errorf("a hand-off: %v, want none because of %s", err, other)
	}
	must(t, os.WriteFile(path, file, 0o600)) // #nosec G703 -- as above
	f.mustUntil(t, fmt.Sprintf("%s at %s", other, newest))
	f.mustUntil(t, "ready")
	must(t, p.server.Lacks(t.Context(), 7))
}
