package dates_test

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"blog/internal/accounts"
	"blog/internal/clock"
	"blog/internal/dates"
	"blog/internal/media"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

const (
	patience = 20 * time.Second
	years    = 10 * 365 * 24 * time.Hour
	email    = "ada@example.org"
	password = "a long sentence that nobody guesses"
)

// world is a primary and a replica on one file, each with the clocks of a machine of its own. It
// has a post, a session, a picture and a key that a wrong clock would spoil.
type world struct {
	path                string
	ctx                 context.Context
	machine, replicas   *repotest.Machine
	clock, replicaClock *clock.Clock
	primary, replica    *repo.Repo
	hasher              *accounts.Hasher
	post                posts.Ref
	due                 time.Time
	token, picture      string
	receipt             repo.Receipt
}

// mustWorld returns a world whose clocks are right.
func mustWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		path: filepath.Join(t.TempDir(), "blog.db"), ctx: repotest.As(t.Context(), repo.Operator),
		machine: repotest.NewMachine(0), replicas: repotest.NewMachine(0),
		hasher: accounts.NewHasher(accounts.Params{Memory: 64, Time: 1, Threads: 1}),
	}
	discard := slog.New(slog.DiscardHandler)
	w.clock, w.replicaClock = clock.OpenPlain(w.machine.Read, discard), clock.OpenPlain(w.replicas.Read, discard)
	w.primary, w.replica, _ = repotest.MustPair(t, repo.Options{
		Path:     w.path,
		Registry: repotest.MustRegistry(t, posts.Commands(), accounts.Commands(), media.Commands(), dates.Commands()),
		Now:      w.clock.Now, Dated: w.clock.Dated, ResetClock: w.clock.Reset, Authorize: accounts.Authorize,
	})
	ada := accounts.NewUser{Email: email, Name: "Ada", Password: password, Key: "ada"}
	if _, _, err := accounts.AddUser(t.Context(), w.primary, w.hasher, ada); err != nil {
		t.Fatal(err)
	}
	w.due = w.machine.Truth().Add(48 * time.Hour)
	w.post = w.must(t, posts.Create{Title: "Later", Publish: true, PublishedAt: &w.due})
	signed, err := w.service(w.primary, w.clock).Login(t.Context(), accounts.LoginInput{Email: email, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	w.token = signed.Token
	var img bytes.Buffer
	if err = png.Encode(&img, image.NewGray(image.Rect(0, 0, 3, 3))); err != nil {
		t.Fatal(err)
	}
	pic, err := media.Upload(w.ctx, w.primary, img.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	w.picture = pic.Hash
	return w
}

func (w *world) service(r *repo.Repo, c *clock.Clock) *accounts.Service {
	return accounts.NewService(r, w.hasher, accounts.NewLimiter(time.Now), c.Now)
}

func (w *world) must(t *testing.T, cmd repo.Command[posts.Ref], opts ...repo.Option) posts.Ref {
	t.Helper()
	ref, receipt, err := repo.Do(w.ctx, w.primary, cmd, opts...)
	if err != nil {
		t.Fatal(err)
	}
	w.receipt = receipt
	return ref
}

// tasks runs the primary's tasks until ok.
func (w *world) tasks(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(repotest.As(t.Context(), repo.System))
	discard := slog.New(slog.DiscardHandler)
	ended := make(chan struct{}, 2)
	for _, task := range []repo.Task{posts.Releaser(discard, w.clock.Now), media.Sweeper(discard, w.clock.Now)} {
		go func() { task(ctx, w.primary); ended <- struct{}{} }()
	}
	defer func() { cancel(); <-ended; <-ended }()
	repotest.Eventually(t, patience, what, ok)
}

func (w *world) state(t *testing.T, id int64) posts.State {
	t.Helper()
	var p posts.Post
	err := w.primary.View(w.ctx, func(rd repo.Reader) (err error) {
		p, err = posts.ByID(w.ctx, rd, id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return p.State
}

func (w *world) count(t *testing.T, query string, args ...any) int {
	t.Helper()
	var n int
	err := w.primary.View(w.ctx, func(rd repo.Reader) error { return rd.QueryRowContext(w.ctx, query, args...).Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// alive reports whether the session has not ended, for readers of r.
func (w *world) alive(t *testing.T, r *repo.Repo, c *clock.Clock) bool {
	t.Helper()
	_, _, err := w.service(r, c).Session(t.Context(), w.token)
	return err == nil
}
