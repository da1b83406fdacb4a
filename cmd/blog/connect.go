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
	"blog/internal/clock"
	"blog/internal/litefs"
	"blog/internal/repo"
	"blog/migrations"
)

// operator returns the context of writes from the command line.
func (s *session) operator() context.Context {
	return repo.As(s.ctx, repo.Actor{Name: repo.Operator})
}

// write calls fn with what carries writes: the server of this machine, or, when
// none runs and there is no LiteFS, the database itself, locked.
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

// writeThere is write by the server of this machine.
func (s *session) writeThere(fn func(w repo.Writer) error) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	return s.noted(client, fn)
}

// noted calls fn with w, and says when what was saved, or what a refusal rests on, is on
// one node alone.
func (s *session) noted(w repo.Writer, fn func(w repo.Writer) error) error {
	to := &noting{Writer: w}
	err := fn(to)
	if err != nil {
		s.refusal = to.rests
	}
	switch {
	case s.json:
	case to.alone:
		_, _ = fmt.Fprintln(s.err, "blog: the primary alone has this: no standby is there to have it too. `blog status` says more.")
	case err != nil && to.rests == repo.Alone:
		_, _ = fmt.Fprintln(s.err, "blog: the primary alone says so: no standby is there to have what this rests on. `blog status` says more.")
	}
	return err
}

// noting is a Writer that notes what answers rest on. It may be called by several
// goroutines at once, as a picture's chunks are sent.
type noting struct {
	repo.Writer
	mu    sync.Mutex     // guards the fields below
	rests repo.Assurance // the last answer, a refusal too
	alone bool           // something that was saved is on one node alone
}

// Call implements repo.Writer.
func (n *noting) Call(ctx context.Context, call *repo.Call) error {
	err := n.Writer.Call(ctx, call)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rests = call.Reply.Assurance
	n.alone = n.alone || err == nil && n.rests == repo.Alone
	return err
}

// lockOrServer takes the lock of a plain database, or returns nil when a server
// has it. A command that has it is waited for.
func (s *session) lockOrServer() (*app.Lock, error) {
	lock, err := app.AwaitLock(s.ctx, s.config.DatabasePath)
	switch {
	case !errors.Is(err, app.ErrLocked):
		return lock, err
	case app.Announced(s.config.DatabasePath) != "":
		return nil, nil // no lock: a server has it
	}
	return nil, repo.Errorf(repo.Unavailable, "Another command has %s: wait for its end.", s.config.DatabasePath)
}

// base is where this machine's server takes calls. A server on a plain database
// has said so itself.
func (s *session) base() string {
	if !s.config.UnderLiteFS() {
		if base := app.Announced(s.config.DatabasePath); base != "" {
			return base
		}
	}
	return app.Reach(s.config.PrivateAddr)
}

func (s *session) transport() (*repo.Transport, error) {
	if s.config.UnderLiteFS() && s.config.ClusterSecret == "" {
		return nil, repo.Errorf(repo.Unavailable, "CLUSTER_SECRET is not set: set it as it is set for this machine's server.")
	}
	secret, err := s.config.Secret()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, repo.Errorf(repo.Unavailable, "No server has run on %s yet: start it with `blog serve`.", s.config.DatabasePath)
	}
	if err != nil {
		return nil, err
	}
	return repo.NewTransport(secret), nil
}

func (s *session) client() (*repo.Client, error) {
	t, err := s.transport()
	if err != nil {
		return nil, err
	}
	return repo.NewClient(s.base(), t), nil
}

// location is the zone of days and of dates that name none. Pages show days in
// the server's, so where one runs its word counts: whoever types here may have
// another environment. One that does not answer takes no write either.
func (s *session) location() (*time.Location, error) {
	c := s.config
	if c.UnderLiteFS() || app.Announced(c.DatabasePath) != "" {
		if st, err := s.server(); err == nil && st.Zone != "" {
			c.Timezone = st.Zone
		}
	}
	return c.Location()
}

// openLocal opens a plain database for writing. The caller has the lock. What is
// due is released by the next server.
func (s *session) openLocal() (*repo.Repo, error) {
	registry, err := app.Registry()
	if err != nil {
		return nil, fmt.Errorf("register commands: %w", err)
	}
	log := slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	now := clock.OpenPlain(clock.Machine(), log)
	r, err := repo.Open(s.ctx, repo.Options{
		Path: s.config.DatabasePath, Node: litefs.OpenStatic(), Registry: registry, Migrations: migrations.FS,
		Transport: repo.NewTransport(""), Now: now.Now, Dated: now.Dated, ResetClock: now.Reset, Logger: log,
		Authorize: accounts.Authorize,
	})
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return r, nil
}

// view gives fn a way to read this machine's own copy, beside the server that
// may have it open.
func (s *session) view(fn func(view viewFunc) error) (err error) {
	if s.config.LiteFSURL != "" {
		// A wrong path would look like a database that has not arrived yet.
		if err = litefs.CheckMount(s.config.DatabasePath); err != nil {
			return repo.Errorf(repo.Unavailable, "%s.", strings.TrimPrefix(err.Error(), "litefs: "))
		}
	}
	if !s.config.UnderLiteFS() {
		if _, err = os.Stat(s.config.DatabasePath); errors.Is(err, fs.ErrNotExist) {
			return repo.Errorf(repo.NotFound, "There is no database at %s: DATABASE_PATH names another one, or `blog serve` makes it.", s.config.DatabasePath)
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

// read is view for one transaction.
func (s *session) read(fn func(rd repo.Reader) error) error {
	return s.view(func(view viewFunc) error { return view(s.ctx, fn) })
}
