package mount

import (
	"bytes"
	"io"
	"log"
	"log/slog"
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
	log.SetOutput(lineWriter{logger})
	return func() {
		log.SetFlags(flags)
		log.SetOutput(out)
	}
}

// lineWriter logs each write as a line. The standard logger calls it once a message.
type lineWriter struct{ log *slog.Logger }

func (w lineWriter) Write(p []byte) (int, error) {
	w.log.Info("litefs: " + string(bytes.TrimRight(p, "\n")))
	return len(p), nil
}
