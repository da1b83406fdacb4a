package app_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"blog/internal/app"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// fast is the pace of the watch. The time of the tests is that of the checks themselves.
const fast = 10 * time.Millisecond

// mustEnd runs a node until it ends by itself or work returns, and returns its error.
func mustEnd(
	t *testing.T, canary func(context.Context, *app.Server) error,
	work func(ctx context.Context, s *app.Server, path string),
) error {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	defer end()
	c := app.Config{
		DatabasePath: filepath.Join(t.TempDir(), "blog.db"), ListenAddr: "127.0.0.1:0", PrivateAddr: "127.0.0.1:0",
	}
	var working sync.WaitGroup
	err := app.RunWatched(ctx, c, app.Options{
		Logger: slog.New(slog.DiscardHandler), Out: io.Discard,
	}, func(s *app.Server) {
		working.Go(func() { defer end(); work(ctx, s, c.DatabasePath) })
	}, fast, canary)
	end()
	working.Wait()
	return err
}

// longest is when work gives up waiting for the node to end.
const longest = time.Minute

func wait(ctx context.Context) {
	select {
	case <-time.After(longest):
	case <-ctx.Done():
	}
}

// TestEndsWhenItCannotWrite: a node ends when another process has the lock of the database and does
// not release it.
func TestEndsWhenItCannotWrite(t *testing.T) {
	t.Parallel()
	locked := make(chan struct{})
	err := mustEnd(t, func(ctx context.Context, s *app.Server) error {
		<-locked
		return app.Begin(ctx, s)
	}, func(ctx context.Context, _ *app.Server, path string) {
		_, err := repotest.MustRaw(t, path).BeginTx(ctx, nil) // immediate, and rolled back when ctx ends
		close(locked)
		if err != nil {
			t.Error(err)
		}
		wait(ctx) // each check takes 5 s, until SQLite says that it is busy
	})
	if !errors.Is(err, app.ErrBroken) {
		t.Errorf("it ended with %v, want %v", err, app.ErrBroken)
	}
}

// TestEndsWhenItsMountIsGone: a node ends when the folder of the database is no longer LiteFS's.
func TestEndsWhenItsMountIsGone(t *testing.T) {
	t.Parallel()
	err := mustEnd(t, app.Canary, func(ctx context.Context, _ *app.Server, _ string) { wait(ctx) })
	if !errors.Is(err, app.ErrBroken) {
		t.Errorf("it ended with %v, want %v", err, app.ErrBroken)
	}
}

// TestOverloadEndsNothing: writes queue up for the one connection, so a check may not get its turn,
// and some checks fail. The node does not end.
func TestOverloadEndsNothing(t *testing.T) {
	t.Parallel()
	var checks atomic.Int64
	err := mustEnd(t, func(ctx context.Context, s *app.Server) error {
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		if err := app.Begin(short, s); err != nil {
			return err
		}
		if checks.Add(1)%5 != 0 { // four in a row fail
			return errors.New("for a moment")
		}
		return nil
	}, func(ctx context.Context, s *app.Server, _ string) {
		var writers sync.WaitGroup
		for range 32 {
			writers.Go(func() {
				for checks.Load() < 40 && ctx.Err() == nil {
					// The write is refused inside its transaction, because there is no author yet.
					_, _ = repo.Write(repotest.As(ctx, repo.Operator), s.Repo, posts.Create{Title: "Post", Body: "Text."})
				}
			})
		}
		writers.Wait()
	})
	if err != nil || checks.Load() < 40 {
		t.Errorf("after %d looks it ended with %v, want no error and at least 40", checks.Load(), err)
	}
}
