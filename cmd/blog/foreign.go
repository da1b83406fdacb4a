package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"blog/internal/apperr"
	"blog/internal/foreign"
	"blog/internal/frontmatter"
)

// leftEntries is what of an export is in no post.
type leftEntries struct {
	Kind   string `json:"kind"`
	Count  int    `json:"count"`
	Reason string `json:"reason"`
}

// source is an export that is imported.
type source struct {
	*foreign.Export
	name string // of its file
	line int    // in which the entry that was read last begins
}

// importExport imports a file that another system has exported.
func (c importCmd) importExport(s *session, loc *time.Location) (err error) {
	file, size, err := openExport(c.From)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read
	root, shelf, err := c.beside()
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // only read
	x, err := foreign.Open(file, size, foreign.Options{Loc: loc, Picture: func(p string) bool {
		_, problem := shelf.find(".", "/"+p)
		return problem == ""
	}})
	if err != nil {
		line := 1
		if p := (*foreign.Problem)(nil); errors.As(err, &p) {
			line, err = p.Line, p.Err
		}
		return apperr.Errorf(apperr.Invalid, "%s:%d: %v.", shown(filepath.Base(c.From)), line, err)
	}
	shelf.bases = nil // in an export a picture has a path: another one of its name may belong to what is private
	imp := newImporter(c, s, root, loc, &folder{names: x.Names()}, shelf)
	imp.folder, imp.above, imp.export = "", "", &source{Export: x, name: shown(filepath.Base(c.From))}
	for _, l := range x.Left {
		imp.sum.LeftEntries = append(imp.sum.LeftEntries, leftEntries{Kind: l.Kind, Count: l.N, Reason: l.Why})
		imp.sum.LeftOut[l.Kind] += l.N
	}
	return imp.run()
}

// openExport opens a file, and waits for nobody who writes into it, where it is a pipe.
func openExport(name string) (*os.File, int64, error) {
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // #nosec G304 -- the operator names it
	if err != nil {
		return nil, 0, apperr.Errorf(apperr.Invalid, "The file cannot be read: %v.", cause(err))
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a file")
	}
	if err != nil {
		return nil, 0, errors.Join(apperr.Errorf(apperr.Invalid, "The file cannot be read: %v.", err), file.Close())
	}
	return file, info.Size(), nil
}

// beside returns what finds the pictures of an export: in the folder that --root names, or else in those
// beside the file in which systems store what is uploaded.
func (c importCmd) beside() (*os.Root, *shelf, error) {
	dir := cmp.Or(c.Root, filepath.Dir(c.From))
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, noPictures(err)
	}
	files, unread, err := picturesBeside(root.FS(), c.Root != "")
	if err != nil {
		return nil, nil, errors.Join(noPictures(err), root.Close())
	}
	return root, newShelf(root, ".", files, unread), nil
}

// picturesBeside lists the pictures below a folder: all of them where somebody has named it, and else those in the
// folders in which systems store what is uploaded. unread are folders that cannot be read.
func picturesBeside(fsys fs.FS, named bool) (files, unread []string, err error) {
	if named {
		return filesBelow(fsys)
	}
	for _, name := range []string{"wp-content", "uploads", "content", "images", "files", "media"} {
		if info, err := fs.Stat(fsys, name); err != nil || !info.IsDir() {
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				unread = append(unread, name)
			}
			continue
		}
		below, err := fs.Sub(fsys, name)
		if err != nil {
			return nil, nil, err
		}
		found, left, err := filesBelow(below)
		switch unreadable := (*fs.PathError)(nil); {
		case errors.As(err, &unreadable):
			unread = append(unread, name)
		case err != nil:
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, f := range found {
			files = append(files, path.Join(name, f))
		}
		for _, f := range left {
			unread = append(unread, path.Join(name, f))
		}
	}
	return files, unread, nil
}

// read returns a file of the folder, or the one that an entry of the export is made to, and what is to
// be said of it.
func (i *importer) read(name string) ([]byte, []frontmatter.Problem, error) {
	if i.export == nil {
		data, err := readWithin(i.root, name, frontmatter.MaxSize)
		return data, nil, err
	}
	e, err := i.export.Read(name)
	i.export.line = e.Line
	problems := make([]frontmatter.Problem, 0, len(e.Notes))
	for _, n := range e.Notes {
		problems = append(problems, frontmatter.Problem{
			File: shown(name), Line: e.Line, Field: n.What, Message: n.Message, Warning: true, Kind: n.Kind,
		})
	}
	return e.Raw, problems, err
}

// locate gives what is said of an entry the place at which it stands in the export: nobody has seen the
// file that is made of it.
func (i *importer) locate(out *importedFile) {
	if i.export == nil {
		return
	}
	name := shown(out.File)
	out.at = fmt.Sprintf("%s:%d: %s", i.export.name, i.export.line, name)
	move := func(text string) string {
		after, found := strings.CutPrefix(text, name+":")
		if !found {
			return text
		}
		number := strings.TrimLeft(after, "0123456789")
		if after, found = strings.CutPrefix(number, ": "); !found {
			return text
		}
		return out.at + ": " + after
	}
	for n := range out.Notices {
		out.Notices[n].Line = i.export.line
		out.Warnings[n] = move(out.Warnings[n])
	}
	if out.Error != nil {
		for field, text := range out.Error.Fields {
			out.Error.Fields[field] = move(text)
		}
	}
}
