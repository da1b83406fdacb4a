package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"blog/internal/apperr"
	"blog/internal/frontmatter"
	"blog/internal/markdown"
	"blog/internal/media"
)

// send stores the pictures that a file names by path, those that it links to as well, and returns
// their content hashes by that path. It notices what of the text posts do not show, and each picture
// that cannot be had, which it leaves out.
func (i *importer) send(f frontmatter.File, out *importedFile) (map[string]string, error) {
	var shows, links []string
	doc, err := i.render.Render(f.Body, markdown.Options{
		Image: func(dest string) (string, int, int, bool) {
			if !strings.HasPrefix(dest, "/media/") {
				shows = append(shows, dest)
			}
			return "", 0, 0, false
		},
		Link: func(dest string) (string, bool) {
			if isPicture(dest) && !strings.HasPrefix(dest, "/media/") {
				links = append(links, dest)
			}
			return "", false
		},
	})
	if err != nil {
		return nil, refusedAt(f, f.LineOf("body"), "body", "cannot be rendered: "+err.Error(), "")
	}
	out.notShown(f, doc.Warnings)
	files := map[string]string{}
	done := map[string]bool{}
	for n, dest := range append(shows, links...) {
		if done[dest] {
			continue
		}
		done[dest] = true
		hash, problem, err := i.pictureOf(f, dest)
		switch {
		case err != nil:
			return nil, err
		case problem == "":
			files[dest] = hash
		case n < len(shows):
			out.notice(frontmatter.Problem{
				File: shown(f.Name), Line: f.LineWith(dest), Field: dest, Kind: noPicture, Warning: true,
				Message: problem + "; its alternative text is shown instead",
			})
		default:
			out.notice(frontmatter.Problem{
				File: shown(f.Name), Line: f.LineWith(dest), Field: dest, Kind: noTarget, Warning: true,
				Message: problem + "; the link to it stays as it is",
			})
		}
	}
	return files, nil
}

// pictureOf stores the picture that f calls dest and returns its hash, or else the problem for which
// it cannot be had. The error is one that the next picture would meet as well.
func (i *importer) pictureOf(f frontmatter.File, dest string) (hash, problem string, err error) {
	place, problem := i.shelf.find(f.Name, dest)
	if problem != "" {
		return "", problem, nil
	}
	hash, err = i.picture(place)
	if field := apperr.From(err).Fields["image"]; err != nil && (field != "" || errors.Is(err, fs.ErrNotExist)) {
		if field == "" {
			field = "the picture does not exist"
		}
		return "", field, nil
	}
	return hash, "", err
}

// picture stores the picture at place in the folder, once, and returns its hash.
func (i *importer) picture(place string) (string, error) {
	if hash, ok := i.pictures[place]; ok {
		return hash, nil
	}
	data, err := readWithin(i.shelf.root, place, media.MaxBytes)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", err
	case err != nil:
		return "", apperr.InvalidFields(map[string]string{"image": shown(place) + ": " + reason(err)})
	}
	hash, err := i.store(place, data)
	if e := apperr.From(err); err != nil && e.Fields["image"] != "" {
		return "", apperr.InvalidFields(map[string]string{"image": shown(place) + ": " + e.Fields["image"]})
	}
	if err == nil {
		i.pictures[place] = hash
	}
	return hash, err
}

func (i *importer) store(place string, data []byte) (string, error) {
	if i.DryRun {
		clean, err := media.Strip(data)
		if err != nil {
			return "", apperr.InvalidFields(map[string]string{"image": err.Error()})
		}
		return media.Hash(clean), nil
	}
	ctx, cancel := i.imageContext()
	defer cancel()
	p, err := media.Upload(ctx, i.to, data, media.WithProgress(func(stored, size int64) {
		i.line.show(fmt.Sprintf("%s  %d %%", shown(place), 100*stored/size))
	}))
	return p.Hash, err
}

// readWithin reads a file inside root, and follows no link out of it. It returns at most limit+1
// bytes, so that the caller can refuse a file that is longer than limit.
func readWithin(root *os.Root, name string, limit int64) ([]byte, error) {
	// Without waiting for one who writes into it, where it is a pipe.
	f, err := root.OpenFile(filepath.FromSlash(name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("it is not a file")}
	}
	return io.ReadAll(io.LimitReader(f, limit+1))
}

// reason returns what went wrong with a file, without its name.
func reason(err error) string { return "cannot be read: " + cause(err).Error() }

// cause is what the system says of a file, without its name; any other error is returned as it is.
func cause(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}

// shown returns a file's name in a form that is safe on a terminal.
func shown(name string) string {
	quoted := strconv.QuoteToGraphic(name)
	if quoted == `"`+name+`"` {
		return name
	}
	return quoted
}

// progressLine is the line of a terminal that shows how far an import is. A nil one shows nothing.
type progressLine struct {
	to   io.Writer
	file string // which of how many, and its name
}

// show replaces the line by the file and doing, what happens to it now.
func (l *progressLine) show(doing string) {
	if l == nil {
		return
	}
	if doing != "" {
		doing = "  " + doing
	}
	_, _ = fmt.Fprintf(l.to, "\r\x1b[K%s%s", l.file, doing)
}

// clear empties the line, for what is printed next.
func (l *progressLine) clear() {
	if l != nil {
		_, _ = fmt.Fprint(l.to, "\r\x1b[K")
	}
}

// terminal reports whether w is a terminal that can show progress.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
