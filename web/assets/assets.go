// Package assets owns the style sheets and scripts of pages. It names them by a hash of them all,
// and serves them, compressed once, with headers that let browsers store them for ever. It knows no
// page.
package assets

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
)

//go:embed css/*.css js/*.js icon/*.svg
var files embed.FS

// Sheet is the one style sheet that pages link to: all of css/ and every extra style sheet, in the
// order of their names.
const Sheet = "site.css"

// Set is an immutable set of files under one name.
type Set struct {
	hash  string
	files map[string]*file
}

// New reads the embedded files and adds extra, by base name; a style sheet such as "chroma.css"
// becomes the end of Sheet. It fails when a name occurs twice.
func New(extra map[string][]byte) (*Set, error) {
	raw := maps.Clone(extra)
	if raw == nil {
		raw = make(map[string][]byte)
	}
	err := fs.WalkDir(files, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := path.Base(p)
		if _, taken := raw[name]; taken {
			return fmt.Errorf("%q occurs twice", name)
		}
		raw[name], err = files.ReadFile(p)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("assets: read: %w", err)
	}
	if err = join(raw); err != nil {
		return nil, fmt.Errorf("assets: %w", err)
	}
	set := &Set{hash: hash(raw), files: make(map[string]*file, len(raw))}
	for name, body := range raw {
		if set.files[name], err = newFile(name, body); err != nil {
			return nil, fmt.Errorf("assets: %s: %w", name, err)
		}
	}
	return set, nil
}

// join replaces all style sheets by a single one, since a page waits for each of them before it is
// painted.
func join(raw map[string][]byte) error {
	var sheet []byte
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		if path.Base(name) != name {
			return fmt.Errorf("%q is not a base name", name)
		}
		if path.Ext(name) != ".css" {
			continue
		}
		sheet = append(append(sheet, raw[name]...), '\n')
		delete(raw, name)
	}
	raw[Sheet] = sheet
	return nil
}

// hash returns a hash of the whole set. Modules import each other by relative path, so a change of
// one has to change the addresses of all.
func hash(raw map[string][]byte) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		_, _ = fmt.Fprintf(h, "%s %d\n", name, len(raw[name])) // writing to a hash does not fail
		_, _ = h.Write(raw[name])
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// Hash returns the version of the set: 12 hexadecimal digits.
func (s *Set) Hash() string { return s.hash }

// Base returns the path below which the files are served, "/assets/<hash>/".
func (s *Set) Base() string { return "/assets/" + s.hash + "/" }

// Has reports whether the set has a file with this name.
func (s *Set) Has(name string) bool { return s.files[name] != nil }

// Handler serves GET and HEAD of Base()+name. Any other path is a 404 that caches must not store,
// because during an upgrade another node may know the address.
func (s *Set) Handler() http.Handler { return http.HandlerFunc(s.serve) }
