package litefs_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"blog/internal/litefs"
	"blog/internal/litefs/litefstest"
)

const limit = 10 * time.Second

func mustOpen(t *testing.T, cfg litefs.Config) *litefs.Follower {
	t.Helper()
	if cfg.PrimaryURL == "" {
		cfg.PrimaryURL = "http://{hostname}"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	f, err := litefs.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// await waits for exactly want.
func await(t *testing.T, n litefs.Node, want litefs.Role) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		changed := n.Changed()
		got := n.Role()
		if got == want {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("the role is %+v, want %+v", got, want)
		}
	}
}

func awaitWake(t *testing.T, wake <-chan struct{}) {
	t.Helper()
	select {
	case <-wake:
	case <-time.After(limit):
		t.Fatal("not woken")
	}
}

func TestRoles(t *testing.T) {
	api := litefstest.Start(t, "me:4001")
	f := mustOpen(t, litefs.Config{URL: api.URL})
	replica := litefs.Role{State: litefs.Replica, Host: "a:4001", URL: "http://a:4001"}

	if got := f.Role(); got != (litefs.Role{}) {
		t.Fatalf("with no primary the role is %+v, want %+v", got, litefs.Role{})
	}
	api.Replica("a:4001")
	await(t, f, replica)
	api.None()
	await(t, f, litefs.Role{})
	api.Primary()
	await(t, f, litefs.Role{State: litefs.Primary})

	// /info tells the own name; from then on a primary of that name that is not this node is nobody.
	api.Drop()
	await(t, f, litefs.Role{State: litefs.Primary, Host: "me:4001"})
	api.Replica("me:4001")
	await(t, f, litefs.Role{})
	api.Replica("a:4001")
	await(t, f, replica)
}

func TestRoleAtOpen(t *testing.T) {
	api := litefstest.Start(t, "me:4001")
	api.Primary()
	f := mustOpen(t, litefs.Config{URL: api.URL})
	if got, want := f.Role(), (litefs.Role{State: litefs.Primary, Host: "me:4001"}); got != want {
		t.Errorf("the role right after Open is %+v, want %+v", got, want)
	}
}

func TestHostnameFromConfig(t *testing.T) {
	api := litefstest.Start(t, "me:4001")
	api.Replica("me:4001")
	f := mustOpen(t, litefs.Config{URL: api.URL, Self: "me:4001"})
	if got := f.Role(); got != (litefs.Role{}) {
		t.Errorf("the lease of the process before makes the role %+v, want %+v", got, litefs.Role{})
	}
}

