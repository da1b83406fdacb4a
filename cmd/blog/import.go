package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"blog/internal/apperr"
	"blog/internal/frontmatter"
	"blog/internal/markdown"
	"blog/internal/posts"
	"blog/internal/repo"
)

type importCmd struct {
	From   string `arg:"" name:"folder or file" type:"path" help:"${help_import_from}"`
	Force  bool   `help:"Overwrite posts that were edited here since their file was last imported."`
	DryRun bool   `help:"Only read and check the files, and say what an import would do."`
	Root   string `placeholder:"DIR" type:"existingdir" help:"${help_import_root}"`
	Author string `placeholder:"A" help:"${help_import_author}"`
	writing
}

// Run imports the folder, or the file that another system has exported.
func (c importCmd) Run(s *session) error {
	loc, err := s.location()
	if err != nil {
		return err
	}
	info, err := os.Stat(c.From)
	if err != nil {
		return usage("%s cannot be read: %v", shown(c.From), cause(err))
	}
	if !info.IsDir() {
		return c.importExport(s, loc)
	}
	root, err := os.OpenRoot(c.From)
	if err != nil {
		return apperr.Errorf(apperr.Invalid, "The folder cannot be read: %v.", cause(err))
	}
	defer func() { _ = root.Close() }() // only read
	found, err := readFolder(root)
	if err != nil {
		return err
	}
	shelf, err := c.shelf(root, found)
	if err != nil {
		return err
	}
	defer func() { _ = shelf.root.Close() }() // only read
	return newImporter(c, s, root, loc, found, shelf).run()
}

// run imports all files and reports. One file after the other: a file may rely on the slug that another
// one has given up.
func (i *importer) run() error {
	i.watched = !i.s.json && terminal(i.s.err)
	if i.DryRun {
		return i.report(i.all(i.found.names))
	}
	return i.report(i.s.write(func(w repo.Writer) error {
		i.to = w
		return i.all(i.found.names)
	}))
}

// shelf returns what finds the pictures: in the folder, or in one above it.
func (c importCmd) shelf(root *os.Root, found *folder) (*shelf, error) {
	if c.Root == "" {
		return newShelf(root, ".", found.files, found.unread), nil
	}
	refused := usage("--root must be a folder that the imported one lies in")
	above, err := filepath.EvalSymlinks(c.Root)
	if err != nil {
		return nil, refused
	}
	dir, err := filepath.EvalSymlinks(c.From)
	if err != nil {
		return nil, refused
	}
	above, errAbove := filepath.Abs(above)
	dir, errDir := filepath.Abs(dir)
	prefix, err := filepath.Rel(above, dir)
	if errAbove != nil || errDir != nil || err != nil || !filepath.IsLocal(prefix) {
		return nil, refused
	}
	pictures, err := os.OpenRoot(above)
	if err != nil {
		return nil, noPictures(err)
	}
	files, unread, err := filesBelow(pictures.FS())
	if err != nil {
		return nil, errors.Join(noPictures(err), pictures.Close())
	}
	return newShelf(pictures, filepath.ToSlash(prefix), files, unread), nil
}

// importer is an import that runs.
type importer struct {
	importCmd
	s        *session
	to       repo.Writer
	root     *os.Root
	folder   string  // its own name
	above    string  // the folder's whole path, without links
	export   *source // nil where a folder is imported
	found    *folder
	shelf    *shelf
	pages    pages
	renamed  map[string]renamed // by file
	private  map[string]saying  // of what is in a folder that it is not for everybody
	loc      *time.Location
	render   *markdown.Renderer
	pictures map[string]string // content hash by path in the folder; each is sent once
	slugs    map[string]string // file by its slug
	watched  bool              // whether a person can see the progress
	line     *progressLine     // nil unless watched
	sum      importSummary
}

func newImporter(
	c importCmd, s *session, root *os.Root, loc *time.Location, found *folder, shelf *shelf,
) *importer {
	if c.Key == "" {
		c.Key = repo.NewKey()
	}
	above := placeOf(root.Name())
	imp := &importer{
		importCmd: c, s: s, root: root, folder: filepath.Base(above), above: above, loc: loc,
		render:   markdown.New(markdown.Words{}),
		pictures: map[string]string{}, slugs: map[string]string{}, found: found, shelf: shelf,
	}
	imp.sum.Key, imp.sum.Files, imp.sum.LeftFiles = c.Key, []importedFile{}, found.left
	imp.sum.LeftOut = map[string]int{}
	if len(found.left) > 0 {
		imp.sum.LeftOut["file"] = len(found.left)
	}
	return imp
}

