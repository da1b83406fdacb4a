package main

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"blog/internal/frontmatter"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/tags"
)

// located returns a refusal of what f says as the parser of front matter words
// its own: with file, line and what to write instead.
func located(f frontmatter.File, err error) error {
	if err == nil || len(repo.AsError(err).Fields) == 0 || fatal(err) {
		return err
	}
	e := *repo.AsError(err)
	e.Fields = map[string]string{}
	for field, message := range repo.AsError(err).Fields {
		e.Fields[field] = at(f, f.LineOf(field), field, strings.TrimSuffix(message, "."), hint(f, field))
	}
	return &e
}

func at(f frontmatter.File, line int, field, message, hint string) string {
	return frontmatter.Problem{File: shown(f.Name), Line: line, Field: field, Message: message, Hint: hint}.Error()
}

// refusedAt is a refusal of one field whose line and remedy are known.
func refusedAt(f frontmatter.File, line int, field, message, hint string) error {
	return repo.InvalidFields(map[string]string{field: at(f, line, field, message, hint)})
}

// hint is what to write instead, "" where the refusal says it itself.
func hint(f frontmatter.File, field string) string {
	switch field {
	case "permalinks":
		return permalinkHint(f.Permalinks)
	case "slug":
		return slugHint(f)
	case "title":
		if !f.HasTitle {
			return "write title: and a title of one line"
		}
		return "write a shorter or plainer title"
	case "description":
		return "write a sentence or two of plain text"
	case "tags":
		return "write a list of short words, such as tags: [go, sqlite]"
	case "author":
		return "or write the e-mail address or name of one who is"
	}
	return ""
}

func permalinkHint(paths []string) string {
	hint := "remove it here or there" // all are well written: another post has one
	for _, p := range paths {
		if _, problem := posts.CheckPermalink(p); problem == "" {
			continue
		}
		hint = "write paths such as /about or /2019/a-post"
		u, err := url.Parse(strings.TrimSpace(p))
		if err != nil {
			continue
		}
		// An address, or a path with a query: the path is what was meant.
		if stored, problem := posts.CheckPermalink(u.Path); problem == "" && stored != "/" {
			return "write the path: " + stored
		}
	}
	return hint
}

func slugHint(f frontmatter.File) string {
	other := posts.Slugify(f.Slug)
	if stored, problem := posts.CheckSlug(other); problem != "" || stored == f.Slug {
		other = strings.Trim("post-"+other, "-")
	}
	if _, problem := posts.CheckSlug(other); problem != "" || other == "post" {
		return "write slug: and another one"
	}
	line := "write slug: " + other
	if !f.HasSlug {
		line = "it comes from the file's name; " + line
	}
	return line
}

// check refuses what the primary would refuse of f without looking at other
// posts: for a dry run, which sends nothing.
func check(f frontmatter.File) error {
	fields := map[string]string{}
	if _, problem := posts.CheckSlug(f.Slug); problem != "" {
		fields["slug"] = problem
	}
	for _, p := range f.Permalinks {
		if _, problem := posts.CheckPermalink(p); problem != "" {
			fields["permalinks"] = problem
		}
	}
	if utf8.RuneCountInString(f.Title) > posts.MaxTitle {
		fields["title"] = fmt.Sprintf("is longer than %d characters", posts.MaxTitle)
	}
	if utf8.RuneCountInString(f.Description) > posts.MaxDescription {
		fields["description"] = fmt.Sprintf("is longer than %d characters", posts.MaxDescription)
	}
	if _, err := tags.NormalizeAll(f.Tags); err != nil {
		fields["tags"] = repo.AsError(err).Message
	}
	return repo.InvalidFields(fields)
}
