package repo

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"blog/internal/apperr"
	"blog/internal/litefs"
)

// Log writes one line for each write that passes it. In Options.Middleware it logs the
// writes of this node's pages, tasks and command line, wherever they are executed;
// NewHandler uses it for those that other nodes send here. The two lines of a forwarded
// write have the same request id.
//
// The level is Error for a defect of this program, Warn for a write that could not be done or
// whose outcome is not known, and Info for everything else, refusals included.
func Log(log *slog.Logger, node Node) Middleware { return logged(log, node, nil) }

// logReceived is Log for attempts that other nodes make here. As long as a term cannot begin, each of their writes
// comes again and again: such refusals are logged once for each cause, and then every refusedEvery with their number.
// How a write ends is in the log of its own node.
func logReceived(log *slog.Logger, node Node) Middleware { return logged(log, node, &refusals{}) }

func logged(log *slog.Logger, node Node, repeated *refusals) Middleware {
	return func(next Handler) Handler {
		return func(ctx context.Context, call *Call) error {
			start := time.Now()
			role := node.Role().State
			err := next(ctx, call)
			skipped, due := repeated.due(err, time.Now())
			if !due {
				return err
			}
			if call.role != litefs.Unknown { // it may have changed since: what counts is who carried the call out
				role = call.role
			}
			attrs := []slog.Attr{
				slog.String("command", call.Name),
				slog.String("actor", call.Actor.Name),
				slog.String("key", call.Key),
				slog.String("request_id", call.RequestID),
				slog.String("role", role.String()),
				slog.Duration("took", time.Since(start)),
				slog.String("durability", string(call.Reply.Assurance)),
			}
			level, message := slog.LevelInfo, "write"
			if err == nil {
				attrs = append(attrs, slog.Int64("seq", call.Reply.Cursor.Seq), slog.Bool("replayed", call.Reply.Replayed))
			} else {
				level, message = levelOf(err), "write refused"
				e := apperr.From(err)
				attrs = append(attrs, slog.String("code", string(e.Code)), slog.String("reason", e.Reason), slog.Any("err", err))
			}
			if skipped > 0 {
				attrs = append(attrs, slog.Int("not_logged_before", skipped))
			}
			log.LogAttrs(ctx, level, message, attrs...)
			return err
		}
	}
}

// refusedEvery is how often one cause of refusals that are asked again is logged, and maxCauses of how many it is known
// when they were logged last.
const (
	refusedEvery = 10 * time.Second
	maxCauses    = 100
)

// refusals are the causes of refusals that are asked again.
type refusals struct {
	mu     sync.Mutex
	causes map[string]*refusal // by the text of the error
}

type refusal struct {
	at      time.Time // of its newest line in the log
	skipped int       // since
}

// due reports whether what err ended is to be logged now, and how many with the same cause were not since the last
// that was. Of nil refusals everything is due, and so is what is not asked again, or has an outcome that nobody knows.
func (r *refusals) due(err error, now time.Time) (skipped int, due bool) {
	if r == nil || !isAskedAgain(err) || apperr.HasReason(err, apperr.OutcomeUnknown) {
		return 0, true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.causes[err.Error()]
	if c == nil {
		if r.causes == nil || len(r.causes) >= maxCauses {
			r.causes = map[string]*refusal{}
		}
		r.causes[err.Error()] = &refusal{at: now}
		return 0, true
	}
	if now.Sub(c.at) < refusedEvery {
		c.skipped++
		return 0, false
	}
	skipped, c.skipped, c.at = c.skipped, 0, now
	return skipped, true
}

func levelOf(err error) slog.Level {
	switch apperr.From(err).Code {
	case apperr.Internal:
		return slog.LevelError
	case apperr.Unavailable:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}
