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

// fast is the pace of the watch: the looks themselves take the time.
const fast = 10 * time.Millisecond

// mustEnd runs a node until it ends by itself or work does, and returns why it ended.
func mustEnd(t *testing.T, canary func(context.Context, *app.Server) error, work func(ctx context.Context, s *app.Server, path string)) error {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	defer end()
	c := app.Config{DatabasePath: filepath.Join(t.TempDir(), "blog.db"), ListenAddr: "127.0.0.1:0", PrivateAddr: "127.0.0.1:0"}
	var working sync.WaitGroup
	err := app.RunWatched(ctx, c, app.Options{Logger: slog.New(slog.DiscardHandler), Out: io.Discard}, func(s *app.Server) {
		working.Go(func() { defer end(); work(ctx, s, c.DatabasePath) })
	}, fast, canary)
	end()
	working.Wait()
	return err
}

// longest is when work that should end the node gives up.
const longest = time.Minute

func wait(ctx context.Context) {
	select {
	case <-time.After(longest):
	case <-ctx.Done():
	}
}

// TestEndsWhenItCannotWrite: somebody else has the lock and keeps it.
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
		wait(ctx) // each look takes 5 s, until SQLite says that it is busy
	})
	if !errors.Is(err, app.ErrBroken) {
		t.Errorf("it ended with %v", err)
	}
}

// TestEndsWhenItsMountIsGone: the folder of the database is LiteFS's no more.
func TestEndsWhenItsMountIsGone(t *testing.T) {
	t.Parallel()
	err := mustEnd(t, app.Canary, func(ctx context.Context, _ *app.Server, _ string) { wait(ctx) })
	if !errors.Is(err, app.ErrBroken) {
		t.Errorf("it ended with %v", err)
	}
}

// TestOverloadEndsNothing: writes queue up for the one connection, so a look may get no
// turn; and looks fail now and then.
func TestOverloadEndsNothing(t *testing.T) {
	t.Parallel()
	var looks atomic.Int64
	err := mustEnd(t, func(ctx context.Context, s *app.Server) error {
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		if err := app.Begin(short, s); err != nil {
			return err
		}
		if looks.Add(1)%5 != 0 { // four in a row
			return errors.New("for a moment")
		}
		return nil
	}, func(ctx context.Context, s *app.Server, _ string) {
		var writers sync.WaitGroup
		for range 32 {
			writers.Go(func() {
				for looks.Load() < 40 && ctx.Err() == nil {
					// Refused, in its transaction: there is no author yet.
					_, _ = repo.Write(repotest.As(ctx, repo.Operator), s.Repo, posts.Create{Title: "Post", Body: "Text."})
				}
			})
		}
		writers.Wait()
	})
	if err != nil || looks.Load() < 40 {
		t.Errorf("after %d looks it ended with %v", looks.Load(), err)
	}
}
