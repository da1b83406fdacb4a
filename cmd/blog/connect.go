package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"blog/internal/accounts"
	"blog/internal/app"
	"blog/internal/apperr"
	"blog/internal/clock"
	"blog/internal/litefs"
	"blog/internal/repo"
	"blog/internal/transport"
	"blog/migrations"
)

// operator returns the context for writes of the command line.
func (s *session) operator() context.Context {
	return repo.As(s.ctx, repo.Actor{Name: repo.Operator})
}

// write calls fn with a Writer: the server of this machine or, when none runs and there is no
// LiteFS, the database itself, under its lock.
func (s *session) write(fn func(w repo.Writer) error) (err error) {
	if s.config.UnderLiteFS() {
		return s.writeThere(fn)
	}
	lock, err := s.lockOrServer()
	if err != nil {
		return err
	}
	if lock == nil {
		return s.writeThere(fn)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	r, err := s.openLocal()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return s.noted(r, fn)
}

// writeThere calls fn with the server of this machine as the Writer.
func (s *session) writeThere(fn func(w repo.Writer) error) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	return s.noted(client, fn)
}

// noted calls fn with w. It prints a line when what was saved, or what a refusal rests on, is on
// the primary alone.
func (s *session) noted(w repo.Writer, fn func(w repo.Writer) error) error {
	to := &noting{Writer: w}
	err := fn(to)
	if err != nil {
		s.refusal = to.assurance
	}
	switch {
	case s.json:
	case to.alone:
		_, _ = fmt.Fprintln(s.err,
			"blog: the primary alone has this: no standby is there to have it too. `blog status` says more.")
	case err != nil && to.assurance == repo.Alone:
		_, _ = fmt.Fprintln(s.err,
			"blog: the primary alone says so: no standby is there to have what this rests on. `blog status` says more.")
	}
	return err
}

// noting is a Writer that notes the assurance of answers. Several goroutines may call it at once,
// as they do when a picture's chunks are sent.
type noting struct {
	repo.Writer
	mu        sync.Mutex     // guards the fields below
	assurance repo.Assurance // of the last answer, also of a refusal
	alone     bool           // whether something that was saved is on the primary alone
}

// Call implements repo.Writer.
func (n *noting) Call(ctx context.Context, call *repo.Call) error {
	err := n.Writer.Call(ctx, call)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.assurance = call.Reply.Assurance
	n.alone = n.alone || err == nil && n.assurance == repo.Alone
	return err
}

// lockOrServer acquires the lock of a plain database, and waits for a command that has it. It
// returns nil when a server has the lock, and fails with Unavailable when a command does not
// release it.
func (s *session) lockOrServer() (*app.Lock, error) {
	lock, err := app.AwaitLock(s.ctx, s.config.DatabasePath)
	switch {
	case !errors.Is(err, app.ErrLocked):
		return lock, err
	case app.Announced(s.config.DatabasePath) != "":
		return nil, nil // a server has the lock
	}
	return nil, apperr.Errorf(apperr.Unavailable, "Another command has %s: wait for its end.", s.config.DatabasePath)
}

// base returns the base address at which this machine's server accepts calls. The server of a plain
// database has written it into the lock's file.
func (s *session) base() string {
	if !s.config.UnderLiteFS() {
		if base := app.Announced(s.config.DatabasePath); base != "" {
			return base
		}
	}
	return app.Reach(s.config.PrivateAddr)
}

// transport returns a client for this machine's server. It fails with Unavailable when there is no
// secret for it.
func (s *session) transport() (*transport.Client, error) {
	if s.config.UnderLiteFS() && s.config.ClusterSecret == "" {
		return nil, apperr.Errorf(apperr.Unavailable,
			"CLUSTER_SECRET is not set: set it as it is set for this machine's server.")
	}
	secret, err := s.config.Secret()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, apperr.Errorf(apperr.Unavailable, "No server has run on %s yet: start it with `blog serve`.",
			s.config.DatabasePath)
	}
	if err != nil {
		return nil, err
	}
	return transport.NewClient(secret), nil
}

func (s *session) client() (*repo.Client, error) {
	t, err := s.transport()
	if err != nil {
		return nil, err
	}
	return repo.NewClient(s.base(), t), nil
}

// location returns the time zone of days and of dates that name none. It is the zone of the server
// where one runs, since pages show days in that zone and the operator's environment may differ. A
// server that does not answer accepts no write either.
func (s *session) location() (*time.Location, error) {
	c := s.config
	if c.UnderLiteFS() || app.Announced(c.DatabasePath) != "" {
		if st, err := s.server(); err == nil && st.Zone != "" {
			c.Timezone = st.Zone
		}
	}
	return c.Location()
}

// openLocal opens a plain database for writing. The caller has the lock. It runs no tasks, so the
// next server releases the posts that are due.
func (s *session) openLocal() (*repo.Repo, error) {
	registry, err := app.Registry()
	if err != nil {
		return nil, fmt.Errorf("register commands: %w", err)
	}
	log := slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	now := clock.OpenPlain(clock.Machine(), log)
	r, err := repo.Open(s.ctx, repo.Options{
		Path: s.config.DatabasePath, Node: litefs.OpenStatic(), Registry: registry, Migrations: migrations.FS,
		Transport: transport.NewClient(""), Now: now.Now, Dated: now.Dated, ResetClock: now.Reset, Logger: log,
		Authorize: accounts.Authorize,
	})
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return r, nil
}

// view calls fn with a function that reads this machine's own copy. A server may have the copy open
// at the same time. It fails with NotFound when there is no database.
func (s *session) view(fn func(view viewFunc) error) (err error) {
	if s.config.LiteFSURL != "" {
		// A wrong path would look like a database that has not arrived yet.
		if err = litefs.CheckMount(s.config.DatabasePath); err != nil {
			return apperr.Errorf(apperr.Unavailable, "%s.", strings.TrimPrefix(err.Error(), "litefs: "))
		}
	}
	if !s.config.UnderLiteFS() {
		if _, err = os.Stat(s.config.DatabasePath); errors.Is(err, fs.ErrNotExist) {
			return apperr.Errorf(apperr.NotFound,
				"There is no database at %s: DATABASE_PATH names another one, or `blog serve` makes it.", s.config.DatabasePath)
		}
		lock, lerr := s.lockOrServer()
		if lerr != nil {
			return lerr
		}
		if lock != nil {
			defer func() { err = errors.Join(err, lock.Close()) }()
		}
	}
	r, err := repo.OpenReader(s.config.DatabasePath)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return fn(r.View)
}

// viewFunc runs fn in a short read transaction.
type viewFunc func(ctx context.Context, fn func(rd repo.Reader) error) error

// read calls fn in one read transaction on this machine's own copy.
func (s *session) read(fn func(rd repo.Reader) error) error {
	return s.view(func(view viewFunc) error { return view(s.ctx, fn) })
}
