package main

import (
	"path"
	"strings"

	"blog/internal/dialect"
	"blog/internal/frontmatter"
)

// translate makes Markdown of what other systems write into a file's text, and says what it has not.
// link gives the address of the post that the text calls ref; nil where there is none.
func translate(f *frontmatter.File, vault bool, link func(ref string) (string, bool)) []frontmatter.Problem {
	if f.Verbatim {
		return nil
	}
	translated := dialect.Text(f.Body, dialect.Options{
		Vault: vault, MDX: strings.EqualFold(path.Ext(f.Name), ".mdx"), Link: link,
	})
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
