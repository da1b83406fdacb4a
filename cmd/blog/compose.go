package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"blog/internal/apperr"
	"blog/internal/frontmatter"
	"blog/internal/posts"
)

type postNewCmd struct {
	Title       *string  `placeholder:"T" help:"Its title; needed unless the file has one."`
	Slug        string   `placeholder:"S" help:"The last part of its address (default: made from the title)."`
	Tag         []string `placeholder:"T" sep:"none" help:"A tag; may be given several times."`
	Description string   `placeholder:"TEXT" help:"What it is about, in a sentence."`
	Permalink   []string `placeholder:"PATH" sep:"none" help:"A further address at the root, such as /hello."`
	Draft       bool     `help:"Keep it as a draft."`
	At          string   `placeholder:"DATE" help:"${help_compose_at}"`
	Author      string   `placeholder:"A" help:"E-mail address or name of its author (default: the first author)."`
	File        string   `arg:"" optional:"" help:"${help_compose_file}"`
	writing
}

// Run creates the post.
func (c postNewCmd) Run(s *session) error {
	text, err := s.readText(c.File)
	if err != nil {
		return err
	}
	at, err := s.date(c.At)
	if err != nil {
		return err
	}
	hasFront := frontmatter.Has(text)
	if c.Title == nil && !hasFront && frontmatter.Hidden(text) == 0 {
		return usage("post new needs --title, or a file whose front matter has one")
	}
	create := posts.Create{Publish: !c.Draft}
	if c.File != "" {
		if create, err = s.fromFile(c, text, hasFront); err != nil {
			return err
		}
	}
	c.override(&create, at)
	done := "Published"
	if !create.Publish {
		done = "Kept as a draft"
	}
	return writePost(s, c.writing, create, done)
}

// override puts the values of flags in place of those from the file.
func (c postNewCmd) override(create *posts.Create, at *time.Time) {
	if c.Title != nil {
		create.Title = *c.Title
	}
	replace(&create.Slug, c.Slug)
	replace(&create.Description, c.Description)
	replace(&create.Author, c.Author)
	if c.Tag != nil {
		create.Tags = c.Tag
	}
	if c.Permalink != nil {
		create.Permalinks = c.Permalink
	}
	if at != nil {
		create.PublishedAt = at
	}
}

func replace(field *string, given string) {
	if given != "" {
		*field = given
	}
}

// fromFile returns the post that a file describes. One without front matter gives its text only; who may read it
// is told by the same rules.
func (s *session) fromFile(c postNewCmd, text []byte, hasFront bool) (posts.Create, error) {
	loc, err := s.location()
	if err != nil {
		return posts.Create{}, err
	}
	f, problems := parseAlone(c.File, text, loc)
	if !hasFront {
		problems = append(problems, notFront(f.Name, text, loc, c.Draft)...)
	}
	if !c.Draft {
		problems = append(problems, f.Doubts()...)
	}
	if c.File != "-" && !c.Draft && !f.HasDraft {
		f.Draft = false // without a date as well: who names a file means to publish it
		problems = append(problems, hidden(&f, sayingsOf(c.File))...)
	}
	fields := map[string]string{}
	for _, p := range problems {
		if p.Warning {
			_, _ = fmt.Fprintln(s.err, "blog:", p.Error())
		} else if field := cmp.Or(p.Field, "file"); fields[field] == "" {
			fields[field] = p.Error()
		}
	}
	if err := apperr.InvalidFields(fields); err != nil {
		return posts.Create{}, err
	}
	if p, ok := f.Expired(time.Now()); ok {
		_, _ = fmt.Fprintln(s.err, "blog:", p.Error())
		f.Draft = f.Draft || !f.Expires.After(time.Now())
		f.HasDraft = f.HasDraft || f.Draft
	}
	publish := !c.Draft && (!f.HasDraft || !f.Draft)
	if !hasFront {
		return posts.Create{Body: string(text), Publish: publish}, nil
	}
	for _, p := range translate(&f, false, nil) {
		_, _ = fmt.Fprintln(s.err, "blog:", p.Error())
	}
	create := posts.Create{
		Title: f.Title, Description: f.Description, Author: f.Author, Body: f.Body, Tags: f.Tags, Permalinks: f.Permalinks,
		PublishedAt: f.PublishedAt, Publish: publish, Pinned: f.Pinned,
	}
	if f.HasSlug { // the name of the file is no choice of a slug here
		create.Slug = f.Slug
	}
	return create, nil
}

