package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"blog/internal/frontmatter"
	"blog/internal/markdown"
	"blog/internal/posts"
	"blog/internal/repo"
)

type importCmd struct {
	Dir    string `arg:"" type:"existingdir" help:"The folder: its *.md files, those in folders below too, and the pictures they name by relative path."`
	Force  bool   `help:"Overwrite posts that were edited here since their file was last imported."`
	DryRun bool   `help:"Only read and check the files."`
	writing
}

// What became of a file.
const (
	statusNew       = "new"
	statusUpdated   = "updated"
	statusUnchanged = "unchanged"
	statusConflict  = "conflict"
	statusRefused   = "refused"
	statusChecked   = "checked" // with --dry-run: nothing was found wrong
)

// importedFile is what became of one file.
type importedFile struct {
	File     string      `json:"file"`
	Status   string      `json:"status"`
	Seq      int64       `json:"seq,omitempty"`
	Cursor   repo.Cursor `json:"cursor,omitzero"`
	Replayed bool        `json:"replayed,omitempty"`
	// Assurance is what the answer rests on.
	Assurance repo.Assurance `json:"durability,omitempty"`
	Post      *writtenPost   `json:"post,omitempty"`
	Warnings  []string       `json:"warnings,omitempty"`
	Error     *shownError    `json:"error,omitempty"`
}

// importSummary is the answer of an import.
type importSummary struct {
	New       int            `json:"new"`
	Updated   int            `json:"updated"`
	Unchanged int            `json:"unchanged"`
	Conflicts int            `json:"conflicts"`
	Refused   int            `json:"refused"`
	Checked   int            `json:"checked,omitempty"` // with --dry-run: files read, those refused among them
	Key       string         `json:"key"`
	Seq       int64          `json:"seq,omitempty"`   // of the newest write that a file came from
	Cursor    repo.Cursor    `json:"cursor,omitzero"` // likewise
	Replayed  bool           `json:"replayed"`        // every file had been seen with this key
	Files     []importedFile `json:"files"`
	Error     *shownError    `json:"error,omitempty"` // why it broke off
}

// Run imports the folder. One file after the other: a file may rely on the slug
// that another one has given up.
func (c importCmd) Run(s *session) error {
	loc, err := s.location()
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(c.Dir)
	if err != nil {
		return repo.Errorf(repo.Invalid, "The folder cannot be read: %v.", errors.Unwrap(err))
	}
	defer func() { _ = root.Close() }() // only read
	names, err := markdownFiles(root)
	if err != nil {
		return err
	}
	if c.Key == "" {
		c.Key = repo.NewKey()
	}
	imp := newImporter(c, s, root, loc)
	imp.watched = !s.json && terminal(s.err)
	if c.DryRun {
		err = imp.all(names)
	} else {
		err = s.write(func(w repo.Writer) error {
			imp.to = w
			return imp.all(names)
		})
	}
	return imp.report(err)
}

// markdownFiles lists the files to import, in the order of their names. Hidden
// files and folders are somebody's tools.
func markdownFiles(root *os.Root) ([]string, error) {
	var names []string
	err := fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
		case !d.IsDir() && strings.EqualFold(path.Ext(name), ".md"):
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, repo.Errorf(repo.Invalid, "The folder cannot be read: %v.", err)
	}
	return names, nil
}

// importer is an import under way.
type importer struct {
	importCmd
	s        *session
	to       repo.Writer
	root     *os.Root
	loc      *time.Location
	render   *markdown.Renderer
	pictures map[string]string // hash by path in the folder: each is sent once
	slugs    map[string]string // the file that has it, by slug
	watched  bool              // somebody sees how far it is
	line     *progressLine     // nil unless watched
	sum      importSummary
}

func newImporter(c importCmd, s *session, root *os.Root, loc *time.Location) *importer {
	imp := &importer{
		importCmd: c, s: s, root: root, loc: loc, render: markdown.New(markdown.Words{}),
		pictures: map[string]string{}, slugs: map[string]string{},
	}
	imp.sum.Key, imp.sum.Files = c.Key, []importedFile{}
	return imp
}

// all imports the files until one of them says that none can go in.
func (i *importer) all(names []string) error {
	for n, name := range names {
		if i.watched {
			i.line = &progressLine{to: i.s.err, file: fmt.Sprintf("%d of %d  %s", n+1, len(names), shown(name))}
			i.line.show("")
		}
		out := importedFile{File: name}
		err := i.one(name, &out)
		i.line.clear()
		if fatal(err) {
			return err
		}
		i.note(out, err)
	}
	return nil
}

// fatal reports errors that the next file would meet as well.
func fatal(err error) bool {
	if err == nil {
		return false
	}
	e := repo.AsError(err)
	return e.Code == repo.Unavailable || e.Code == repo.Unauthorized || e.Reason == posts.NoAuthor
}

