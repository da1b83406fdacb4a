package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"blog/internal/frontmatter"
)

// saying is what is said of all that lies in a folder.
type saying struct {
	by      string // a file with its line, or the name of a folder above
	unclear bool   // it may say that what is in it is not for everybody
}

// surveyFolders finds the folders of which a section's page, or Eleventy's data of the folder, says that
// what is in them is not for everybody, and whether what is above all of them has a name that says so.
func (i *importer) surveyFolders() {
	i.private = map[string]saying{}
	for _, f := range i.found.left {
		if isSection(path.Base(f.File)) {
			i.hear(f.File)
		}
	}
	for _, name := range i.found.files {
		folder := path.Base(path.Dir(name))
		if folder == "." {
			folder = i.folder
		}
		if isFolderData(path.Base(name), folder) {
			i.hear(name)
		}
	}
	named, err := filepath.Abs(i.root.Name()) // which may be a link
	if err != nil {
		named = i.above
	}
	for _, above := range []string{i.above, named} {
		if part := frontmatter.PrivatePlace(filepath.ToSlash(above)); part != "" {
			i.private["."] = saying{by: shown(part)}
		}
	}
}

// isSection reports whether a file has the name of a section's page in Hugo and Zola.
func isSection(name string) bool {
	return strings.EqualFold(strings.TrimSuffix(name, path.Ext(name)), "_index")
}

// isFolderData reports whether a file has the name of Eleventy's data of a folder.
func isFolderData(name, folder string) bool {
	return strings.EqualFold(name, folder+".json") || strings.EqualFold(name, folder+".11tydata.json")
}

// hear notes what a file says of its folder.
func (i *importer) hear(name string) {
	data, err := readWithin(i.root, name, frontmatter.MaxSize)
	if err != nil {
		i.private[path.Dir(name)] = saying{by: shown(name) + ":1", unclear: true}
		return
	}
	if by, found := saidIn(name, data); found && (!by.unclear || i.private[path.Dir(name)].by == "") {
		i.private[path.Dir(name)] = by
	}
}

// saidIn gives what a file says of its folder; found is false where that is nothing.
func saidIn(name string, data []byte) (by saying, found bool) {
	below := frontmatter.ReadBelow(name, data, time.Now())
	by = saying{by: fmt.Sprintf("%s:%d", shown(name), below.Line), unclear: below.Unclear}
	if below.Key != "" {
		by.by += ": " + shown(below.Key)
	}
	return by, below.Private || below.Unclear
}

// hide makes a draft of a file whose folder is not for everybody, unless the file itself says that it is, and
// refuses one of which that cannot be told. A link is where it lies, and where it leads to as well.
func (i *importer) hide(f *frontmatter.File) []frontmatter.Problem {
	if f.HasDraft {
		return nil
	}
	var sayings []saying
	for _, name := range []string{f.Name, i.target(f.Name)} {
		for dir := path.Dir(name); ; dir = path.Dir(dir) {
			if s, found := i.private[dir]; found {
				sayings = append(sayings, s)
			}
			if dir == "." || dir == "/" {
				break
			}
		}
		if part := frontmatter.PrivatePlace(path.Dir(name)); part != "" && name != f.Name {
			sayings = append(sayings, saying{by: shown(part)})
		}
	}
	return hidden(f, sayings)
}

// hidden makes a draft of a file of whose folders one of sayings says that they are not for everybody, and
// refuses it where that cannot be told.
func hidden(f *frontmatter.File, sayings []saying) []frontmatter.Problem {
	for _, s := range sayings {
		if !s.unclear {
			f.Draft, f.HasDraft = true, true
			return []frontmatter.Problem{{
				File: shown(f.Name), Line: 1, Warning: true, Kind: frontmatter.Private,
				Message: s.by + " says of this folder that it is not for everybody, so the post is a draft",
			}}
		}
	}
	for _, s := range sayings {
		if !f.Draft {
			return []frontmatter.Problem{{
				File: shown(f.Name), Line: 1,
				Message: s.by + " may say of this folder that it is not for everybody, or cannot be read",
				Hint:    "write is_draft: true or is_draft: false into this file",
			}}
		}
	}
	return nil
}

// target returns the path in the folder to which a link leads, of any other file its own one.
func (i *importer) target(name string) string {
	file, err := filepath.EvalSymlinks(filepath.Join(i.root.Name(), filepath.FromSlash(name)))
	if err != nil {
		return name
	}
	root, err := filepath.EvalSymlinks(i.root.Name())
	if err != nil {
		return name
	}
	below, err := filepath.Rel(root, file)
	if err != nil || !filepath.IsLocal(below) {
		return name
	}
	return filepath.ToSlash(below)
}

// sayingsOf returns what is said of the folders in which a file lies, for a file that is no part of an import. A link
// is where it lies, and where it leads to as well.
func sayingsOf(file string) []saying {
	file, err := filepath.Abs(file)
	if err != nil {
		return nil
	}
	out := sayingsOver(filepath.Dir(file))
	if target, err := filepath.EvalSymlinks(file); err == nil && target != file {
		out = append(out, sayingsOver(filepath.Dir(target))...)
	}
	return out
}

// sayingsOver returns what is said of a folder, by its path and by the files in it and in those above.
func sayingsOver(dir string) (out []saying) {
	if part := frontmatter.PrivatePlace(filepath.ToSlash(dir)); part != "" {
		out = append(out, saying{by: shown(part)})
	}
	for ; ; dir = filepath.Dir(dir) {
		out = append(out, sayingsIn(dir)...)
		if filepath.Dir(dir) == dir {
			return out
		}
	}
}

// sayingsIn returns what the files of one folder say of it.
func sayingsIn(dir string) (out []saying) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil // nothing is known of it
	}
	defer func() { _ = root.Close() }() // only read
	for _, name := range speakersIn(root, filepath.Base(dir)) {
		data, err := readWithin(root, name, frontmatter.MaxSize)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			out = append(out, saying{by: shown(name) + ":1", unclear: true})
			continue
		}
		if by, found := saidIn(name, data); found {
			out = append(out, by)
		}
	}
	return out
}

// speakersIn returns the names of the files that may say something of all that lies in a folder. Where it cannot be
// listed these are the usual ones.
func speakersIn(root *os.Root, folder string) (names []string) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return []string{"_index.md", "_index.markdown", folder + ".11tydata.json", folder + ".json"}
	}
	for _, e := range entries {
		if name := e.Name(); !e.IsDir() && (isSection(name) || isFolderData(name, folder)) {
			names = append(names, name)
		}
	}
	return names
}
