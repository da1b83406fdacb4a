package main

import (
	"path"
	"strings"

	"blog/internal/dialect"
	"blog/internal/frontmatter"
)

// translate makes Markdown of what other systems write into a file's text, and says what it has not.
// links gives the addresses of the posts that the text refers to; nil where there are none.
func translate(f *frontmatter.File, vault bool, links *linker) []frontmatter.Problem {
	if f.Verbatim {
		return nil
	}
	opt := dialect.Options{Vault: vault, MDX: strings.EqualFold(path.Ext(f.Name), ".mdx")}
	if links != nil {
		opt.Link, opt.Missing = links.link, links.missing
	}
	translated := dialect.Text(f.Body, opt)
	problems := make([]frontmatter.Problem, 0, len(translated.Notes))
	for _, n := range translated.Notes {
		p := frontmatter.Problem{
			File: shown(f.Name), Line: f.BodyLine(n.Line), Field: n.What, Message: n.Message, Warning: true,
			Kind: noMeaning,
		}
		if n.Link {
			p.Kind = noTarget
		}
		problems = append(problems, p)
	}
	f.Translated(translated.Text, translated.Line)
	return problems
}