// one imports one file. The error is why it was not.
func (i *importer) one(name string, out *importedFile) error {
	f, err := i.parse(name, out)
	if err != nil {
		return err
	}
	files, err := i.send(f, out)
	if err != nil {
		return err
	}
	if i.DryRun {
		out.Status = statusChecked
		return located(f, check(f))
	}
	ref, receipt, err := i.write(name, f, files)
	if repo.HasReason(err, posts.PicturesGone) {
		// Stored in this run, and removed since: the run has taken longer than a
		// picture stays that no post shows.
		clear(i.pictures)
		var warned importedFile // they are in out already
		if files, err = i.send(f, &warned); err != nil {
			return err
		}
		ref, receipt, err = i.write(name, f, files)
	}
	if err != nil {
		return located(f, err)
	}
	post := i.s.written(ref)
	out.Post, out.Seq, out.Cursor, out.Replayed, out.Assurance = &post, receipt.Seq, receipt.Cursor, receipt.Replayed, receipt.Assurance
	switch {
	case ref.Unchanged:
		out.Status = statusUnchanged
	case ref.Revision == 1:
		out.Status = statusNew
	default:
		out.Status = statusUpdated
	}
	return nil
}

// write stores a file whose pictures are stored.
func (i *importer) write(name string, f frontmatter.File, files map[string]string) (posts.Ref, repo.Receipt, error) {
	cmd := posts.NewImport(f, files)
	cmd.Force = i.Force
	ctx, cancel := i.within(i.s.operator())
	defer cancel()
	return repo.Do(ctx, i.to, cmd, repo.WithKey(i.keyOf(name))) //nolint:wrapcheck // Do has
}

// parse reads a file.
func (i *importer) parse(name string, out *importedFile) (frontmatter.File, error) {
	data, err := readWithin(i.root, name, frontmatter.MaxSize)
	if err != nil {
		return frontmatter.File{}, repo.InvalidFields(map[string]string{"file": reason(err)})
	}
	f, problems := frontmatter.Parse(name, data, i.loc)
	fields := map[string]string{}
	for _, p := range problems {
		if p.Warning {
			out.Warnings = append(out.Warnings, p.Error())
			continue
		}
		field := p.Field
		if field == "" {
			field = "file"
		}
		if fields[field] == "" {
			fields[field] = p.Error()
		}
	}
	if err := repo.InvalidFields(fields); err != nil {
		return f, err
	}
	// Two files of one post would overwrite each other at every run.
	slug, _ := posts.CheckSlug(f.Slug)
	if other, taken := i.slugs[slug]; taken && slug != "" {
		return f, refusedAt(f, f.LineOf("slug"), "slug", fmt.Sprintf("%q is that of %s, too", slug, shown(other)), "give one of them another `slug:`")
	}
	i.slugs[slug] = name
	return f, nil
}

// keyOf derives a file's key from the import's.
func (i *importer) keyOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return i.Key + ":" + hex.EncodeToString(sum[:8])
}

// note counts what became of a file, and says what needs a look.
func (i *importer) note(out importedFile, err error) {
	if err != nil {
		out.Status, out.Error = statusRefused, shownIn(plain(err))
		if repo.HasReason(err, posts.Edited) {
			out.Status = statusConflict
		}
	}
	switch out.Status {
	case statusNew:
		i.sum.New++
	case statusUpdated:
		i.sum.Updated++
	case statusUnchanged:
		i.sum.Unchanged++
	case statusConflict:
		i.sum.Conflicts++
	case statusRefused:
		i.sum.Refused++
	}
	if out.Seq > i.sum.Seq {
		i.sum.Seq, i.sum.Cursor = out.Seq, out.Cursor
	}
	i.sum.Replayed = out.Replayed && (i.sum.Replayed || len(i.sum.Files) == 0)
	if i.DryRun {
		i.sum.Checked++
	}
	i.sum.Files = append(i.sum.Files, out)
	if i.s.json {
		return
	}
	for _, w := range out.Warnings {
		_, _ = fmt.Fprintln(i.s.err, w)
	}
	if out.Error != nil {
		for _, line := range linesOf(out) {
			_, _ = fmt.Fprintln(i.s.err, line)
		}
	}
}

// linesOf is what is wrong with a file: a line for each field that has one in
// it, and what else there is to say behind the file's name.
func linesOf(out importedFile) []string {
	name := shown(out.File)
	if len(out.Error.Fields) == 0 {
		return []string{name + ": " + out.Status + ": " + out.Error.Message}
	}
	var lines []string
	for _, field := range sortedKeys(out.Error.Fields) {
		line := out.Error.Fields[field]
		if !strings.HasPrefix(line, name+":") && !strings.HasPrefix(line, out.File+":") {
			line = name + ": " + out.Status + ": " + field + ": " + line
		}
		lines = append(lines, line)
	}
	return lines
}

// report prints the summary. err is why the import broke off, nil when it did not.
func (i *importer) report(err error) error {
	sum := &i.sum
	err = again(err, i.Key)
	if i.s.json {
		if err != nil {
			sum.Error = shownIn(plain(err))
		}
		i.s.print(sum)
	} else if i.DryRun {
		i.s.say("%d checked, %d refused", sum.Checked, sum.Refused)
	} else if err == nil || len(sum.Files) > 0 {
		i.s.say("%d new, %d updated, %d unchanged, %d conflicts, %d refused", sum.New, sum.Updated, sum.Unchanged, sum.Conflicts, sum.Refused)
	}
	switch {
	case err != nil && i.s.json:
		return &reportedError{err}
	case err != nil:
		return err
	case sum.Conflicts+sum.Refused > 0:
		return &reportedError{repo.Errorf(repo.Conflict, "some files were not imported")}
	}
	return nil
}

// imageContext bounds the sending of one picture.
func (i *importer) imageContext() (context.Context, context.CancelFunc) {
	return i.within(i.s.operator())
}
