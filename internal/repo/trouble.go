package repo

import (
	"context"
	"log/slog"
	"time"
)

// troubleEvery is how often the log says that a trouble lasts. A retry is due every second, and the log is for what
// an operator has not read yet.
const troubleEvery = time.Minute

// termTrouble is the time in which this node is primary and can begin no term, as its log has it: one line when it
// begins, one in troubleEvery with how long it has lasted, and one when it ends. It lasts through roles in which no
// primary is known: a node that gives up its lease and gets it again, again and again, is one trouble. It belongs to
// one goroutine.
type termTrouble struct {
	log    *slog.Logger
	since  time.Time // zero: there is none
	logged time.Time
}

// failed notes that a term could not be begun. The tries that no line is due for are in the log of who debugs.
func (t *termTrouble) failed(ctx context.Context, now time.Time, err error) {
	attrs := []slog.Attr{slog.Any("err", err)}
	level := slog.LevelError
	switch {
	case t.since.IsZero():
		t.since, t.logged = now, now
	case now.Sub(t.logged) < troubleEvery:
		level = slog.LevelDebug
	default:
		t.logged = now
	}
	if now.After(t.since) {
		attrs = append(attrs, slog.Duration("for", now.Sub(t.since)))
	}
	t.log.LogAttrs(ctx, level, "cannot take writes", attrs...)
}

// ended notes that this node is in a term, or that another node is the primary.
func (t *termTrouble) ended(now time.Time, here bool) {
	if t.since.IsZero() {
		return
	}
	message := "writes are taken by another node"
	if here {
		message = "takes writes again"
	}
	t.log.Info(message, "after", now.Sub(t.since))
	t.since = time.Time{}
}
