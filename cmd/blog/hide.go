package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"blog/internal/frontmatter"
)

// saying is what is said of all that lies in a folder, or of one file.
type saying struct {
	by      string // a file with its line, or the name of a folder above
	unclear bool   // it may say that what is in it is not for everybody
	place   string // the folder, or the file; ends in anyType where it is a file of any extension
}

// anyType is the extension of a file of which Eleventy's data have the name.
const anyType = ".*"

// surveyFolders finds the folders of which a section's page, Eleventy's data or the settings of the site say that
// what is in them is not for everybody, in the folder and above it, and whether what is above all of them has a name
// that says so.
func (i *importer) surveyFolders() {
	i.private = map[string]saying{}
	for _, f := range i.found.left {
		if isSection(path.Base(f.File)) {
			i.hear(f.File)
		}
	}
	named := map[string]bool{}
	for _, name := range i.found.names {
		named[strings.TrimSuffix(name, path.Ext(name))+anyType] = true
	}
	for _, name := range append(slices.Clip(i.found.files), publishing) {
		folder := path.Base(path.Dir(name))
		if folder == "." {
			folder = i.folder
		}
		if isFolderData(path.Base(name), folder) || named[fileOfData(name)] || frontmatter.IsSite(name) {
			i.hear(name)
		}
	}
	link, err := filepath.Abs(i.root.Name())
	if err != nil {
		link = i.above
	}
	for _, above := range []string{i.above, link} {
		if part := frontmatter.PrivatePlace(filepath.ToSlash(above)); part != "" {
			i.private["."] = saying{by: shown(part)}
		}
		for dir := above; filepath.Dir(dir) != dir; {
			dir = filepath.Dir(dir)
			for _, s := range sayingsIn(dir, "") {
				i.hearAbove(above, s)
			}
		}
	}
}

// publishing is what Obsidian publishes of a vault.
const publishing = ".obsidian/publish.json"

// isSection reports whether a file has the name of a section's page in Hugo and Zola, perhaps in one language.
func isSection(name string) bool {
	stem, _, _ := strings.Cut(strings.TrimSuffix(name, path.Ext(name)), ".")
	return strings.EqualFold(stem, "_index") && (isMarkdown(name) || isText(name))
}

// isFolderData reports whether a file has the name of Eleventy's data of a folder.
func isFolderData(name, folder string) bool {
	stem := dataOf(name)
	return stem != "" && strings.EqualFold(stem, folder)
}

// dataOf gives the name of the folder or file whose data a file has in Eleventy, "" for any other one.
func dataOf(name string) string {
	switch ext := strings.ToLower(path.Ext(name)); ext {
	case ".json", ".js", ".cjs", ".mjs", ".ts":
		stem, isData := strings.CutSuffix(name[:len(name)-len(ext)], ".11tydata")
		if isData || ext == ".json" {
			return stem
		}
	}
	return ""
}

// fileOfData gives the place of the file whose data, by its name, another file has in Eleventy; "" for any other file.
func fileOfData(name string) string {
	if stem := dataOf(path.Base(name)); stem != "" {
		return path.Join(path.Dir(name), stem+anyType)
	}
	return ""
}

// hear notes what a file in the folder says.
func (i *importer) hear(name string) {
	for _, s := range sayingsOfFile(i.root, name, i.folder) {
		i.heed(s)
	}
}

// heed notes what is said of a place in the folder.
func (i *importer) heed(s saying) {
	if before, said := i.private[s.place]; !said || before.unclear && !s.unclear {
		i.private[s.place] = s
	}
}

// hearAbove notes what is said in a folder above the imported one, which is above, of it or of a part of it.
func (i *importer) hearAbove(above string, s saying) {
	if holds(s.place, above) {
		s.place = "."
		i.heed(s)
	} else if part, err := filepath.Rel(above, s.place); err == nil && filepath.IsLocal(part) {
		s.place = filepath.ToSlash(part)
		i.heed(s)
	}
}

