package accounts_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blog/internal/accounts"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// world is a primary and a replica in one process, on one file.
type world struct {
	clock   *repotest.Clock
	path    string
	node    *repotest.Node // the replica's
	primary *repo.Repo
	replica *repo.Repo
	hasher  *accounts.Hasher
	limiter *accounts.Limiter
}

// cheap returns a low cost, to keep the tests fast. No test depends on the cost.
func cheap() accounts.Params { return accounts.Params{Memory: 64, Time: 1, Threads: 1} }

func mustWorld(tb testing.TB, tasks ...repo.Task) *world {
	tb.Helper()
	// Calls have real deadlines, so the clock starts at the real time.
	c := repotest.NewClock(time.Now().UTC().Truncate(time.Second))
	w := &world{clock: c, hasher: accounts.NewHasher(cheap()), limiter: accounts.NewLimiter(c.Now)}
	w.path = filepath.Join(tb.TempDir(), "blog.db")
	w.primary, w.replica, w.node = repotest.MustPair(tb, repo.Options{
		Path: w.path, Registry: repotest.MustRegistry(tb, accounts.Commands()),
		Now: c.Now, Authorize: accounts.Authorize, Tasks: tasks,
	})
	return w
}

func (w *world) service(r *repo.Repo) *accounts.Service {
	return accounts.NewService(r, w.hasher, w.limiter, w.clock.Now)
}

const (
	email    = "ada@example.org"
	password = "a long sentence that nobody guesses"

	changedTo = "a new long sentence"
	mistyped  = "a wrong sentence"
)

// mustUser makes ada and returns her id.
func mustUser(tb testing.TB, w *world) int64 {
	tb.Helper()
	ref, _, err := accounts.AddUser(tb.Context(), w.primary, w.hasher, accounts.NewUser{
		Email: email, Name: "Ada", Password: password, Key: "ada",
	})
	if err != nil {
		tb.Fatal(err)
	}
	return ref.ID
}

// mustLogin signs ada in and returns the context of her session and its token.
func mustLogin(tb testing.TB, w *world) (context.Context, string) {
	tb.Helper()
	s, err := w.service(w.primary).Login(tb.Context(), accounts.LoginInput{Email: email, Password: password})
	if err != nil {
		tb.Fatal(err)
	}
	return w.as(tb, s.Token), s.Token
}

// as returns the context of the session with token.
func (w *world) as(tb testing.TB, token string) context.Context {
	tb.Helper()
	_, session, err := w.service(w.primary).Session(tb.Context(), token)
	if err != nil {
		tb.Fatal(err)
	}
	return repo.As(tb.Context(), session.Actor())
}

// mustDump returns the rows of the package's tables, one per line.
func mustDump(tb testing.TB, r *repo.Repo) string {
	tb.Helper()
	var out strings.Builder
	err := r.View(tb.Context(), func(rd repo.Reader) error {
		out.Reset()
		for _, q := range []string{
			"SELECT concat_ws(' ', id, email, name, password_hash, password_revision) FROM users ORDER BY id",
			"SELECT token_hash || ' ' || user_id || ' ' || user_agent || ' ' || (julianday(expires_at) - " +
				"julianday(created_at)) FROM sessions ORDER BY token_hash",
			"SELECT token_hash FROM setup ORDER BY id",
			"SELECT name || ' ' || actor || ' ' || topics FROM writes ORDER BY seq",
		} {
			if err := dump(tb.Context(), &out, rd, q); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out.String()
}

func dump(ctx context.Context, out *strings.Builder, rd repo.Reader, query string) error {
	rows, err := rd.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return err
		}
		fmt.Fprintln(out, line)
	}
	return rows.Err()
}
