package main

import (
	"time"

	"blog/internal/apperr"
	"blog/internal/frontmatter"
	"blog/internal/posts"
)

// otherAuthor gives a file whose author is nobody here the one that the command line names. It reports
// whether that was why the file was refused.
func (i *importer) otherAuthor(f *frontmatter.File, why *apperr.Error, out *importedFile) bool {
	if i.Author == "" || f.Author == i.Author || !onlyField(why, "author") {
		return false
	}
	out.notice(frontmatter.Problem{
		File: shown(f.Name), Line: f.LineOf("author"), Field: "author", Kind: frontmatter.Choice, Warning: true,
		Message: f.Author + " is nobody here, so the post is by " + i.Author,
	})
	f.Author = i.Author
	return true
}

// withoutAddresses takes from a file the addresses that its post had in another system, where another
// post has one of them. It reports whether that can be why the file was refused.
func withoutAddresses(f *frontmatter.File, why *apperr.Error, out *importedFile) bool {
	if len(f.Addresses) == 0 || !onlyField(why, "permalinks") {
		return false
	}
	said := map[string]bool{}
	for _, a := range posts.LeftAddresses(*f) {
		said[a.Path] = true
	}
	theirs := map[string]bool{}
	for _, a := range f.Addresses {
		theirs[a.Path] = true
		if said[a.Path] {
			continue
		}
		out.notice(frontmatter.Problem{
			File: shown(f.Name), Line: a.Line, Field: a.Key, Kind: frontmatter.NoAddress, Warning: true,
			Message: a.Path + " is left out: another post has an address of this file's",
		})
	}
	var ours []string
	for _, p := range f.Permalinks {
		if !theirs[p] {
			ours = append(ours, p)
		}
	}
	f.Permalinks, f.Addresses = ours, nil
	return true
}

func onlyField(why *apperr.Error, field string) bool {
	return len(why.Fields) == 1 && why.Fields[field] != ""
}

// await mentions that a post is not for everybody yet.
func await(f frontmatter.File, state posts.State, out *importedFile) {
	if state != posts.Scheduled || f.PublishedAt == nil {
		return
	}
	out.notice(frontmatter.Problem{
		File: shown(f.Name), Line: f.LineOf("published_at"), Kind: frontmatter.Private, Warning: true,
		Message: "the post is scheduled: it is for everybody from " + f.PublishedAt.Format(time.RFC3339) + " on",
	})
}
