package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"blog/internal/app"
	"blog/internal/apperr"
	"blog/internal/live"
	"blog/internal/transport"
)

// mustOpen starts a node on free ports.
func mustOpen(t *testing.T, c app.Config) *app.Server {
	t.Helper()
	if c.DatabasePath == "" {
		c.DatabasePath = filepath.Join(t.TempDir(), "blog.db")
	}
	c.ListenAddr, c.PrivateAddr = "127.0.0.1:0", "127.0.0.1:0"
	s, err := app.Open(t.Context(), c, app.Options{
		Logger: slog.New(slog.DiscardHandler), Out: io.Discard, Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustClose(t *testing.T, s *app.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

func TestOpenServesAndCloses(t *testing.T) {
	dir := t.TempDir()
	c := app.Config{DatabasePath: filepath.Join(dir, "deep", "blog.db")}
	s := mustOpen(t, c)
	public := "http://" + s.PublicAddr.String()
	if !strings.HasSuffix(s.PublicURL.Host, s.PublicAddr.String()[strings.LastIndex(s.PublicAddr.String(), ":"):]) {
		t.Errorf("public address %s, listening on %s", s.PublicURL, s.PublicAddr)
	}
	if status, _ := get(t, public+"/"); status != http.StatusOK {
		t.Errorf("home page: %d, want %d", status, http.StatusOK)
	}
	if _, err := app.AcquireLock(c.DatabasePath); !errors.Is(err, app.ErrLocked) {
		t.Errorf("lock beside a running server: %v, want %v", err, app.ErrLocked)
	}
	if got := app.Announced(c.DatabasePath); got != "http://"+s.PrivateAddr.String() {
		t.Errorf("announced %q, want %q", got, "http://"+s.PrivateAddr.String())
	}
	mustClose(t, s)
	if _, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.PublicAddr.String()); err == nil {
		t.Error("it still listens")
	}
	lock, err := app.AcquireLock(c.DatabasePath)
	if err != nil {
		t.Fatalf("lock after the end: %v", err)
	}
	if got := app.Announced(c.DatabasePath); got != "" {
		t.Errorf("still announced: %q, want none", got)
	}
	if err := lock.Close(); err != nil {
		t.Error(err)
	}
	// The token stays the same, so signed cookies stay valid.
	again := mustOpen(t, c)
	if again.Secret != s.Secret || len(again.Secret) < 32 {
		t.Errorf("after a restart a token of %d bytes, the same: %t, want the same of at least 32", len(again.Secret),
			again.Secret == s.Secret)
	}
	mustClose(t, again)
}

// TestTokenIsTheOwnersAlone: a token file that others can read gets mode 0600.
func TestTokenIsTheOwnersAlone(t *testing.T) {
	c := app.Config{DatabasePath: filepath.Join(t.TempDir(), "blog.db")}
	token := c.DatabasePath + ".token"
	const secret = "0123456789abcdef0123456789abcdef"
	if err := os.WriteFile(token, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(token, 0o644); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, c)
	defer mustClose(t, s)
	info, err := os.Stat(token)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("token: %v %v, want no error and the mode 0600", info, err)
	}
	if s.Secret != secret {
		t.Errorf("the token is %q, want the file's %q", s.Secret, secret)
	}
}

// TestCloseEndsSockets: sockets get the close frame of a server that goes away.
func TestCloseEndsSockets(t *testing.T) {
	s := mustOpen(t, app.Config{})
	ws, res, err := websocket.Dial(t.Context(), "ws://"+s.PublicAddr.String()+"/live?topics=posts&after=0", nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.Body != nil {
		_ = res.Body.Close()
	}
	if _, _, err := ws.Read(t.Context()); err != nil { // hello
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		for {
			if _, _, err := ws.Read(context.WithoutCancel(t.Context())); err != nil {
				ended <- err
				return
			}
		}
	}()
	mustClose(t, s)
	if err := <-ended; websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the socket ended with %v, want %v", err, websocket.StatusGoingAway)
	}
}

// TestTheHubIsInformedLast: whoever fetches a page because of a frame is to be served by a cache that knows of the row.
func TestTheHubIsInformedLast(t *testing.T) {
	s := mustOpen(t, app.Config{})
	defer mustClose(t, s)
	tails := s.Tails()
	for i, tail := range tails {
		if _, hub := tail.(*live.Hub); hub != (i == len(tails)-1) {
			t.Errorf("tail %d of %d is a %T", i+1, len(tails), tail)
		}
	}
}

// TestSocketsOfAnEncryptedSite: pages of the site may open sockets. A page that has its host but no
// encryption may not.
func TestSocketsOfAnEncryptedSite(t *testing.T) {
	s := mustOpen(t, app.Config{PublicURL: "https://blog.example"})
	defer mustClose(t, s)
	here := s.PublicAddr.String()
	for _, c := range []struct {
		origin, host string
		welcome      bool
	}{
		{"https://blog.example", "blog.example", true},
		{"https://blog.example", here, true}, // a proxy that sets Host
		{"http://" + here, here, true},
		{"http://blog.example", "blog.example", false},
		{"http://Blog.example", "blog.example", false},
		{"http://blog.example", here, false},
		{"https://other.example", here, false},
	} {
		ws, res, err := websocket.Dial(t.Context(), "ws://"+here+"/live?topics=posts&after=0", &websocket.DialOptions{
			Host: c.host, HTTPHeader: http.Header{"Origin": {c.origin}},
		})
		if res != nil && res.Body != nil {
			_ = res.Body.Close()
		}
		if (err == nil) != c.welcome {
			t.Errorf("page of %s, Host %s: %v", c.origin, c.host, err)
		}
		if err == nil {
			_ = ws.CloseNow()
		}
	}
}

func TestPrivateListenerKnowsItsCallers(t *testing.T) {
	s := mustOpen(t, app.Config{Node: "n1", Region: "ams", Timezone: "Asia/Tokyo"})
	defer mustClose(t, s)
	base := "http://" + s.PrivateAddr.String()
	var st app.Status
	if err := transport.NewClient(s.Secret).Ask(t.Context(), base, app.PathStatus, &st); err != nil {
		t.Fatal(err)
	}
	if st.Node != "n1" || st.Region != "ams" || st.Role != "primary" || !st.Ready || st.Version != "test" ||
		st.Zone != "Asia/Tokyo" {
		t.Errorf("status: %+v, want Node %q, Region %q, Role %q, Ready true, Version %q and Zone %q", st, "n1", "ams",
			"primary", "test", "Asia/Tokyo")
	}
	err := transport.NewClient("not the secret").Ask(t.Context(), base, app.PathStatus, &st)
	if !apperr.HasReason(err, apperr.BadSecret) {
		t.Errorf("a wrong secret: %v, want the reason %v", err, apperr.BadSecret)
	}
	status, text := get(t, base+"/internal/status")
	var refused struct {
		Error apperr.Error `json:"error"`
	}
	if err := json.Unmarshal([]byte(text), &refused); err != nil || status != http.StatusUnauthorized ||
		refused.Error.Reason != apperr.BadSecret {
		t.Errorf("no secret: %d %s %v, want %d and the reason %s", status, text, err, http.StatusUnauthorized,
			apperr.BadSecret)
	}
	if status, text := get(t, base+"/metrics"); status != http.StatusOK || !strings.Contains(text, "blog_seq") {
		t.Errorf("metrics: %d, %v, want %d and with %q", status, text, http.StatusOK, "blog_seq")
	}
}

// TestRunEndsWithItsContext: Run ends without an error when its context ends, as at SIGTERM.
func TestRunEndsWithItsContext(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	c := app.Config{
		DatabasePath: filepath.Join(t.TempDir(), "blog.db"), ListenAddr: "127.0.0.1:0", PrivateAddr: "127.0.0.1:0",
	}
	err := app.Run(ctx, c, app.Options{Logger: slog.New(slog.DiscardHandler), Out: io.Discard}, func(*app.Server) {
		stop()
	})
	if err != nil {
		t.Error(err)
	}
}

// TestRunEndsAlthoughSomethingHangs: Run ends, with the real clock and the whole server, although
// closing hangs. The end of the process releases the lease.
func TestRunEndsAlthoughSomethingHangs(t *testing.T) {
	t.Parallel() // most of its time is waiting
	ctx, stop := context.WithCancel(t.Context())
	release := make(chan struct{})
	defer close(release)
	c := app.Config{
		DatabasePath: filepath.Join(t.TempDir(), "blog.db"), ListenAddr: "127.0.0.1:0", PrivateAddr: "127.0.0.1:0",
	}
	var start time.Time
	err := app.Run(ctx, c, app.Options{Logger: slog.New(slog.DiscardHandler), Out: io.Discard}, func(s *app.Server) {
		s.Hang(release)
		start = time.Now()
		stop()
	})
	if !errors.Is(err, app.ErrUnclosed) {
		t.Errorf("%v, want %v", err, app.ErrUnclosed)
	}
	// TestTimesOfLeaving checks the 8 s. A busy machine may need longer, but not so long that the
	// process would be killed.
	const killTimeout = 10 * time.Second
	if took := time.Since(start); took >= killTimeout {
		t.Errorf("it ended after %s, and would have been killed at %s", took, killTimeout)
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}
