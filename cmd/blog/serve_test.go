package main_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestUsageErrors(t *testing.T) {
	w := newWorld(t)
	for _, args := range [][]string{
		{}, {"nonsense"}, {"post"}, {"post", "new"}, {"post", "new", "--nonsense"}, {"post", "edit", "x"},
		{"import"}, {"import", "no-such-folder"}, {"user", "add", "a@b.example"}, {"serve", "--log-format", "xml"},
	} {
		what := fmt.Sprintf("blog %v", args)
		o := w.run(t, args...)
		o.expectCode(t, what, 2)
		if o.err == "" {
			t.Errorf("%s: got nothing on standard error, want a reason", what)
		}
		what = fmt.Sprintf("blog --json %v", args)
		o = w.run(t, append([]string{"--json"}, args...)...)
		o.expectCode(t, what, 2)
		o.expectNoErr(t, what)
		r := decode[refusal](t, o.out)
		if r.Error.Code != "invalid" {
			t.Errorf("%s: got the code %q, want %q", what, r.Error.Code, "invalid")
		}
		expectMessages(t, what, r)
	}
	help, version := w.run(t, "--help"), w.run(t, "version", "--json")
	help.expectCode(t, "--help", 0)
	if want := "honoured for 30 days"; !strings.Contains(help.out, want) {
		t.Errorf("--help: got %q, want %q in it", help.out, want)
	}
	version.expectCode(t, "version", 0)
	if want := `"version":`; !strings.Contains(version.out, want) {
		t.Errorf("version: got %q, want %q in it", version.out, want)
	}
}

// TestConfigurationIsRefusedInOneLine starts servers whose configuration is refused.
func TestConfigurationIsRefusedInOneLine(t *testing.T) {
	occupied, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = occupied.Close() }()
	const secret = "CLUSTER_SECRET=0123456789abcdef0123456789abcdef"
	for want, env := range map[string][]string{
		"LITEFS_URL is set without CLUSTER_SECRET": {"LITEFS_URL=http://127.0.0.1:1"},
		"LITEFS_URL is set without PRIMARY_URL":    {"LITEFS_URL=http://127.0.0.1:1", secret},
		"has no {hostname}": {
			"LITEFS_URL=http://127.0.0.1:1", secret, "PRIMARY_URL=http://primary:4001",
		},
		"not inside LiteFS's mount": {
			"LITEFS_URL=http://127.0.0.1:1", secret, "PRIMARY_URL=http://{hostname}:4001",
		},
		"set PRIVATE_ADDR to an address of the private network": {
			"LITEFS_URL=http://127.0.0.1:1", secret, "PRIMARY_URL=http://{hostname}", "LITEFS_SELF=fra1:4011",
			"PRIVATE_ADDR=127.0.0.1:4011",
		},
		"DURABILITY \"three\" is not known":         {"DURABILITY=three"},
		"DURABILITY=strict needs a standby":         {"DURABILITY=strict"},
		"DURABILITY=local is for a plain file":      {"DURABILITY=local", "LITEFS_CONTROL=/tmp/none"},
		"are lengths of time":                       {"DURABILITY_WAIT=-1s"},
		"PUBLIC_URL":                                {"PUBLIC_URL=example.org"},
		"BLOG_TIMEZONE":                             {"BLOG_TIMEZONE=Mars/Olympus"},
		"CLUSTER_SECRET has 5 characters":           {"CLUSTER_SECRET=short"},
		"can be reached from other machines":        {"PRIVATE_ADDR=0.0.0.0:0"},
		"LISTEN_ADDR " + occupied.Addr().String():   {"LISTEN_ADDR=" + occupied.Addr().String()},
		"PRIVATE_ADDR " + occupied.Addr().String():  {"PRIVATE_ADDR=" + occupied.Addr().String()},
		"LISTEN_ADDR \"nonsense\" cannot be listen": {"LISTEN_ADDR=nonsense"},
	} {
		o := newWorld(t).with(env...).run(t, "serve")
		o.expectCode(t, want, 1)
		o.expectErr(t, "serve", want)
		if lines := strings.Count(strings.TrimSpace(o.err), "\n") + 1; lines != 1 {
			t.Errorf("%s: got %d lines on standard error, want 1: %s", want, lines, o.err)
		}
	}
}

// TestNoServerUnderLiteFS: the command line never opens LiteFS's database itself.
func TestNoServerUnderLiteFS(t *testing.T) {
	w := newWorld(t).
		with("LITEFS_URL=http://127.0.0.1:1", "CLUSTER_SECRET=0123456789abcdef0123456789abcdef", "PRIVATE_ADDR=127.0.0.1:1")
	o := w.run(t, "post", "new", "--title", "x", "--key", "my-key", "--timeout", "5s")
	o.expectCode(t, "post new", 3)
	o.expectErr(t, "post new", "my-key")
	o = w.run(t, "post", "new", "--title", "x", "--json")
	o.expectCode(t, "post new --json", 3)
	r := decode[refusal](t, o.out)
	if r.Error.Code != "unavailable" {
		t.Errorf("post new --json: got the code %q, want %q", r.Error.Code, "unavailable")
	}
	if r.Error.Key == "" {
		t.Errorf("post new --json: got no key, want one: %s", o.out)
	}
	if m := mustJSON[map[string]any](t, w, "migrate"); m["message"] == "" {
		t.Errorf("migrate --json: got no message, want one: %v", m)
	}
	w.run(t, "status").expectCode(t, "status", 3)
	for _, args := range [][]string{{"post", "list"}, {"tag", "list"}, {"export", filepath.Join(w.dir, "out")}} {
		what, o := fmt.Sprintf("%v outside the mount", args), w.run(t, args...)
		o.expectCode(t, what, 3)
		o.expectErr(t, what, "DATABASE_PATH "+filepath.Join(w.dir, "blog.db")+" is not inside LiteFS's mount")
	}
	w.run(t, "import", w.dir).expectCode(t, "import of nothing", 0) // no file, no call
	if info, err := os.Stat(filepath.Join(w.dir, "blog.db")); err == nil {
		t.Errorf("got the database %s of %d bytes, want none", info.Name(), info.Size())
	}
}

