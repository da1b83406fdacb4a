package cluster_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"blog/internal/cluster"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// stuck is a log whose reader stands still until goOn is closed.
type stuck struct {
	slog.Handler
	goOn chan struct{}
}

func (s stuck) Handle(ctx context.Context, r slog.Record) error {
	<-s.goOn
	return s.Handler.Handle(ctx, r)
}

// newStuck returns a logger to a journal that stands still until release is called.
func newStuck() (log *repotest.Journal, logger *slog.Logger, release func()) {
	log = &repotest.Journal{}
	s := stuck{log.Text().Handler(), make(chan struct{})}
	return log, slog.New(s), sync.OnceFunc(func() { close(s.goOn) })
}

// TestLogThatStandsStill: heartbeats, reports and answers go on where nobody reads the log. What was logged is in it
// once somebody does, in order.
func TestLogThatStandsStill(t *testing.T) {
	w := MustWorld(t)
	log, logger, release := newStuck()
	defer release() // the end of a node waits for its log
	a, b := w.MustPair(t, func(o *cluster.Options, _ *cluster.Info) { o.Logger = logger })
	w.MustWrite(t, a, "1", repo.Two)
	reported := a.cluster.Reports("b")
	repotest.Eventually(t, patience, "b reports again", func() bool { return a.cluster.Reports("b") != reported })
	if got := log.String(); got != "" {
		t.Errorf("got the log %s, want none before somebody reads it", got)
	}
	release()
	a.cluster.FlushLog()
	b.cluster.FlushLog()
	begins := strings.Index(log.String(), "this node begins a term")
	if begins < 0 {
		t.Errorf("got the log %s, want the beginning of a term in it", log.String())
	}
	if joined := strings.Index(log.String(), "the standby is in the sync set"); joined < begins {
		t.Errorf("got the standby in the sync set at %d of the log, want it behind the term's beginning at %d:\n%s", joined,
			begins, log.String())
	}
}

// TestLogWithoutRoom: lines that have no room are counted in the next one that has.
func TestLogWithoutRoom(t *testing.T) {
	log, logger, release := newStuck()
	late, flush := cluster.NewLateLog(t.Context(), logger)
	for range cluster.MaxLateLines + 5 {
		late.Info("one of many")
	}
	release()
	flush()
	late.With("a", 1).Info("the next")
	late.Info("the last")
	flush()
	written := strings.Count(log.String(), "one of many")
	if written < cluster.MaxLateLines || written > cluster.MaxLateLines+1 { // the first may be out of the queue
		t.Errorf("%d lines are written, want at least %d and at most %d", written, cluster.MaxLateLines,
			cluster.MaxLateLines+1)
	}
	_, after, _ := strings.Cut(log.String(), "the next")
	next, last, _ := strings.Cut(after, "\n")
	if want := "a=1 lines_lost_before="; !strings.Contains(next, want) {
		t.Errorf("the next line ends with %q, want %q in it", next, want)
	}
	if lost := "lines_lost_before"; strings.Contains(last, lost) {
		t.Errorf("the last line is %q, want it without %q", last, lost)
	}
}
