package main

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"blog/internal/apperr"
	"blog/internal/frontmatter"
	"blog/internal/posts"
	"blog/internal/tags"
)

// located returns err, a refusal of what f says, in the form of the front matter parser's errors:
// with file, line and what to write instead.
func located(f frontmatter.File, err error) error {
	if err == nil || len(apperr.From(err).Fields) == 0 || fatal(err) {
		return err
	}
	e := *apperr.From(err)
	e.Fields = map[string]string{}
	for field, message := range apperr.From(err).Fields {
		e.Fields[field] = at(f, f.LineOf(field), field, strings.TrimSuffix(message, "."), hint(f, field))
	}
	return &e
}

func at(f frontmatter.File, line int, field, message, hint string) string {
	return frontmatter.Problem{File: shown(f.Name), Line: line, Field: field, Message: message, Hint: hint}.Error()
}

// refusedAt returns a refusal of one field, when its line and what to write instead are known.
func refusedAt(f frontmatter.File, line int, field, message, hint string) error {
	return apperr.InvalidFields(map[string]string{field: at(f, line, field, message, hint)})
}

// hint returns what to write instead, or "" when the refusal says it.
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
	hint := "remove it here or there" // all are well formed, so another post has one of them
	for _, p := range paths {
		if _, problem := posts.CheckPermalink(p); problem == "" {
			continue
		}
		hint = "write paths such as /about or /2019/a-post"
		u, err := url.Parse(strings.TrimSpace(p))
		if err != nil {
			continue
		}
		// The value is an address, or a path with a query, and its path is what was meant.
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

// check refuses what the primary would refuse of f without reading other posts. A dry run, which
// sends nothing, uses it.
func check(f frontmatter.File) error {
	fields := map[string]string{}
	if _, problem := posts.CheckSlug(f.Slug); problem != "" {
		fields["slug"] = problem
	}
	for _, p := range posts.NewImport(f, nil).Permalinks {
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
		fields["tags"] = apperr.From(err).Message
	}
	return apperr.InvalidFields(fields)
}
