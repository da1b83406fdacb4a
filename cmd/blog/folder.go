package main

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"blog/internal/apperr"
	"blog/internal/frontmatter"
)

// folder is what lies in a folder that is imported.
type folder struct {
	names []string   // the Markdown files, in the order of their names
	files []string   // all other files, likewise
	left  []leftFile // what is none of a blog's posts
	vault bool       // it is Obsidian's

	unread []string // folders that cannot be read
}

// leftFile is a file, or a folder with all that is in it, that is not imported.
type leftFile struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
}

// readFolder lists what lies in root. Hidden files and folders are somebody's tools, and not listed.
func readFolder(root *os.Root) (*folder, error) {
	f := &folder{}
	f.vault = inVault(root.Name())
	err := f.read(root, root.FS())
	if err != nil {
		return nil, apperr.Errorf(apperr.Invalid, "The folder cannot be read: %v.", cause(err))
	}
	return f, nil
}

// read lists what fsys has, the file system of root. It fails where the folder itself cannot be read; one in it
// that cannot be is named.
func (f *folder) read(root *os.Root, fsys fs.FS) error {
	hugo := isHugo(root)
	return fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && name == ".":
			return err
		case err != nil:
			f.leave(name, reason(err))
			f.unread = append(f.unread, name)
		case name == ".":
		case strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.IsDir():
			if reason := leftFolder(name, hugo); reason != "" {
				f.leave(name, reason)
				return fs.SkipDir
			}
		case !d.Type().IsRegular() && d.Type() != fs.ModeSymlink:
			f.leave(name, "it is no file")
		case d.Type() == fs.ModeSymlink && isFolder(root, name):
			f.leave(name, "it is a link to a folder")
		default:
			f.add(root, name)
		}
		return nil
	})
}

// isFolder reports whether name is a folder in root, or a link to one.
func isFolder(root *os.Root, name string) bool {
	info, err := root.Stat(name)
	return err == nil && info.IsDir()
}

// inVault reports whether a folder is one of Obsidian's, or lies in one.
func inVault(dir string) bool {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	for {
		if info, err := os.Stat(filepath.Join(dir, ".obsidian")); err == nil && info.IsDir() {
			return true
		}
		above := filepath.Dir(dir)
		if above == dir {
			return false
		}
		dir = above
	}
}

func (f *folder) leave(name, reason string) {
	f.left = append(f.left, leftFile{File: name, Reason: reason})
}

// add puts a file where it belongs.
func (f *folder) add(root *os.Root, name string) {
	stem := strings.ToLower(strings.TrimSuffix(path.Base(name), path.Ext(name)))
	switch {
	case isText(name):
		f.leave(name, "it is not Markdown")
		f.files = append(f.files, name)
	case !isMarkdown(name):
		f.files = append(f.files, name)
	case isSection(path.Base(name)):
		f.leave(name, "it is the page of a section, and no post")
	case stem == "readme" && !startsWithFront(root, name):
		f.leave(name, "it is about the folder, and no post")
	default:
		f.names = append(f.names, name)
	}
}

// isText reports whether a file's name says that it holds a text that is not Markdown.
func isText(name string) bool {
	return slices.Contains([]string{
		".html", ".htm", ".txt", ".org", ".rst", ".adoc", ".asciidoc", ".textile", ".ipynb", ".docx", ".odt", ".rtf",
	}, strings.ToLower(path.Ext(name)))
}

// isMarkdown reports whether a file's name says that it holds Markdown.
func isMarkdown(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".md", ".markdown", ".mkd", ".mkdn", ".mdown", ".mdwn", ".mdx":
		return true
	}
	return false
}

func startsWithFront(root *os.Root, name string) bool {
	data, err := readWithin(root, name, 1<<10)
	return err == nil && frontmatter.Has(data)
}

// isHugo reports whether the folder is a whole site of Hugo's or Zola's, whose posts are in content.
func isHugo(root *os.Root) bool {
	return isFolder(root, "content") && slices.ContainsFunc(
		[]string{"archetypes", "layouts", "themes", "templates", "static", "i18n"},
		func(name string) bool { return isFolder(root, name) })
}

// leftFolder says why nothing in a folder is a post, "" where something may be.
func leftFolder(name string, hugo bool) string {
	switch base := strings.ToLower(path.Base(name)); {
	case base == "node_modules" || base == "bower_components":
		return "it holds programs"
	case slices.Contains([]string{"_site", "_layouts", "_includes", "_sass", "_data", "_plugins"}, base):
		return "Jekyll makes its pages from it, and no posts"
	case hugo && slices.Contains([]string{"archetypes", "layouts", "themes", "templates", "i18n", "resources"}, name):
		return "Hugo makes its pages from it, and no posts"
	}
	return ""
}

// nameKey is a path as paths are compared: systems differ in how they write letters with marks, and
// in whether letter case matters.
func nameKey(name string) string { return norm.NFC.String(strings.ToLower(norm.NFC.String(name))) }
