//go:build !linux

package mount

import (
	"context"
	"errors"
	"log/slog"
)

// Run is not to be had here.
func Run(context.Context, Config, []string, *slog.Logger) error {
	return errors.New("a LiteFS node needs Linux with FUSE; `blog serve` runs without it")
}
