//go:build linux

package stream_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/superfly/litefs"
	"github.com/superfly/litefs/fuse"
	litefshttp "github.com/superfly/litefs/http"

	"blog/internal/litefs/mount/stream"
	"blog/test/cluster"
)

const name = "test.db"

// writerVariable makes this test's program a writer of the database that it names: SQLite and the FUSE server may not
// be in one process.
const writerVariable = "STREAM_TEST_WRITER"

func TestMain(m *testing.M) {
	if path := os.Getenv(writerVariable); path != "" {
		if err := serveWriter(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	log.SetOutput(io.Discard) // LiteFS's own log
	os.Exit(m.Run())
}

// serveWriter runs each line of its input, a JSON text with SQL, and answers with the error's text as JSON. A commit
// that waits for a lock for over 250 ms fails.
func serveWriter(path string) error {
	db, err := sql.Open("sqlite3", "file:"+path+"?_txlock=immediate&_busy_timeout=250")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	for dec := json.NewDecoder(os.Stdin); ; {
		var query, answer string
		if err := dec.Decode(&query); errors.Is(err, io.EOF) {
			return db.Close()
		} else if err != nil {
			return err
		}
		if _, err := db.ExecContext(context.Background(), query); err != nil {
			answer = err.Error()
		}
		if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
			return err
		}
	}
}

// primary is a LiteFS node that may write, mounted.
type primary struct {
	store  *litefs.Store
	server *stream.Server
	mnt    string
	logs   *logs
	writer *exec.Cmd
	in     io.Writer
	out    *json.Decoder
}

// logs is what the server has logged.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// settings are those of a primary.
type settings struct {
	hooks    stream.Hooks
	seed     int64 // bytes in the database from the start; 0: there is none
	compress bool
	timeout  time.Duration // of an image
	// confirmed is the server's Confirmed.
	confirmed func() bool
}

func mustPrimary(t *testing.T, set settings) *primary {
	t.Helper()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	p := &primary{mnt: filepath.Join(dir, "mnt"), logs: &logs{}, store: litefs.NewStore(data, true)}
	p.store.Leaser = litefs.NewStaticLeaser(true, "primary", "http://primary")
	p.store.Compress, p.store.DemoteDelay = set.compress, 200*time.Millisecond
	p.server = stream.NewServer(stream.Config{
		Store: p.store, Addr: "127.0.0.1:0", Dir: filepath.Join(data, "images"),
		Logger: slog.New(slog.NewTextHandler(p.logs, nil)), SnapshotTimeout: set.timeout, Confirmed: set.confirmed,
	})
	p.server.Set(set.hooks)
	if set.seed > 0 {
		cluster.Seed(t, data, name, set.seed)
	}
	must(t, p.server.Listen())
	must(t, p.store.Open())
	fsys := fuse.NewFileSystem(p.mnt, p.store)
	must(t, fsys.Mount(false))
	p.server.Serve()
	t.Cleanup(func() {
		must(t, fsys.Unmount())
		must(t, p.server.Close())
		must(t, p.store.Close())
		if t.Failed() {
			t.Logf("the primary's log:\n%s", p.logs)
		}
	})
	<-p.store.ReadyCh()
	p.startWriter(t)
	return p
}

func (p *primary) startWriter(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), writerVariable+"="+filepath.Join(p.mnt, name), "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	p.writer, p.in, p.out = cmd, in, json.NewDecoder(out)
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // the test's context may have ended it
	})
}

// killWriter ends the writer in the middle of whatever it does.
func (p *primary) killWriter(t *testing.T) {
	t.Helper()
	must(t, p.writer.Process.Kill())
	_ = p.writer.Wait() // it was killed
}

// exec runs SQL in the writer's process.
func (p *primary) exec(query string) error {
	if err := json.NewEncoder(p.in).Encode(query); err != nil {
		return err
	}
	var answer string
	if err := p.out.Decode(&answer); err != nil {
		return err
	}
	if answer != "" {
		return fmt.Errorf("%s: %s", query, answer)
	}
	return nil
}

func (p *primary) mustExec(t *testing.T, query string) {
	t.Helper()
	must(t, p.exec(query))
}

func (p *primary) db() *litefs.DB { return p.store.DB(name) }

// metric returns the value of one of the server's own metrics.
func (p *primary) metric(t *testing.T, line string) float64 {
	t.Helper()
	res, err := http.Get(p.server.URL() + "/metrics") //nolint:noctx // the test's own server
	must(t, err)
	text, err := io.ReadAll(res.Body)
	must(t, errors.Join(err, res.Body.Close()))
	found := regexp.MustCompile("(?m)^" + regexp.QuoteMeta(line) + " (.*)$").FindSubmatch(text)
	if found == nil {
		return 0
	}
	value, err := strconv.ParseFloat(string(found[1]), 64)
	must(t, err)
	return value
}

func (p *primary) mustLog(t *testing.T, part string) {
	t.Helper()
	poll(t, "the log line "+part, func() bool { return strings.Contains(p.logs.String(), part) })
}

// mustReplica is a LiteFS node with LiteFS's own client, as in the release before, which has nothing yet.
func mustReplica(t *testing.T, url string) *litefs.Store {
	t.Helper()
	return mustReplicaWith(t, url, litefshttp.NewClient())
}

func mustReplicaWith(t *testing.T, url string, client litefs.Client) *litefs.Store {
	t.Helper()
	store := litefs.NewStore(t.TempDir(), false)
	store.Leaser = litefs.NewStaticLeaser(false, "primary", url)
	store.Client, store.ReconnectDelay = client, 10*time.Millisecond
	store.Exit = func(code int) { t.Errorf("LiteFS ends the replica with %d", code) }
	must(t, store.Open())
	t.Cleanup(func() { must(t, store.Close()) })
	return store
}

// mustFollow waits until the replica has what the primary has, and checks its database.
func mustFollow(t *testing.T, p *primary, replica *litefs.Store) {
	t.Helper()
	poll(t, "the replica has everything", func() bool {
		db := replica.DB(name)
		return db != nil && db.Pos() == p.db().Pos()
	})
	db, err := sql.Open("sqlite3", "file:"+replica.DB(name).DatabasePath()+"?mode=ro&immutable=1")
	must(t, err)
	var result string
	err = db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&result)
	must(t, errors.Join(err, db.Close()))
	if result != "ok" {
		t.Errorf("integrity_check: got %s, want ok", result)
	}
}

// poll waits until ok is true.
func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	cluster.Poll(t, time.Minute, what, func(context.Context) error {
		if !ok() {
			return errors.New("not yet")
		}
		return nil
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
