package main

import (
	"context"
	"io"
	"io/fs"
	"os"
	"time"

	"blog/internal/repo"
)

// Import imports a folder by w, and returns how many files are new. It writes to shown what a
// terminal would show.
func Import(ctx context.Context, w repo.Writer, dir string, shown io.Writer) (int, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, err
	}
	defer func() { _ = root.Close() }() // only read
	found, err := readFolder(root)
	if err != nil {
		return 0, err
	}
	c := importCmd{writing: writing{Key: repo.NewKey(), Timeout: time.Minute}}
	imp := newImporter(c, &session{ctx: ctx, out: io.Discard, err: shown}, root, time.UTC, found,
		newShelf(root, ".", found.files, found.unread))
	imp.to, imp.watched = w, true
	err = imp.all(found.names) //nolint:contextcheck // the session has it, as in the program
	return imp.sum.New, err
}

// FindPicture returns where the picture is that a text in file calls dest, or why it is nowhere, in a folder
// that is not imported itself.
func FindPicture(fsys fs.FS, prefix, file, dest string) (place, problem string) {
	files, unread, err := filesBelow(fsys)
	if err != nil {
		return "", err.Error()
	}
	return newShelf(nil, prefix, files, unread).find(file, dest)
}

// ReadFolder returns the Markdown files of fsys, the file system of dir, and what is left out.
func ReadFolder(dir string, fsys fs.FS) (names []string, left map[string]string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = root.Close() }() // only read
	f := &folder{}
	err = f.read(root, fsys)
	left = map[string]string{}
	for _, l := range f.left {
		left[l.File] = l.Reason
	}
	return f.names, left, err
}

// PicturesBeside returns the pictures in fsys, the file system of a folder with an export, the folders in it that
// cannot be read, and what is printed where they cannot be listed.
func PicturesBeside(fsys fs.FS, named bool) (files, unread []string, err error) {
	if files, unread, err = picturesBeside(fsys, named); err != nil {
		err = noPictures(err)
	}
	return files, unread, err
}
