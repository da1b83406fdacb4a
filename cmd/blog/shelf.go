package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"blog/internal/apperr"
)

// shelf finds pictures.
type shelf struct {
	root   *os.Root
	prefix string              // the imported folder, below root
	paths  map[string][]string // by nameKey, the paths of files
	stems  map[string][]string // likewise without extension
	bases  map[string][]string // by nameKey of the last part
	unread []string            // folders that cannot be read
	// closed reports whether what lies in a folder below root is not for everybody; nil where nothing says so.
	closed func(dir string) bool
}

// newShelf returns what finds the pictures among files, which are paths below root.
func newShelf(root *os.Root, prefix string, files, unread []string) *shelf {
	s := &shelf{
		root: root, prefix: prefix, unread: unread,
		paths: map[string][]string{}, stems: map[string][]string{}, bases: map[string][]string{},
	}
	for _, name := range files {
		put := func(m map[string][]string, key string) { m[nameKey(key)] = append(m[nameKey(key)], name) }
		put(s.paths, name)
		if isPicture(name) {
			put(s.stems, strings.TrimSuffix(name, path.Ext(name)))
			put(s.bases, path.Base(name))
		}
	}
	return s
}

func isPicture(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".webp":
		return true
	}
	return false
}

// find gives the path of the picture that a text in file calls dest. It is beside the file, or below
// one of the folders from which systems serve what lies in them; the same name in other letters or
// with another extension is taken as well. Otherwise problem says why there is none.
func (s *shelf) find(file, dest string) (place, problem string) {
	places, inside := s.places(file, dest)
	for _, p := range places {
		if got, ok := nearest(s.paths[nameKey(p)], p); ok {
			return got, ""
		}
	}
	for _, p := range places {
		if got, ok := nearest(s.stems[nameKey(strings.TrimSuffix(p, path.Ext(p)))], p); ok {
			return got, ""
		}
	}
	if !strings.Contains(dest, "/") { // Obsidian's pictures, wherever they lie
		if got, ok := nearest(s.openTo(file, s.bases[nameKey(dest)]), dest); ok {
			return got, ""
		}
	}
	for _, folder := range s.unread {
		if !strings.Contains(dest, "/") || slices.ContainsFunc(places, func(p string) bool {
			return strings.HasPrefix(nameKey(p), nameKey(folder)+"/")
		}) {
			return "", "the picture is not found, and the folder " + shown(folder) + " cannot be read"
		}
	}
	if !inside {
		return "", "the picture lies above the folder that is imported (--root DIR lets pictures lie above)"
	}
	return "", "the picture does not exist"
}

// openTo returns of the paths of pictures, which a text in file does not name, those that lie in no folder that is
// not for everybody, unless the file lies there as well.
func (s *shelf) openTo(file string, paths []string) (open []string) {
	file = path.Join(s.prefix, file)
	for _, p := range paths {
		isOpen := true
		for dir := path.Dir(p); dir != "." && s.closed != nil; dir = path.Dir(dir) {
			isOpen = isOpen && (!s.closed(dir) || strings.HasPrefix(file, dir+"/"))
		}
		if isOpen {
			open = append(open, p)
		}
	}
	return open
}

// places gives the paths at which the picture can lie. inside is false where it could only be above the root.
func (s *shelf) places(file, dest string) (places []string, inside bool) {
	add := func(p string) {
		if fs.ValidPath(p) && p != "." {
			places = append(places, p)
		}
	}
	if !strings.HasPrefix(dest, "/") {
		add(path.Join(s.prefix, path.Dir(file), dest))
	}
	inside = len(places) > 0 || strings.HasPrefix(dest, "/")
	for _, above := range []string{s.prefix, "."} {
		for _, base := range []string{"", "static", "public", "assets", "source", "content", "docs"} {
			add(path.Join(above, base, strings.TrimLeft(dest, "/")))
		}
	}
	return places, inside
}

// nearest picks of paths the one that is spelled like want.
func nearest(paths []string, want string) (string, bool) {
	if len(paths) == 0 {
		return "", false
	}
	if slices.Contains(paths, want) {
		return want, true
	}
	return paths[0], true
}

// maxPictures is how many pictures are looked through.
const maxPictures = 200_000

// filesBelow lists the files that may be pictures below a folder that is not imported itself, and the folders
// in it that cannot be read. They may be nobody's business, and are named where a picture may be in one. It fails with
// an fs.PathError where the folder itself cannot be read.
func filesBelow(fsys fs.FS) (files, unread []string, err error) {
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && name == ".":
			return err
		case err != nil:
			unread = append(unread, name)
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || leftFolder(name, false) != ""):
			return fs.SkipDir
		case !d.IsDir() && isPicture(name):
			files = append(files, name)
		}
		if len(files) > maxPictures {
			return errManyPictures
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return files, unread, nil
}

var errManyPictures = fmt.Errorf("there are more than %d pictures, the most that are looked through; name a folder "+
	"that has no others than those of this import by --root DIR", maxPictures)

// noPictures is why the folder of the pictures is of no use.
func noPictures(err error) error {
	if errors.Is(err, errManyPictures) {
		return apperr.Errorf(apperr.Invalid, "The folder of the pictures is too large: %v.", err)
	}
	return apperr.Errorf(apperr.Invalid, "The folder of the pictures cannot be read: %v.", cause(err))
}