// sayingsOfFile returns what a file in root says, with the places from root on. folder is the name of root.
func sayingsOfFile(root *os.Root, name, folder string) (out []saying) {
	dir := path.Dir(name)
	data, err := readWithin(root, name, frontmatter.MaxSize)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	if err != nil {
		return []saying{{by: shown(name) + ":1", unclear: true, place: path.Clean(strings.TrimSuffix(dir, ".obsidian"))}}
	}
	add := func(place string, below frontmatter.Below) {
		if !below.Private && !below.Unclear {
			return
		}
		by := fmt.Sprintf("%s:%d", shown(name), below.Line)
		if below.Key != "" {
			by += ": " + shown(below.Key)
		}
		out = append(out, saying{by: by, unclear: below.Unclear, place: place})
	}
	if frontmatter.IsSite(name) {
		site := dir
		if path.Base(dir) == ".obsidian" {
			site = path.Dir(dir)
		}
		for _, below := range frontmatter.ReadSite(name, data, time.Now()) {
			add(path.Join(site, below.Path), below)
		}
	}
	if base := path.Base(dir); dir != "." {
		folder = base
	}
	if base := path.Base(name); isSection(base) || isFolderData(base, folder) {
		add(dir, frontmatter.ReadBelow(name, data, time.Now()))
	}
	if file := fileOfData(name); file != "" {
		add(file, frontmatter.ReadBelow(name, data, time.Now()))
	}
	return out
}

// holds reports whether a place is a file, or a folder above it.
func holds(place, file string) bool {
	if stem, isData := strings.CutSuffix(place, anyType); isData {
		return strings.TrimSuffix(file, filepath.Ext(file)) == stem
	}
	below, err := filepath.Rel(place, file)
	return err == nil && filepath.IsLocal(below)
}

// hide makes a draft of a file whose folder is not for everybody, unless the file itself says that it is, and
// refuses one of which that cannot be told. A link is where it lies, and where it leads to as well.
func (i *importer) hide(f *frontmatter.File) []frontmatter.Problem {
	if f.HasDraft {
		return nil
	}
	var sayings []saying
	for _, name := range []string{f.Name, i.target(f.Name)} {
		if s, found := i.private[strings.TrimSuffix(name, path.Ext(name))+anyType]; found {
			sayings = append(sayings, s)
		}
		for place := name; place != "/"; place = path.Dir(place) {
			if s, found := i.private[place]; found {
				sayings = append(sayings, s)
			}
			if place == "." {
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

// sayingsOf returns what is said of a file and of the folders in which it lies, for a file that is no part of an
// import. A link is where it lies, and where it leads to as well.
func sayingsOf(file string) []saying {
	file, err := filepath.Abs(file)
	if err != nil {
		return nil
	}
	out := sayingsOver(file)
	if target, err := filepath.EvalSymlinks(file); err == nil && target != file {
		out = append(out, sayingsOver(target)...)
	}
	return out
}

// sayingsOver returns what is said of a file by its path, and by the files beside it and in the folders above.
func sayingsOver(file string) (out []saying) {
	if part := frontmatter.PrivatePlace(filepath.ToSlash(filepath.Dir(file))); part != "" {
		out = append(out, saying{by: shown(part)})
	}
	for dir := filepath.Dir(file); ; dir = filepath.Dir(dir) {
		for _, s := range sayingsIn(dir, strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))) {
			if holds(s.place, file) {
				out = append(out, s)
			}
		}
		if filepath.Dir(dir) == dir {
			return out
		}
	}
}

// sayingsIn returns what the files of one folder say, with whole paths as places. Data of files in it are those of a
// stem.
func sayingsIn(dir, stem string) (out []saying) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil // nothing is known of it
	}
	defer func() { _ = root.Close() }() // only read
	folder := filepath.Base(dir)
	for _, name := range speakersIn(root, folder, stem) {
		for _, s := range sayingsOfFile(root, name, folder) {
			s.place = filepath.Join(dir, filepath.FromSlash(s.place))
			out = append(out, s)
		}
	}
	return out
}

// speakersIn returns the names of the files that may say something of what lies in a folder. Where it cannot be
// listed these are the usual ones.
func speakersIn(root *os.Root, folder, stem string) (names []string) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return []string{
			"_index.md", "_index.markdown", folder + ".11tydata.json", folder + ".json", "_config.yml", publishing,
		}
	}
	for _, e := range entries {
		if name := e.Name(); !e.IsDir() && (isSection(name) || isFolderData(name, folder) ||
			fileOfData(name) == stem+anyType || frontmatter.IsSite(name)) {
			names = append(names, name)
		}
	}
	return append(names, publishing)
}
