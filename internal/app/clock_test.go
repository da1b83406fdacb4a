package app_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blog/internal/accounts"
	"blog/internal/app"
	"blog/internal/apperr"
	"blog/internal/dates"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// TestServerWhoseClockJumps: after the machine's clock was set forward, a whole server with its
// tasks continues with the time that it had. Status and metrics report the jump, and readers stay
// signed in.
func TestServerWhoseClockJumps(t *testing.T) {
	m := repotest.NewMachine(0)
	s, path := mustOpenByClock(t, m)
	ctx := repotest.As(t.Context(), repo.Operator)
	token := mustSession(t, s, path, m.Truth())
	due := m.Truth().Add(time.Hour)
	later, err := repo.Write(ctx, s.Repo, posts.Create{Title: "Later", Publish: true, PublishedAt: &due})
	if err != nil {
		t.Fatal(err)
	}

	m.Set(10 * 365 * 24 * time.Hour)
	soon := m.Truth().Add(time.Second)
	second, err := repo.Write(ctx, s.Repo, posts.Create{Title: "Soon", Publish: true, PublishedAt: &soon})
	if err != nil {
		t.Fatal(err)
	}
	m.Pass(2 * time.Second)
	if _, err := repo.Write(ctx, s.Repo, posts.Create{Title: "Wakes the releaser"}); err != nil {
		t.Fatal(err)
	}
	repotest.Eventually(t, 20*time.Second, "what is due is out", func() bool {
		return mustState(t, s, second.ID) == posts.Published
	})
	if got := mustState(t, s, later.ID); got != posts.Scheduled {
		t.Errorf("a post of in an hour is %s, want %v", got, posts.Scheduled)
	}
	if status := admin(t, s, token); status != http.StatusOK {
		t.Errorf("who was signed in gets %d, want %d", status, http.StatusOK)
	}
	if problem := s.Status(ctx).Problem; !strings.Contains(problem, "which is wrong by") {
		t.Errorf("the status says %q, want with %q", problem, "which is wrong by")
	}
	wantMetric(t, s, "blog_clock_believed 0")
	wantMetric(t, s, fmt.Sprintf("blog_clock_apart_seconds %g", (10*365*24*time.Hour).Seconds()))
	if _, err := repo.Write(ctx, s.Repo, dates.Reset{}); !apperr.HasReason(err, apperr.ClockDoubted) {
		t.Errorf("reset by a clock in doubt: %v, want the reason %v", err, apperr.ClockDoubted)
	}
	m.Set(0)
	wantMetric(t, s, "blog_clock_believed 1")
	if problem := s.Status(ctx).Problem; problem != "" {
		t.Errorf("mended, and the status says %q, want none", problem)
	}
}

// mustOpenByClock starts a node with the clocks of m, and returns it with the path of its database.
func mustOpenByClock(t *testing.T, m *repotest.Machine) (*app.Server, string) {
	t.Helper()
	c := app.Config{
		DatabasePath: filepath.Join(t.TempDir(), "blog.db"), ListenAddr: "127.0.0.1:0", PrivateAddr: "127.0.0.1:0",
	}
	s, err := app.Open(t.Context(), c, app.Options{
		Logger: slog.New(slog.DiscardHandler), Out: io.Discard, Version: "test", Clock: m.Read,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustClose(t, s) })
	return s, c.DatabasePath
}

// mustSession makes an author with a session that began at the time now, and returns its token.
func mustSession(t *testing.T, s *app.Server, path string, now time.Time) string {
	t.Helper()
	ctx := repotest.As(t.Context(), repo.Operator)
	ref, _, err := accounts.AddUser(ctx, s.Repo, accounts.NewHasher(accounts.Params{Memory: 64, Time: 1, Threads: 1}),
		accounts.NewUser{Email: "ada@example.org", Name: "Ada", Password: "a long sentence that nobody guesses", Key: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	token := accounts.NewToken()
	repotest.MustExec(t, path,
		"INSERT INTO sessions (token_hash, user_id, created_at, expires_at) VALUES (?, ?, ?, ?)",
		accounts.HashToken(token), ref.ID, repo.FormatTime(now), repo.FormatTime(now.Add(accounts.SessionLife)))
	return token
}

// mustState returns the state of the post with this id.
func mustState(t *testing.T, s *app.Server, id int64) (state posts.State) {
	t.Helper()
	err := s.Repo.View(t.Context(), func(rd repo.Reader) error {
		p, err := posts.ByID(t.Context(), rd, id)
		state = p.State
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// admin requests the page for signed-in users and returns its status.
func admin(t *testing.T, s *app.Server, token string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.PublicAddr.String()+"/admin", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.AddCookie(&http.Cookie{Name: "session", Value: token}) // #nosec G124 -- a cookie in a request has no attributes
	res, err := http.DefaultTransport.RoundTrip(req)           // does not follow redirects
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	return res.StatusCode
}

func wantMetric(t *testing.T, s *app.Server, line string) {
	t.Helper()
	if _, text := get(t, "http://"+s.PrivateAddr.String()+"/metrics"); !strings.Contains(text, "\n"+line+"\n") {
		t.Errorf("no %q in the metrics", line)
	}
}
