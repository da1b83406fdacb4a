package main_test

import (
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
		if o := w.run(t, args...); o.code != 2 || o.err == "" {
			t.Errorf("blog %v: exit code %d: %s", args, o.code, o.err)
		}
		o := w.run(t, append([]string{"--json"}, args...)...)
		if r := decode[refusal](t, o.out); o.code != 2 || r.Error.Code != "invalid" || r.Error.Message == "" ||
			r.Error.Fields == nil || o.err != "" {
			t.Errorf("blog --json %v: exit code %d: %s%s", args, o.code, o.out, o.err)
		}
	}
	if o := w.run(t, "--help"); o.code != 0 || !strings.Contains(o.out, "honoured for 30 days") {
		t.Errorf("--help: %d %s", o.code, o.out)
	}
	if o := w.run(t, "version", "--json"); o.code != 0 || !strings.Contains(o.out, `"version":`) {
		t.Errorf("version: %d %s", o.code, o.out)
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
		if o.code != 1 || !strings.Contains(o.err, want) || strings.Count(strings.TrimSpace(o.err), "\n") != 0 {
			t.Errorf("want %q in one line, exit code 1; got %d: %s", want, o.code, o.err)
		}
	}
}

// TestNoServerUnderLiteFS: the command line never opens LiteFS's database itself.
func TestNoServerUnderLiteFS(t *testing.T) {
	w := newWorld(t).
		with("LITEFS_URL=http://127.0.0.1:1", "CLUSTER_SECRET=0123456789abcdef0123456789abcdef", "PRIVATE_ADDR=127.0.0.1:1")
	o := w.run(t, "post", "new", "--title", "x", "--key", "my-key", "--timeout", "5s")
	if o.code != 3 || !strings.Contains(o.err, "my-key") {
		t.Errorf("exit code %d: %s", o.code, o.err)
	}
	o = w.run(t, "post", "new", "--title", "x", "--json")
	if r := decode[refusal](t, o.out); o.code != 3 || r.Error.Code != "unavailable" || r.Error.Key == "" {
		t.Errorf("exit code %d: %s", o.code, o.out)
	}
	if m := mustJSON[map[string]any](t, w, "migrate"); m["message"] == "" {
		t.Errorf("migrate --json: %v", m)
	}
	if o := w.run(t, "status"); o.code != 3 {
		t.Errorf("status: exit code %d: %s", o.code, o.err)
	}
	for _, args := range [][]string{{"post", "list"}, {"tag", "list"}, {"export", filepath.Join(w.dir, "out")}} {
		if o := w.run(t, args...); o.code != 3 ||
			!strings.Contains(o.err, "DATABASE_PATH "+filepath.Join(w.dir, "blog.db")+" is not inside LiteFS's mount") {
			t.Errorf("%v outside the mount: exit code %d: %s", args, o.code, o.err)
		}
	}
	if o := w.run(t, "import", w.dir); o.code != 0 { // no file, no call
		t.Errorf("import of nothing: exit code %d: %s", o.code, o.err)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "blog.db")); err == nil {
		t.Error("a database was made")
	}
}

func TestServe(t *testing.T) {
	w := newWorld(t)
	s := w.mustServe(t)
	s.mustSay(t, s.url+"/setup?token=")
	info, err := os.Stat(filepath.Join(w.dir, "blog.db.token"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("token: %v %v", info, err)
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
	if text := get(t, private+"/metrics", http.StatusOK); !strings.Contains(text, "blog_primary 1") ||
		!strings.Contains(text, "\ngo_gc_gogc_percent 200\n") {
		t.Errorf("metrics: %s", text)
	}
	get(t, private+"/internal/status", http.StatusUnauthorized)

	statusOfOneNode(t, w)
	if o := w.run(t, "serve"); o.code != 1 || !strings.Contains(o.err, "in use") {
		t.Errorf("a second server: %d %s", o.code, o.err)
	}
	if o := w.run(t, "migrate"); o.code != 0 {
		t.Errorf("migrate beside a server: %d %s", o.code, o.err)
	}
	beside := mustJSON[map[string]any](t, w, "migrate")
	w.mustAuthor(t)
	s.mustStop(t, syscall.SIGTERM)
	// The next start finds everything, and prints no link.
	s = w.mustServe(t)
	s.mustStop(t, syscall.SIGTERM)
	if strings.Contains(s.out.String(), "/setup") {
		t.Errorf("a link although there is an author: %s", s.out.String())
	}
	w.must(t, "migrate")
	alone := mustJSON[map[string]any](t, w, "migrate")
	for _, m := range []map[string]any{beside, alone} {
		if m["message"] == "" || m["schema"] == nil || m["schema"] != m["schema_wanted"] {
			t.Errorf("migrate --json beside a server %v, without %v", beside, alone)
		}
	}
	if o := w.run(t, "status"); o.code != 3 {
		t.Errorf("status without a server: %d %s", o.code, o.err)
	}
}

// statusOfOneNode checks the status of a server that is the only node.
func statusOfOneNode(t *testing.T, w *world) {
	t.Helper()
	status := mustJSON[map[string]any](t, w, "status")
	if status["role"] != "primary" || status["ready"] != true || status["litefs"] != false {
		t.Errorf("status: %v", status)
	}
	// One node has the tables too, and is its own primary.
	if o := w.run(t, "node", "forget", "x"); o.code != 1 || !strings.Contains(o.err, "the only one") {
		t.Errorf("node forget: %+v", o)
	}
	text := w.run(t, "status").out
	for _, want := range []string{
		`(?m)^primary +` + regexp.QuoteMeta(status["node"].(string)) + `$`, `(?m)^candidate +no$`, `(?m)^lag +0$`,
		`(?m)^NODE +REGION .* SOCKETS `, `(?m)^NODE +SEQ +MARK `,
	} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("%s is not in the status:\n%s", want, text)
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
			t.Errorf("exit code %d: %s%s", o.code, o.out, o.err)
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
