package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"blog/test/cluster"
)

// world is a folder with a database, and the real program.
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

// outcome is what a command gave.
type outcome struct {
	code     int
	out, err string
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
		t.Errorf("%v: %s", args, errs.String())
	}
	return outcome{code: cmd.ProcessState.ExitCode(), out: out.String(), err: errs.String()}
}

// must runs a command that has to succeed.
func (w *world) must(t *testing.T, args ...string) string {
	t.Helper()
	o := w.run(t, args...)
	if o.code != 0 {
		t.Fatalf("%v: exit code %d: %s%s", args, o.code, o.out, o.err)
	}
	return o.out
}

// mustAuthor makes the author every post needs.
func (w *world) mustAuthor(t *testing.T) {
	t.Helper()
	o := w.pipe(t, "correct horse battery\n", "user", "add", "ann@example.org", "--name", "Ann", "--password-file", "-")
	if o.code != 0 {
		t.Fatalf("user add: %s%s", o.out, o.err)
	}
}

// mustJSON runs a command with --json and decodes what it prints.
func mustJSON[T any](t *testing.T, w *world, args ...string) T {
	t.Helper()
	return decode[T](t, w.must(t, append(args, "--json")...))
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("not JSON: %v: %s", err, text)
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
	said  string // on standard output, until it served
	cmd   *exec.Cmd
	log   *bytes.Buffer
	ended chan error
}

func (w *world) mustServe(t *testing.T) *server {
	t.Helper()
	s := &server{cmd: exec.Command(w.program, "serve"), log: &bytes.Buffer{}, ended: make(chan error, 1)}
	s.cmd.Env, s.cmd.Dir, s.cmd.Stderr = w.env, w.dir, s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() }) // ESRCH: it has ended
	lines := bufio.NewReader(out)
	for s.url == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("serve ended: %v: %s", err, s.log)
		}
		s.said += line
		if at, found := strings.CutPrefix(strings.TrimSpace(line), "The blog is at "); found {
			s.url = at
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, lines)
		s.ended <- s.cmd.Wait()
	}()
	return s
}

// mustStop ends the server with SIGTERM, which it obeys with exit code 0.
func (s *server) mustStop(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-s.ended:
		if err != nil || strings.Contains(s.log.String(), "DATA RACE") {
			t.Fatalf("serve: %v: %s", err, s.log)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("serve does not end: %s", s.log)
	}
}

func mustWriteFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