// placeOf returns the whole path of a folder, without links, as far as that is known: its name may be ".", or
// that of a link.
func placeOf(dir string) string {
	if whole, err := filepath.Abs(dir); err == nil {
		dir = whole
	}
	if target, err := filepath.EvalSymlinks(dir); err == nil {
		dir = target
	}
	return dir
}

// all imports the files, and stops at an error that every further file would have.
func (i *importer) all(names []string) error {
	if i.export == nil { // an export knows its slugs
		i.survey(names)
	}
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

// fatal reports whether the next file would have the same error.
func fatal(err error) bool {
	if err == nil {
		return false
	}
	e := apperr.From(err)
	return e.Code == apperr.Unavailable || e.Code == apperr.Unauthorized || e.Reason == posts.NoAuthor
}

// one imports one file. It fills out, and fails when the file was not imported.
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
		if err = located(f, check(f)); err == nil {
			out.Would = posts.NewImport(f, files).State(time.Now())
			await(f, out.Would, out)
		}
		return err
	}
	ref, receipt, err := i.write(name, f, files)
	if apperr.HasReason(err, posts.PicturesGone) {
		// This run stored the pictures and a sweep has removed them since: the run took longer than
		// a picture stays that no post shows.
		clear(i.pictures)
		var warned importedFile // they are in out already
		if files, err = i.send(f, &warned); err != nil {
			return err
		}
		ref, receipt, err = i.write(name, f, files)
	}
	for _, mend := range []func(*frontmatter.File, *apperr.Error, *importedFile) bool{i.otherAuthor, withoutAddresses} {
		if err != nil && !fatal(err) && mend(&f, apperr.From(err), out) {
			ref, receipt, err = i.write(name, f, files)
		}
	}
	if err != nil {
		return located(f, err)
	}
	await(f, ref.State, out)
	post := i.s.written(ref)
	out.Post, out.Seq, out.Cursor, out.Replayed, out.Assurance = &post, receipt.Seq, receipt.Cursor, receipt.Replayed,
		receipt.Assurance
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
	return repo.Do(ctx, i.to, cmd, repo.WithKey(i.keyOf(name)))
}

// parse reads and parses a file. It adds warnings to out, and fails with Invalid, by field, when
// the file has problems.
func (i *importer) parse(name string, out *importedFile) (frontmatter.File, error) {
	data, said, err := i.read(name)
	if err != nil {
		return frontmatter.File{}, apperr.InvalidFields(map[string]string{"file": reason(err)})
	}
	f, problems := frontmatter.ParseIn(i.folder, name, data, i.loc)
	problems = append(said, problems...)
	if p, ok := f.Expired(time.Now()); ok {
		problems = append(problems, p)
	}
	problems = append(problems, i.hide(&f)...)
	if r, ok := i.renamed[name]; ok {
		f.Slug = r.slug
		problems = append(problems, frontmatter.Problem{
			File: shown(name), Line: 1, Field: "slug", Warning: true, Kind: frontmatter.Choice,
			Message: "the one that the file's name gives is that of " + shown(r.other) + ", too, so it is " + r.slug,
		})
	}
	problems = append(problems, translate(&f, i.found.vault, &linker{i, name})...)
	for _, a := range posts.LeftAddresses(f) {
		problems = append(problems, frontmatter.Problem{
			File: name, Line: a.Line, Field: a.Key, Message: a.Path + " is left out: it " + a.Problem, Warning: true,
			Kind: frontmatter.NoAddress,
		})
	}
	fields := map[string]string{}
	for _, p := range problems {
		if p.Warning {
			out.notice(p)
			continue
		}
		field := cmp.Or(p.Field, "file")
		if fields[field] == "" {
			fields[field] = p.Error()
		}
	}
	if err := apperr.InvalidFields(fields); err != nil {
		return f, err
	}
	// Two files of one post would overwrite each other at every run.
	if f.Author == "" {
		f.Author = i.Author
	}
	slug, _ := posts.CheckSlug(f.Slug)
	if other, taken := i.slugs[slug]; taken && slug != "" {
		return f, refusedAt(f, f.LineOf("slug"), "slug", fmt.Sprintf("%q is that of %s, too", slug, shown(other)),
			"give one of them another `slug:`")
	}
	i.slugs[slug] = name
	return f, nil
}

// keyOf returns the key of a file, derived from the key of the import.
func (i *importer) keyOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return i.Key + ":" + hex.EncodeToString(sum[:8])
}

// imageContext bounds the sending of one picture.
func (i *importer) imageContext() (context.Context, context.CancelFunc) {
	return i.within(i.s.operator())
}
