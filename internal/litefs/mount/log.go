package mount

import (
	"bytes"
	"io"
	"log"
	"log/slog"
	"strings"
	"time"
)

// NewLogger returns the logger that litefs.yml's log section asks for, writing to w.
func NewLogger(cfg Log, w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: slog.LevelInfo}
	if cfg.Debug {
		opts.Level = slog.LevelDebug
	}
	if !cfg.Timestamp {
		opts.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
	}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// captureLog sends the standard library's log, which is where LiteFS writes, to logger until restore is called.
// The default logger gets those lines anyway; sending them there would go in a circle.
func captureLog(logger *slog.Logger) (restore func()) {
	if logger.Handler() == slog.Default().Handler() {
		return func() {}
	}
	flags, out := log.Flags(), log.Writer()
	log.SetFlags(0)
	log.SetOutput(newLineWriter(logger, time.Now))
	return func() {
		log.SetFlags(flags)
		log.SetOutput(out)
	}
}

// lineWriter logs each write as a line. The standard logger calls it once for each message, under its lock.
//
// While the primary is away LiteFS logs each attempt, several times a second and in two lines. lineWriter logs one line
// of each kind in retryInterval, with the number of those that it left out; all of them are at the level Debug.
type lineWriter struct {
	log    *slog.Logger
	now    func() time.Time
	logged map[string]*retry
}

// retry is a kind of line that repeats.
type retry struct {
	last   time.Time
	hidden int
}

const retryInterval = 30 * time.Second

// retryLines are the beginnings, after the node's id, of what LiteFS says at each attempt to reach a primary.
func retryLines() []string {
	return []string{
		"existing primary found", "disconnected from primary", "cannot acquire lease or find primary", "cannot find primary",
		"cannot fetch cluster ID", "cannot connect,", "cannot become primary",
	}
}

func newLineWriter(logger *slog.Logger, now func() time.Time) *lineWriter {
	return &lineWriter{log: logger, now: now, logged: map[string]*retry{}}
}

// Write implements io.Writer.
func (w *lineWriter) Write(p []byte) (int, error) {
	line := string(bytes.TrimRight(p, "\n"))
	kind := ""
	for _, k := range retryLines() {
		if strings.Contains(line, k) {
			kind = k
		}
	}
	if kind == "" {
		w.log.Info("litefs: " + line)
		return len(p), nil
	}
	r, ok := w.logged[kind]
	if ok && w.now().Sub(r.last) < retryInterval {
		r.hidden++
		w.log.Debug("litefs: " + line)
		return len(p), nil
	}
	hidden := 0
	if ok {
		hidden = r.hidden
	}
	w.logged[kind] = &retry{last: w.now()}
	w.log.Info("litefs: "+line, "hidden_before", hidden)
	return len(p), nil
}