// TestFlap plays an outage: LiteFS alternates between the old primary and nobody. The last word counts, and the
// log stays short.
func TestFlap(t *testing.T) {
	var log lockedBuffer
	api := litefstest.Start(t, "me:4001")
	f := mustOpen(t, litefs.Config{URL: api.URL, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for range 100 {
		api.Replica("a:4001")
		api.None()
	}
	api.Replica("b:4001")
	await(t, f, litefs.Role{State: litefs.Replica, Host: "b:4001", URL: "http://b:4001"})
	if n := strings.Count(log.String(), "\n"); n > 5 {
		t.Errorf("%d lines of log for a hundred flaps, want at most 5:\n%s", n, log.String())
	}
}

func TestStreamLost(t *testing.T) {
	broken := []string{"{", "null", `{"type":"primaryChange","data":7}`, strings.Repeat("x", 100_000)}
	for _, line := range broken {
		api := litefstest.Start(t, "me:4001")
		api.Primary()
		f := mustOpen(t, litefs.Config{URL: api.URL})
		changed := f.Changed()
		if line == "null" {
			api.Drop() // the plain end of a stream
		} else {
			api.Line(line)
		}
		select {
		case <-changed:
		case <-time.After(limit):
			t.Fatalf("%.30q: the role is still %+v", line, f.Role())
		}
		await(t, f, litefs.Role{State: litefs.Primary, Host: "me:4001"}) // connected again
	}
}

func TestUnknownEventsAreIgnored(t *testing.T) {
	api := litefstest.Start(t, "me:4001")
	f := mustOpen(t, litefs.Config{URL: api.URL})
	api.Line(`{"type":"new","data":[1]}`)
	api.Primary()
	await(t, f, litefs.Role{State: litefs.Primary})
	if n := api.Streams(); n != 1 {
		t.Errorf("%d streams, want 1", n)
	}
}

// TestInfoDiffers: the lease moved between the two answers, and the event about it is on its way.
func TestInfoDiffers(t *testing.T) {
	api := litefstest.Start(t, "me:4001")
	api.Info(`{"isPrimary":true,"primary":{"hostname":"me:4001"}}`)
	f := mustOpen(t, litefs.Config{URL: api.URL})
	if got := f.Role(); got != (litefs.Role{}) {
		t.Errorf("the role is %+v before the event, want %+v", got, litefs.Role{})
	}
	api.Primary()
	await(t, f, litefs.Role{State: litefs.Primary})
}

func TestBrokenInfo(t *testing.T) {
	api := litefstest.Start(t, "me:4001")
	api.Primary()
	api.Info("no JSON")
	f := mustOpen(t, litefs.Config{URL: api.URL})
	if got := f.Role(); got != (litefs.Role{}) {
		t.Errorf("the role is %+v without /info, want %+v", got, litefs.Role{})
	}
	api.Info("")
	await(t, f, litefs.Role{State: litefs.Primary, Host: "me:4001"})
}

func TestWakeUps(t *testing.T) {
	api := litefstest.Start(t, "me:4001")
	f := mustOpen(t, litefs.Config{URL: api.URL})
	wake, cancel := f.Subscribe()
	other, cancelOther := f.Subscribe()
	defer cancelOther()

	api.Tx("blog.db")
	awaitWake(t, wake)
	awaitWake(t, other)
	api.Primary()
	awaitWake(t, wake)
	await(t, f, litefs.Role{State: litefs.Primary})
	f.Notify()
	awaitWake(t, wake)
	api.Drop()
	await(t, f, litefs.Role{})
	await(t, f, litefs.Role{State: litefs.Primary, Host: "me:4001"})
	awaitWake(t, wake)

	// Nobody looks: the stream is read all the same, far beyond the 1,024 events that LiteFS keeps.
	for range 5000 {
		api.Tx("blog.db")
	}
	api.Replica("a:1")
	await(t, f, litefs.Role{State: litefs.Replica, Host: "a:1", URL: "http://a:1"})
	if n := api.Streams(); n != 1 {
		t.Errorf("%d streams, want 1", n)
	}
	cancel()
	cancel()
}

func TestStatic(t *testing.T) {
	n := litefs.OpenStatic()
	if role := n.Role(); role.State != litefs.Primary || !litefs.Known(role) {
		t.Errorf("a static node is %+v", role)
	}
	wake, stop := n.Subscribe()
	defer stop()
	n.Notify()
	awaitWake(t, wake)
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

func TestNobodyAnswers(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	f := mustOpen(t, litefs.Config{URL: url})
	if got := f.Role(); got != (litefs.Role{}) {
		t.Errorf("without LiteFS the role is %+v, want %+v", got, litefs.Role{})
	}
}

func TestTemplate(t *testing.T) {
	api := litefstest.Start(t, "me")
	api.Replica("10.0.0.1:4001")
	cases := []struct{ template, url, err string }{
		{template: "http://{hostname}", url: "http://10.0.0.1:4001"},
		{template: "https://{hostname}/", url: "https://10.0.0.1:4001"},
		{template: "http://{hostname}.vm.app.internal:4001", err: `"10.0.0.1:4001"`},
		{template: "http://{hostname}:4001", err: `"10.0.0.1:4001"`},
		{template: "http://primary:4001", err: "{hostname}"},
		{template: "", err: "{hostname}"},
		{template: "{hostname}", err: "http://"},
		{template: "ftp://{hostname}", err: "ftp"},
		{template: "http://x/{hostname}", err: "outside its host"},
		{template: "http://u:p@{hostname}", err: "user"},
		{template: "http://{hostname}?x", err: "query"},
		{template: "http://{hostname}:99999", err: "range"},
	}
	for _, c := range cases {
		t.Run(c.template, func(t *testing.T) {
			f, err := litefs.Open(t.Context(), litefs.Config{
				URL: api.URL, PrimaryURL: c.template, Logger: slog.New(slog.DiscardHandler),
			})
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "\n") {
					t.Fatalf("error %v, want one line with %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := f.Role().URL; got != c.url {
				t.Errorf("address %q, want %q", got, c.url)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestHostileHostname: the secret is sent to the address that is made from it.
func TestHostileHostname(t *testing.T) {
	api := litefstest.Start(t, "me")
	f := mustOpen(t, litefs.Config{URL: api.URL})
	for _, host := range []string{"evil.example/x", "u@evil", "a b", "a:1:2", "[::1", "a#", "a?b", "..", "a\r\nb"} {
		api.Replica("good:1")
		await(t, f, litefs.Role{State: litefs.Replica, Host: "good:1", URL: "http://good:1"})
		api.Replica(host)
		await(t, f, litefs.Role{})
	}
	api.Replica("[fdaa::1]:4001")
	await(t, f, litefs.Role{State: litefs.Replica, Host: "[fdaa::1]:4001", URL: "http://[fdaa::1]:4001"})
}

func TestBadURL(t *testing.T) {
	for _, url := range []string{"", "localhost:20202", "http://", ":"} {
		if _, err := litefs.Open(t.Context(), litefs.Config{URL: url, PrimaryURL: "http://{hostname}"}); err == nil {
			t.Errorf("LITEFS_URL %q is taken", url)
		}
	}
}

func TestCheckMountOutside(t *testing.T) {
	err := litefs.CheckMount(t.TempDir() + "/blog.db")
	if err == nil || !strings.Contains(err.Error(), "DATABASE_PATH") || strings.Contains(err.Error(), "\n") {
		t.Errorf("a plain folder: %v, want an error, with %q and without %q", err, "DATABASE_PATH", "\n")
	}
	if err := litefs.CheckMount(t.TempDir() + "/missing/blog.db"); err == nil {
		t.Error("a missing folder passes")
	}
}

// lockedBuffer is a buffer that a logger and a test share.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
