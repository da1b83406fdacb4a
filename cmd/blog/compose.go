package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"blog/internal/frontmatter"
	"blog/internal/posts"
	"blog/internal/repo"
)

type postNewCmd struct {
	Title       *string  `placeholder:"T" help:"Its title; needed unless the file has one."`
	Slug        string   `placeholder:"S" help:"The last part of its address (default: made from the title)."`
	Tag         []string `placeholder:"T" sep:"none" help:"A tag; may be given several times."`
	Description string   `placeholder:"TEXT" help:"What it is about, in a sentence."`
	Permalink   []string `placeholder:"PATH" sep:"none" help:"A further address at the root, such as /hello."`
	Draft       bool     `help:"Keep it as a draft."`
	At          string   `placeholder:"DATE" help:"Its date; one to come schedules it. A day, or a day and a time, in BLOG_TIMEZONE where it names no zone."`
	Author      string   `placeholder:"A" help:"E-mail address or name of its author (default: the first author)."`
	File        string   `arg:"" optional:"" help:"Its Markdown, or - for standard input. Front matter in it counts where no flag says otherwise."`
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
	create := posts.Create{Body: string(text), Publish: !c.Draft}
	if hasFront(text) {
		if create, err = s.fromFile(c, text); err != nil {
			return err
		}
	} else if c.Title == nil {
		return usage("post new needs --title, or a file whose front matter has one")
	}
	c.override(&create, at)
	done := "Published"
	if !create.Publish {
		done = "Kept as a draft"
	}
	return writePost(s, c.writing, create, done)
}

// override puts in what the flags say.
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

func hasFront(text []byte) bool {
	return bytes.HasPrefix(text, []byte("---\n")) || bytes.HasPrefix(text, []byte("---\r\n")) || bytes.HasPrefix(text, []byte("\xef\xbb\xbf---"))
}

// fromFile returns the post that a file with front matter describes.
func (s *session) fromFile(c postNewCmd, text []byte) (posts.Create, error) {
	loc, err := s.location()
	if err != nil {
		return posts.Create{}, err
	}
	name := filepath.ToSlash(c.File)
	if c.File == "-" {
		name = "post.md"
	}
	f, problems := frontmatter.Parse(name, text, loc)
	fields := map[string]string{}
	for _, p := range problems {
		if p.Warning {
			_, _ = fmt.Fprintln(s.err, "blog:", p.Error())
		} else {
			fields[p.Field] = p.Error()
		}
	}
	if err := repo.InvalidFields(fields); err != nil {
		return posts.Create{}, err
	}
	create := posts.Create{
		Title: f.Title, Description: f.Description, Author: f.Author, Body: f.Body, Tags: f.Tags, Permalinks: f.Permalinks,
		PublishedAt: f.PublishedAt, Publish: !c.Draft && (!f.HasDraft || !f.Draft),
	}
	if f.HasSlug { // the file's name is no choice of a slug here
		create.Slug = f.Slug
	}
	return create, nil
}

type postEditCmd struct {
	target
	Title       *string  `placeholder:"T" help:"Its new title."`
	NewSlug     *string  `name:"slug" placeholder:"S" help:"Its new slug; the old one leads here."`
	Tag         []string `placeholder:"T" sep:"none" help:"Its tags, in place of those it has; may be given several times."`
	NoTags      bool     `help:"Take all tags away."`
	Description *string  `placeholder:"TEXT" help:"What it is about, in a sentence."`
	Permalink   []string `placeholder:"PATH" sep:"none" help:"Its further addresses, in place of those it has."`
	Body        string   `placeholder:"FILE" help:"Its Markdown: a file, or - for standard input."`
	At          string   `placeholder:"DATE" help:"Its date."`
	NoDate      bool     `help:"Take a draft's date away."`
	Revision    int64    `help:"The revision that this edit was made on (default: whatever it is by then). Another one is refused as a conflict."`
	writing
}

// Run changes the post. Without --revision it reads nothing here first: the same
// call has to be the same command when it is sent again.
func (c postEditCmd) Run(s *session) error {
	update := posts.Update{Target: c.post(), Revision: c.Revision, Title: c.Title, Slug: c.NewSlug, Description: c.Description, ClearDate: c.NoDate}
	if c.Tag != nil || c.NoTags {
		labels := append([]string{}, c.Tag...) // none is [], not null
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
	if update.Title == nil && update.Slug == nil && update.Tags == nil && update.Description == nil && update.Permalinks == nil && at == nil && !c.NoDate && update.Body == nil {
		return usage("post edit needs what to change, such as --title or --body FILE")
	}
	return writePost(s, c.writing, update, "Changed")
}

// readText reads a file, standard input for -, nothing for "".
func (s *session) readText(file string) ([]byte, error) {
	from := s.in
	switch file {
	case "":
		return nil, nil
	case "-":
	default:
		f, err := os.Open(filepath.Clean(file))
		if err != nil {
			return nil, repo.Errorf(repo.Invalid, "The file cannot be read: %v.", errors.Unwrap(err))
		}
		defer func() { _ = f.Close() }() // only read
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, frontmatter.MaxSize+1))
	if err != nil {
		return nil, repo.Errorf(repo.Invalid, "%s cannot be read: %v.", file, err)
	}
	if len(text) > frontmatter.MaxSize {
		return nil, repo.Errorf(repo.Invalid, "%s has more than %d bytes, the most a post's file may have.", file, frontmatter.MaxSize)
	}
	return text, nil
}

// date reads a date as the command line has it, nil for none.
func (s *session) date(text string) (*time.Time, error) {
	if text == "" {
		return nil, nil // no date is none
	}
	loc, err := s.location()
	if err != nil {
		return nil, err
	}
	t, problem := frontmatter.ParseDate(strings.TrimSpace(text), loc)
	if problem != nil {
		return nil, repo.InvalidFields(map[string]string{"published_at": problem.Message + "; " + problem.Hint})
	}
	return &t, nil
}
