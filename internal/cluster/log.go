package cluster

import (
	"context"
	"log/slog"
	"sync"
)

// lateLog writes lines of the log in their order, on a goroutine of its own: whoever logs waits for nobody. Lines are
// logged under the cluster's lock, so that they are in the order of the events, and whoever reads this process's
// standard error may be slow, or stand still. Heartbeats and reports go on meanwhile.
type lateLog struct {
	ctx context.Context // handlers get it; it does not end

	mu    sync.Mutex
	lines []lateLine
	lost  int           // lines since the newest in lines, for want of room
	done  chan struct{} // closed when the goroutine that writes has ended; nil: there is none
}

type lateLine struct {
	to     slog.Handler
	record slog.Record
}

// maxLateLines is how many lines wait to be written. Further ones are lost, and counted.
const maxLateLines = 1000

// newLateLog returns the late log of logger, and a logger for it. ctx is what logger's handler gets.
func newLateLog(ctx context.Context, logger *slog.Logger) (*lateLog, *slog.Logger) {
	l := &lateLog{ctx: context.WithoutCancel(ctx)}
	return l, slog.New(lateHandler{logger.Handler(), l})
}

// add has a line written, and says in its place how many were lost before it.
func (l *lateLog) add(line lateLine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lines) >= maxLateLines {
		l.lost++
		return
	}
	if l.lost > 0 {
		line.record.AddAttrs(slog.Int("lines_lost_before", l.lost))
		l.lost = 0
	}
	l.lines = append(l.lines, line)
	if l.done == nil {
		l.done = make(chan struct{})
		go l.write(l.done)
	}
}

// write writes what waits, and ends.
func (l *lateLog) write(done chan<- struct{}) {
	defer close(done)
	for {
		l.mu.Lock()
		if len(l.lines) == 0 {
			l.lines, l.done = nil, nil
			l.mu.Unlock()
			return
		}
		line := l.lines[0]
		l.lines = l.lines[1:]
		l.mu.Unlock()
		_ = line.to.Handle(l.ctx, line.record) // slog drops the error as well
	}
}

// flush returns when all lines are written that were logged before.
func (l *lateLog) flush() {
	l.mu.Lock()
	done := l.done
	l.mu.Unlock()
	if done != nil {
		<-done
	}
}

// lateHandler is a slog.Handler that gives what it handles to a late log.
type lateHandler struct {
	to   slog.Handler
	late *lateLog
}

// Enabled implements slog.Handler.
func (h lateHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.to.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h lateHandler) Handle(_ context.Context, record slog.Record) error {
	h.late.add(lateLine{h.to, record.Clone()})
	return nil
}

// WithAttrs implements slog.Handler.
func (h lateHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return lateHandler{h.to.WithAttrs(attrs), h.late}
}

// WithGroup implements slog.Handler.
func (h lateHandler) WithGroup(name string) slog.Handler {
	return lateHandler{h.to.WithGroup(name), h.late}
}
