package bench_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"blog/test/cluster"
)

// build compiles pkg as `make build` does. With the race detector of the tests' programs, that
// would be measured.
func build(tb testing.TB, pkg string) string {
	tb.Helper()
	root := cluster.Root(tb)
	out := filepath.Join(root, ".cache", "bench", filepath.Base(pkg))
	cmd := exec.CommandContext(tb.Context(), "go", "build", "-tags", "sqlite_fts5", "-o", out, pkg)
	cmd.Dir = root
	if text, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("go build %s: %v\n%s", pkg, err, text)
	}
	return out
}

// freeAddr returns an address on this machine with a free port. Another program may use the port
// first; then the start fails.
func freeAddr(tb testing.TB) string {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	cluster.MustClose(tb, "listener", l.Close())
	return l.Addr().String()
}

// process is a server in a process of its own.
type process struct {
	addr string
	cmd  *exec.Cmd
	log  string
	stop func()
}

// launch starts a server that ends with the benchmark, or with stop.
func launch(tb testing.TB, addr string, env []string, argv ...string) *process {
	tb.Helper()
	logPath := filepath.Join(tb.TempDir(), "log")
	log, err := os.Create(logPath)
	if err != nil {
		tb.Fatal(err)
	}
	// #nosec G204 -- programs of this file's choice
	cmd := exec.CommandContext(context.WithoutCancel(tb.Context()), argv[0], argv[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), log, log
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	p := &process{addr: addr, cmd: cmd, log: logPath}
	p.stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(15 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
		_ = log.Close()
	})
	tb.Cleanup(p.stop)
	return p
}

// await polls path until it answers 200.
func (p *process) await(tb testing.TB, path string) {
	tb.Helper()
	cluster.Poll(tb, 30*time.Second, p.addr+path, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.addr+path, nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d", res.StatusCode)
		}
		return nil
	})
}

// site is a blog on one machine, without LiteFS, full of the sample content.
type site struct {
	binary string
	env    []string
	public string
}

func newSite(tb testing.TB) *site {
	tb.Helper()
	return newSiteOf(tb, build(tb, "./cmd/blog"))
}

// newSiteOf is newSite with the program of another release.
func newSiteOf(tb testing.TB, binary string) *site {
	tb.Helper()
	dir := tb.TempDir()
	public, private := freeAddr(tb), freeAddr(tb)
	s := &site{binary: binary, public: public, env: []string{
		"DATABASE_PATH=" + filepath.Join(dir, "blog.db"), "LISTEN_ADDR=" + public, "PRIVATE_ADDR=" + private,
		"PUBLIC_URL=http://" + public,
	}}
	p := s.serve(tb)
	s.blog(tb, password, "user", "add", email, "--name", "Ada", "--password-file", "-")
	s.blog(tb, "", "import", filepath.Join(cluster.Root(tb), "content"))
	p.stop()
	return s
}

const (
	email    = "ada@example.org"
	password = "correct horse battery staple"
)

func (s *site) serve(tb testing.TB) *process {
	tb.Helper()
	p := launch(tb, s.public, s.env, s.binary, "serve")
	p.await(tb, "/readyz")
	return p
}

// blog runs the command line.
func (s *site) blog(tb testing.TB, stdin string, args ...string) string {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), s.binary, args...) // #nosec G204 -- the program under test
	cmd.Env = append(os.Environ(), s.env...)
	return output(tb, cmd, stdin)
}

func output(tb testing.TB, cmd *exec.Cmd, stdin string) string {
	tb.Helper()
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	if err := cmd.Run(); err != nil {
		tb.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args, " "), err, out.String(), errs.String())
	}
	return out.String()
}

// static starts net/http's file server on a folder.
func static(tb testing.TB, dir string) *process {
	tb.Helper()
	addr := freeAddr(tb)
	p := launch(tb, addr, nil, build(tb, "./test/bench/testdata/static"), addr, dir)
	p.await(tb, "/")
	return p
}

// nginx starts nginx on a folder, with Debian's settings except for the access log, since no other
// server writes one. It returns nil when nginx is not installed.
func nginx(tb testing.TB, dir string) *process {
	tb.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/nginx"); err != nil {
			return nil
		}
	}
	addr, nodeDir := freeAddr(tb), tb.TempDir()
	user := ""
	if os.Getuid() == 0 {
		user = "user root;" // www-data cannot read the benchmark's files
	}
	config := filepath.Join(nodeDir, "nginx.conf")
	if err := os.WriteFile(config, []byte(user+`
worker_processes auto;
daemon off;
pid `+nodeDir+`/pid;
error_log stderr;
events { worker_connections 768; }
http {
	sendfile on;
	tcp_nopush on;
	types { text/html html; }
	access_log off;
	keepalive_requests 1000000000;
	client_body_temp_path `+nodeDir+`; proxy_temp_path `+nodeDir+`;
	fastcgi_temp_path `+nodeDir+`; uwsgi_temp_path `+nodeDir+`;
	scgi_temp_path `+nodeDir+`;
	server { listen `+addr+`; root `+dir+`; autoindex on; }
}
`), 0o600); err != nil {
		tb.Fatal(err)
	}
	p := launch(tb, addr, nil, program, "-e", "stderr", "-c", config)
	p.await(tb, "/")
	return p
}

// resident returns the memory of the process, in bytes.
func (p *process) resident(tb testing.TB) int {
	tb.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		tb.Fatal(err)
	}
	_, remainder, _ := strings.Cut(string(text), "VmRSS:")
	remainder, _, _ = strings.Cut(remainder, "kB")
	kib, err := strconv.Atoi(strings.TrimSpace(remainder))
	if err != nil {
		tb.Fatal(err)
	}
	return kib << 10
}