func TestServe(t *testing.T) {
	w := newWorld(t)
	s := w.mustServe(t)
	s.mustSay(t, s.url+"/setup?token=")
	info, err := os.Stat(filepath.Join(w.dir, "blog.db.token"))
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("the token's file: got the mode %#o, want %#o", got, 0o600)
	}
	get(t, s.url+"/readyz", http.StatusOK)
	get(t, s.url+"/health", http.StatusOK)
	for _, private := range []string{"/metrics", "/internal/status", "/internal/call", "/internal/super"} {
		get(t, s.url+private, http.StatusNotFound)
	}
	lock, err := os.ReadFile(filepath.Join(w.dir, "blog.db.lock"))
	if err != nil {
		t.Fatal(err)
	}
	private := string(lock)
	metrics := get(t, private+"/metrics", http.StatusOK)
	for _, want := range []string{"blog_primary 1", "\ngo_gc_gogc_percent 200\n"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics: got %s, want %q in it", metrics, want)
		}
	}
	get(t, private+"/internal/status", http.StatusUnauthorized)

	statusOfOneNode(t, w)
	second := w.run(t, "serve")
	second.expectCode(t, "a second server", 1)
	second.expectErr(t, "a second server", "in use")
	w.run(t, "migrate").expectCode(t, "migrate beside a server", 0)
	beside := mustJSON[map[string]any](t, w, "migrate")
	w.mustAuthor(t)
	s.mustStop(t, syscall.SIGTERM)
	// The next start finds everything, and prints no link.
	s = w.mustServe(t)
	s.mustStop(t, syscall.SIGTERM)
	if got := s.out.String(); strings.Contains(got, "/setup") {
		t.Errorf("with an author: got %q, want no link to %q in it", got, "/setup")
	}
	w.must(t, "migrate")
	alone := mustJSON[map[string]any](t, w, "migrate")
	for name, m := range map[string]map[string]any{"beside a server": beside, "without a server": alone} {
		if m["message"] == "" {
			t.Errorf("migrate --json %s: got no message, want one: %v", name, m)
		}
		if m["schema"] == nil {
			t.Errorf("migrate --json %s: got no schema, want one: %v", name, m)
		}
		if m["schema"] != m["schema_wanted"] {
			t.Errorf("migrate --json %s: got the schema %v, want %v", name, m["schema"], m["schema_wanted"])
		}
	}
	w.run(t, "status").expectCode(t, "status without a server", 3)
}

// statusOfOneNode checks the status of a server that is the only node.
func statusOfOneNode(t *testing.T, w *world) {
	t.Helper()
	status := mustJSON[map[string]any](t, w, "status")
	for name, want := range map[string]any{"role": "primary", "ready": true, "litefs": false} {
		if status[name] != want {
			t.Errorf("status: %s: got %v, want %v", name, status[name], want)
		}
	}
	// One node has the tables too, and is its own primary.
	o := w.run(t, "node", "forget", "x")
	o.expectCode(t, "node forget", 1)
	o.expectErr(t, "node forget", "the only one")
	text := w.run(t, "status").out
	for _, want := range []string{
		`(?m)^primary +` + regexp.QuoteMeta(status["node"].(string)) + `$`, `(?m)^candidate +no$`, `(?m)^lag +0$`,
		`(?m)^NODE +REGION .* SOCKETS `, `(?m)^NODE +SEQ +MARK `,
	} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("got the status\n%s\nwant %s in it", text, want)
		}
	}
}

// TestCommandsRunOneAfterAnother: commands that run at the same time, and a server that starts
// meanwhile, wait for each other.
func TestCommandsRunOneAfterAnother(t *testing.T) {
	w := newWorld(t)
	w.mustAuthor(t)
	outcomes := make(chan outcome)
	const many = 4
	for n := range many {
		go func() { outcomes <- w.run(t, "post", "new", "--title", "Post "+strconv.Itoa(n), "--json") }()
	}
	s := w.mustServe(t)
	seqs := map[int64]bool{}
	for range many {
		o := <-outcomes
		if o.code != 0 {
			t.Errorf("got exit code %d, want 0: %s%s", o.code, o.out, o.err)
			continue
		}
		seqs[decode[written](t, o.out).Seq] = true
	}
	if len(seqs) != many {
		t.Errorf("%d writes, want %d", len(seqs), many)
	}
	s.mustStop(t, syscall.SIGTERM)
}

func get(t *testing.T, url string, want int) string {
	t.Helper()
	code, text := fetch(t, url)
	if code != want {
		t.Errorf("GET %s: %d, want %d", url, code, want)
	}
	return text
}

// fetch returns the status and the body of the answer to a GET.
func fetch(t *testing.T, url string) (code int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Errorf("GET %s: %v", url, err)
	}
	return res.StatusCode, string(text)
}
