package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"blog/internal/repo/repotest"
	"blog/test/cluster"
)

// world is a folder with a database, and the program itself.
type world struct {
	dir, program string
	env          []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	return &world{dir: dir, program: cluster.Build(t, "./cmd/blog"), env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TERM=dumb", "GORACE=atexit_sleep_ms=0",
		"DATABASE_PATH=" + filepath.Join(dir, "blog.db"), "LISTEN_ADDR=127.0.0.1:0", "PRIVATE_ADDR=127.0.0.1:0",
	}}
}

// with returns the world with further variables.
func (w *world) with(env ...string) *world {
	other := *w
	other.env = append(append([]string{}, w.env...), env...)
	return &other
}

// outcome is what a command printed, and its exit code.
type outcome struct {
	code     int
	out, err string
}

// expectCode compares the exit code of what was run.
func (o outcome) expectCode(t *testing.T, what string, want int) {
	t.Helper()
	if o.code != want {
		t.Errorf("%s: got exit code %d, want %d: %s%s", what, o.code, want, o.out, o.err)
	}
}

// expectErr fails unless standard error has a text.
func (o outcome) expectErr(t *testing.T, what, text string) {
	t.Helper()
	if !strings.Contains(o.err, text) {
		t.Errorf("%s: got %q on standard error, want %q in it", what, o.err, text)
	}
}

// expectNoErr fails if there is something on standard error.
func (o outcome) expectNoErr(t *testing.T, what string) {
	t.Helper()
	if o.err != "" {
		t.Errorf("%s: got %q on standard error, want nothing", what, o.err)
	}
}

func (w *world) run(t *testing.T, args ...string) outcome {
	t.Helper()
	return w.pipe(t, "", args...)
}

func (w *world) pipe(t *testing.T, in string, args ...string) outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), w.program, args...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = w.env, w.dir, strings.NewReader(in), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if strings.Contains(errs.String(), "DATA RACE") {
		t.Errorf("%v: got a data race, want none: %s", args, errs.String())
	}
	return outcome{code: cmd.ProcessState.ExitCode(), out: out.String(), err: errs.String()}
}

// must runs a command that has to succeed, and returns what it printed.
func (w *world) must(t *testing.T, args ...string) string {
	t.Helper()
	o := w.run(t, args...)
	if o.code != 0 {
		t.Fatalf("%v: got exit code %d, want 0: %s%s", args, o.code, o.out, o.err)
	}
	return o.out
}

// mustAuthor makes an author, which every post needs.
func (w *world) mustAuthor(t *testing.T) {
	t.Helper()
	o := w.pipe(t, "correct horse battery\n", "user", "add", "ann@example.org", "--name", "Ann", "--password-file", "-")
	if o.code != 0 {
		t.Fatalf("user add: got exit code %d, want 0: %s%s", o.code, o.out, o.err)
	}
}

// mustJSON runs a command with --json and decodes what it printed.
func mustJSON[T any](t *testing.T, w *world, args ...string) T {
	t.Helper()
	return decode[T](t, w.must(t, append(args, "--json")...))
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("got %q, want JSON: %v", text, err)
	}
	return v
}

// written is the answer of a write.
type written struct {
	Seq      int64  `json:"seq"`
	Cursor   string `json:"cursor"`
	Key      string `json:"key"`
	Replayed bool   `json:"replayed"`
	Post     struct {
		ID       int64  `json:"id"`
		Slug     string `json:"slug"`
		State    string `json:"state"`
		Draft    bool   `json:"draft"`
		Revision int64  `json:"revision"`
		URL      string `json:"url"`
	} `json:"post"`
}

type refusal struct {
	Error struct {
		Code    string            `json:"code"`
		Reason  string            `json:"reason"`
		Message string            `json:"message"`
		Fields  map[string]string `json:"fields"`
		Key     string            `json:"key"`
	} `json:"error"`
}

// server is a running `blog serve`.
type server struct {
	url   string
	cmd   *exec.Cmd
	out   repotest.Journal // what it has printed so far
	log   bytes.Buffer     // complete once it has ended
	ended chan error
}

func (w *world) mustServe(t *testing.T) *server {
	t.Helper()
	return w.mustStart(t, exec.CommandContext(context.WithoutCancel(t.Context()), w.program, "serve"))
}

func (w *world) mustStart(t *testing.T, cmd *exec.Cmd) *server {
	t.Helper()
	s := &server{cmd: cmd, ended: make(chan error, 1)}
	s.cmd.Env, s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = w.env, w.dir, &s.out, &s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() }) // it may have ended already
	go func() { s.ended <- s.cmd.Wait() }()
	s.url = strings.TrimSpace(s.mustSay(t, "The blog is at "))
	return s
}

// mustSay waits until the server has printed before, and returns the remainder of that line.
func (s *server) mustSay(t *testing.T, before string) (remainder string) {
	t.Helper()
	cluster.Poll(t, 30*time.Second, "the server says "+before, func(context.Context) error {
		_, after, found := strings.Cut(s.out.String(), before)
		line, _, whole := strings.Cut(after, "\n")
		if !found || !whole {
			return fmt.Errorf("it has said %q", s.out.String())
		}
		remainder = line
		return nil
	})
	return remainder
}

// mustStop ends the server with a signal. It has to end with exit code 0.
func (s *server) mustStop(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-s.ended:
		if err != nil {
			t.Fatalf("serve: %v: %s", err, s.log.String())
		}
		if strings.Contains(s.log.String(), "DATA RACE") {
			t.Fatalf("serve: got a data race, want none: %s", s.log.String())
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("serve goes on 20 s after the signal %v, want it ended", sig)
	}
}

func mustWriteFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil { // #nosec G703 -- a folder of the test's own
		t.Fatal(err)
	}
}
