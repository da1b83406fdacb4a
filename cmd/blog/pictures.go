package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"

	"blog/internal/frontmatter"
	"blog/internal/markdown"
	"blog/internal/media"
	"blog/internal/repo"
)

// send stores the pictures that a file names by relative path, and returns
// their hashes by that path. One that is not there is mentioned and left out;
// one that may not be shown, or lies outside the folder, refuses the file.
func (i *importer) send(f frontmatter.File, out *importedFile) (map[string]string, error) {
	doc, err := i.render.Render(f.Body, markdown.Options{})
	if err != nil {
		return nil, refusedAt(f, f.LineOf("body"), "body", "cannot be rendered: "+err.Error(), "")
	}
	files := map[string]string{}
	for _, dest := range doc.Images {
		place := path.Join(path.Dir(f.Name), dest)
		if !filepath.IsLocal(filepath.FromSlash(place)) {
			return nil, refusedAt(f, f.LineWith(dest), "image", shown(dest)+" leads out of the folder that is imported", "move the picture into it")
		}
		hash, err := i.picture(place)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			out.Warnings = append(out.Warnings, fmt.Sprintf("%s:%d: the picture %s does not exist; its alternative text is shown instead", shown(f.Name), f.LineWith(dest), shown(dest)))
			continue
		case repo.AsError(err).Fields["image"] != "":
			return nil, refusedAt(f, f.LineWith(dest), "image", repo.AsError(err).Fields["image"], "")
		case err != nil:
			return nil, err
		}
		files[dest] = hash
	}
	return files, nil
}

// picture stores the picture at place in the folder, once, and returns its hash.
func (i *importer) picture(place string) (string, error) {
	if hash, ok := i.pictures[place]; ok {
		return hash, nil
	}
	data, err := readWithin(i.root, place, media.MaxBytes)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", err
	case err != nil:
		return "", repo.InvalidFields(map[string]string{"image": shown(place) + ": " + reason(err)})
	}
	hash, err := i.store(place, data)
	if e := repo.AsError(err); err != nil && e.Fields["image"] != "" {
		return "", repo.InvalidFields(map[string]string{"image": shown(place) + ": " + e.Fields["image"]})
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
			return "", repo.InvalidFields(map[string]string{"image": err.Error()})
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

// readWithin reads a file inside root, however it is linked there. A file of
// more than limit bytes is cut behind them, for its reader to refuse.
func readWithin(root *os.Root, name string, limit int64) ([]byte, error) {
	f, err := root.Open(filepath.FromSlash(name))
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

// reason is what went wrong with a file, without its name.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return "cannot be read: " + p.Err.Error()
	}
	return "cannot be read: " + err.Error()
}

// shown is a file's name as it may be put on a terminal.
func shown(name string) string {
	quoted := strconv.QuoteToGraphic(name)
	if quoted == `"`+name+`"` {
		return name
	}
	return quoted
}

// progressLine is the line of a terminal that says how far an import is. A nil one shows
// nothing.
type progressLine struct {
	to   io.Writer
	file string // how many of how many, and which
}

// show replaces the line by the file and what is done for it now.
func (l *progressLine) show(doing string) {
	if l == nil {
		return
	}
	if doing != "" {
		doing = "  " + doing
	}
	_, _ = fmt.Fprintf(l.to, "\r\x1b[K%s%s", l.file, doing)
}

// clear makes the line empty, for what is printed next.
func (l *progressLine) clear() {
	if l != nil {
		_, _ = fmt.Fprint(l.to, "\r\x1b[K")
	}
}

// terminal reports whether somebody watches.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