// parseAlone parses a file that is no part of an import, as an import of its folder does: the folder's name says
// something of what is in it.
func parseAlone(file string, text []byte, loc *time.Location) (frontmatter.File, []frontmatter.Problem) {
	if file == "-" {
		return frontmatter.Parse("post.md", text, loc)
	}
	name := filepath.ToSlash(filepath.Clean(file))
	dir, below := ".", name
	if !filepath.IsLocal(file) {
		dir, below = filepath.Dir(file), path.Base(name)
	}
	folder := filepath.Base(dir)
	if whole, err := filepath.Abs(dir); err == nil {
		folder = filepath.Base(whole)
	}
	f, problems := frontmatter.ParseIn(folder, below, text, loc)
	f.Name = name
	for n := range problems {
		problems[n].File = name
	}
	return f, problems
}

// notFront refuses a text without front matter in whose first lines something else says that it may not be for
// everybody: an import makes a draft of every such text. Of a draft it is a warning.
func notFront(name string, text []byte, loc *time.Location, draft bool) []frontmatter.Problem {
	problem := frontmatter.Problem{File: name, Line: frontmatter.Hidden(text), Warning: draft}
	if problem.Line > 0 {
		problem.Message = "this is not read as front matter, because it does not start in line 1"
		problem.Hint = "remove what is above it, also what cannot be seen"
		return []frontmatter.Problem{problem}
	}
	if problem.Line, problem.Field = frontmatter.Stray(text, loc, time.Now()); problem.Line == 0 {
		return nil
	}
	problem.Message = "this may say that the text is not for everybody, and is not read as front matter"
	problem.Hint = "write front matter between two lines --- at the top of the file, or give --draft"
	return []frontmatter.Problem{problem}
}

type postEditCmd struct {
	target
	Title       *string  `placeholder:"T" help:"Its new title."`
	NewSlug     *string  `name:"slug" placeholder:"S" help:"Its new slug; the old one leads here."`
	Tag         []string `placeholder:"T" sep:"none" help:"${help_compose_tag}"`
	NoTags      bool     `help:"Take all tags away."`
	Description *string  `placeholder:"TEXT" help:"What it is about, in a sentence."`
	Permalink   []string `placeholder:"PATH" sep:"none" help:"Its further addresses, in place of those it has."`
	Body        string   `placeholder:"FILE" help:"Its Markdown: a file, or - for standard input."`
	At          string   `placeholder:"DATE" help:"Its date."`
	NoDate      bool     `help:"Take a draft's date away."`
	Revision    int64    `help:"${help_compose_revision}"`
	writing
}

// Run changes the post. Without --revision it does not read the post first: a command that is sent
// again has to be the same one.
func (c postEditCmd) Run(s *session) error {
	update := posts.Update{
		Target: c.post(), Revision: c.Revision, Title: c.Title, Slug: c.NewSlug, Description: c.Description,
		ClearDate: c.NoDate,
	}
	if c.Tag != nil || c.NoTags {
		labels := append([]string{}, c.Tag...) // without tags the JSON has [], not null
		update.Tags = &labels
	}
	if c.Permalink != nil {
		update.Permalinks = &c.Permalink
	}
	at, err := s.date(c.At)
	if err != nil {
		return err
	}
	update.PublishedAt = at
	if c.Body != "" {
		text, err := s.readText(c.Body)
		if err != nil {
			return err
		}
		body := string(text)
		update.Body = &body
	}
	if update.Title == nil && update.Slug == nil && update.Tags == nil && update.Description == nil &&
		update.Permalinks == nil && at == nil && !c.NoDate && update.Body == nil {
		return usage("post edit needs what to change, such as --title or --body FILE")
	}
	return writePost(s, c.writing, update, "Changed")
}

// readText returns the content of a file, or of standard input for "-", or nothing for "". It fails
// with Invalid when that is longer than frontmatter.MaxSize.
func (s *session) readText(file string) ([]byte, error) {
	from := s.in
	switch file {
	case "":
		return nil, nil
	case "-":
	default:
		f, err := os.Open(filepath.Clean(file))
		if err != nil {
			return nil, apperr.Errorf(apperr.Invalid, "The file cannot be read: %v.", cause(err))
		}
		defer func() { _ = f.Close() }() // only read
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, frontmatter.MaxSize+1))
	if err != nil {
		return nil, apperr.Errorf(apperr.Invalid, "%s cannot be read: %v.", file, cause(err))
	}
	if len(text) > frontmatter.MaxSize {
		return nil, apperr.Errorf(apperr.Invalid, "%s has more than %d bytes, the most a post's file may have.", file,
			frontmatter.MaxSize)
	}
	return text, nil
}

// date parses a date of the command line. It returns nil for "".
func (s *session) date(text string) (*time.Time, error) {
	if text == "" {
		return nil, nil // no date was given
	}
	loc, err := s.location()
	if err != nil {
		return nil, err
	}
	t, problem := frontmatter.ParseDate(strings.TrimSpace(text), loc)
	if problem != nil {
		return nil, apperr.InvalidFields(map[string]string{"published_at": problem.Message + "; " + problem.Hint})
	}
	return &t, nil
}
