package repo

import (
	"context"
	"log/slog"
	"time"
)

// Log writes one line for each write that passes it. In Options.Middleware it
// logs what this node's own pages, tasks and command line ask, wherever that is
// carried out; NewHandler uses it for what other nodes send here. The request id
// joins the two lines of a forwarded write.
//
// The level says who has to act: Error is a fault of ours, Warn a write that
// could not be done or whose outcome is unknown, Info everything else, refusals
// included, since they are the caller's.
func Log(log *slog.Logger, node Node) Middleware {
	return func(next Handler) Handler {
		return func(ctx context.Context, call *Call) error {
			start := time.Now()
			role := node.Role().State
			err := next(ctx, call)
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
				e := AsError(err)
				attrs = append(attrs, slog.String("code", string(e.Code)), slog.String("reason", e.Reason), slog.Any("err", err))
			}
			log.LogAttrs(ctx, level, message, attrs...)
			return err
		}
	}
}

func levelOf(err error) slog.Level {
	switch AsError(err).Code {
	case Internal:
		return slog.LevelError
	case Unavailable:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}
