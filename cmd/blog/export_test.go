package main

import (
	"context"
	"io"
	"os"
	"time"

	"blog/internal/repo"
)

// Import imports a folder by w, with what a terminal is shown in shown, and returns how
// many files are new.
func Import(ctx context.Context, w repo.Writer, dir string, shown io.Writer) (int, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, err
	}
	defer func() { _ = root.Close() }() // only read
	names, err := markdownFiles(root)
	if err != nil {
		return 0, err
	}
	c := importCmd{writing: writing{Key: repo.NewKey(), Timeout: time.Minute}}
	imp := newImporter(c, &session{ctx: ctx, out: io.Discard, err: shown}, root, time.UTC)
	imp.to, imp.watched = w, true
	err = imp.all(names) //nolint:contextcheck // the session has it, as in the program
	return imp.sum.New, err
}
