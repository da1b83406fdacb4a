// Package assets owns the style sheets and scripts that pages link to: it
// names them by a hash of them all and serves them, compressed once, to be
// kept for ever. It knows no page.
package assets

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"sort"
)

//go:embed css/*.css js/*.js
var files embed.FS

// Set is an immutable set of files under one name.
type Set struct {
	hash  string
	files map[string]*file
}

// New reads the embedded files, adds extra (by base name, such as
// "chroma.css") and compresses them all. A name may not occur twice.
func New(extra map[string][]byte) (*Set, error) {
	raw := make(map[string][]byte, len(extra))
	for name, body := range extra {
		if path.Base(name) != name {
			return nil, fmt.Errorf("assets: %q is not a base name", name)
		}
		raw[name] = body
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
	set := &Set{hash: hash(raw), files: make(map[string]*file, len(raw))}
	for name, body := range raw {
		if set.files[name], err = newFile(name, body); err != nil {
			return nil, fmt.Errorf("assets: %s: %w", name, err)
		}
	}
	return set, nil
}

// hash names the whole set: modules import each other by relative path, so a
// change in one of them has to give all of them new addresses.
func hash(raw map[string][]byte) string {
	names := make([]string, 0, len(raw))
	for name := range raw {
		names = append(names, name)
	}
	sort.Strings(names)
	h := sha256.New()
	for _, name := range names {
		_, _ = fmt.Fprintf(h, "%s %d\n", name, len(raw[name])) // a hash never fails
		_, _ = h.Write(raw[name])
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// Hash is the set's version: 12 hexadecimal digits.
func (s *Set) Hash() string { return s.hash }

// Base is the path under which the files are found, "/assets/<hash>/".
func (s *Set) Base() string { return "/assets/" + s.hash + "/" }

// Has tells whether the set has a file of that name.
func (s *Set) Has(name string) bool { return s.files[name] != nil }

// Handler serves GET and HEAD of Base()+name. Any other path is a 404, which
// is not to be kept: during a release another node may know the address.
func (s *Set) Handler() http.Handler { return http.HandlerFunc(s.serve) }
