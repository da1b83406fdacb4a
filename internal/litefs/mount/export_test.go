//go:build linux

package mount

import (
	"log/slog"
	"path/filepath"

	"github.com/superfly/litefs"
)

// NewLineWriter is the writer that LiteFS's own log goes to.
var NewLineWriter = newLineWriter

// NewClient is what a replica reaches the primary's LiteFS with.
var NewClient = newClient

// Watchdog notices that a question gets no answer.
var Watchdog = watchdog

// Within limits the wait for something that may hang, which ErrHangs says that it did.
var (
	Within   = within
	ErrHangs = errHangs
)

// What ends a node whose child has ended but for a thread: IsEnding of each of the child's threads, by its stat.
const ExitStuck = exitStuck

var (
	IsEnding         = isEnding
	ThreadsAreEnding = threadsAreEnding
)

// TransactionReaders are all that reads the folder of LTX files of a database, by name. They get the database's folder.
func TransactionReaders() map[string]func(dir string) error {
	in := func(read func(ltxDir string) error) func(dir string) error {
		return func(dir string) error { return read(filepath.Join(dir, "ltx")) }
	}
	return map[string]func(dir string) error{
		"the newest":      in(func(dir string) error { _, err := newestTransaction(dir); return err }),
		"dropped":         in(func(dir string) error { _, err := dropped(dir); return err }),
		"the replaced":    in(removeReplaced),
		"the rolled back": in(func(dir string) error { return removeUncommitted(dir, 1) }),
		"whether they agree": in(func(dir string) error {
			_, err := agrees(dir, &databasePages{}, nil)
			return err
		}),
		"the databases": func(dir string) error { _, err := databasesIn(filepath.Dir(dir)); return err },
		"the start": func(dir string) error {
			return recoverDatabases(filepath.Dir(filepath.Dir(dir)), slog.New(slog.DiscardHandler))
		},
	}
}

// NewSafeOS returns LiteFS's operating system.
func NewSafeOS() litefs.OS {
	return newSafeOS(litefs.NewStore("", false), slog.New(slog.DiscardHandler))
}
