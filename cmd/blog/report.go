package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"blog/internal/apperr"
	"blog/internal/foreign"
	"blog/internal/frontmatter"
	"blog/internal/markdown"
	"blog/internal/posts"
	"blog/internal/repo"
)

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
	// Notices are what is to be said of a file that goes in, and Warnings the same as lines.
	Notices  []notice `json:"notices,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	// Would is the state that the post would have, with --dry-run.
	Would posts.State `json:"would,omitempty"`
	Error *shownError `json:"error,omitempty"`

	at string // where it is in an export
}

// notice is one thing that is to be said of a file that goes in.
type notice struct {
	Kind    frontmatter.Kind `json:"kind"`
	Line    int              `json:"line"`
	What    string           `json:"what,omitempty"` // the key, or what stands in the text
	Message string           `json:"message"`
	Hint    string           `json:"hint,omitempty"`
}

// Further kinds of notices.
const (
	noPicture = foreign.Picture // one that cannot be had
	notShown  = foreign.Lost
	noMeaning = foreign.Text
	noTarget  = foreign.Link // a link that leads to no file
)

// notice adds what a problem says.
func (f *importedFile) notice(p frontmatter.Problem) {
	f.Notices = append(f.Notices, notice{Kind: p.Kind, Line: p.Line, What: p.Field, Message: p.Message, Hint: p.Hint})
	f.Warnings = append(f.Warnings, p.Error())
}

// notShown adds what of a text posts do not show. A component of MDX has been named already.
func (f *importedFile) notShown(file frontmatter.File, warnings []markdown.Warning) {
	before := f.Notices
	for _, w := range warnings {
		line := file.BodyLine(w.Line)
		if slices.ContainsFunc(before, func(n notice) bool {
			return n.Line == line && strings.HasPrefix(n.What, "<") && strings.HasPrefix(w.Text, strings.ToLower(n.What))
		}) {
			continue
		}
		f.notice(frontmatter.Problem{File: shown(file.Name), Line: line, Kind: notShown, Warning: true, Message: w.Text})
	}
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
	LeftOut   map[string]int `json:"left_out"`             // how many of each kind were left out
	LeftFiles []leftFile     `json:"left_files,omitempty"` // what is none of a blog's posts
	// LeftEntries is what of an export is in no post.
	LeftEntries []leftEntries `json:"left_entries,omitempty"`
	Error       *shownError   `json:"error,omitempty"` // why it broke off
}

// note counts what became of a file, and says what needs a look.
func (i *importer) note(out importedFile, err error) {
	if err != nil {
		out.Status, out.Error = statusRefused, shownIn(plain(err))
		if apperr.HasReason(err, posts.Edited) {
			out.Status = statusConflict
		}
	}
	i.locate(&out)
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
	for _, n := range out.Notices {
		if n.Kind != frontmatter.Doubt {
			i.sum.LeftOut[string(n.Kind)]++
		}
	}
	i.sum.Files = append(i.sum.Files, out)
	if i.s.json {
		return
	}
	for n, w := range out.Warnings {
		if out.Notices[n].Kind != frontmatter.KeyIgnored { // a report has these by the hundred: it counts them
			_, _ = fmt.Fprintln(i.s.err, w)
		}
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
	name := cmp.Or(out.at, shown(out.File))
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
	} else {
		i.listLeftOut()
	}
	switch {
	case i.s.json:
	case i.DryRun:
		i.s.say("%d checked, %d refused", sum.Checked, sum.Refused)
	case err == nil || len(sum.Files) > 0:
		i.s.say("%d new, %d updated, %d unchanged, %d conflicts, %d refused", sum.New, sum.Updated, sum.Unchanged,
			sum.Conflicts, sum.Refused)
	}
	switch {
	case err != nil && i.s.json:
		return &reportedError{err}
	case err != nil:
		return err
	case sum.Conflicts+sum.Refused > 0:
		return &reportedError{apperr.Errorf(apperr.Conflict, "some files were not imported")}
	}
	return nil
}

// listLeftOut prints how many of each kind were left out, keys and what stands in texts by their names.
func (i *importer) listLeftOut() {
	const most = 50 // of files; the answer in JSON has them all
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(i.s.err, format+"\n", args...) }
	for n, f := range i.sum.LeftFiles {
		if n == most {
			say("and %d more files and folders are not imported", len(i.sum.LeftFiles)-most)
			break
		}
		say("%s: not imported: %s", shown(f.File), f.Reason)
	}
	for _, l := range i.sum.LeftEntries {
		say("%d %s", l.Count, l.Reason)
	}
	for _, k := range []struct {
		kind      frontmatter.Kind
		one, many string
	}{
		{foreign.Page, "page is a draft of a post", "pages are drafts of posts"},
		{foreign.Term, "term becomes no tag", "terms become no tags"},
		{frontmatter.Private, "says until when, or that, it is not for everybody",
			"say until when, or that, they are not for everybody"},
		{frontmatter.Choice, "could be read in two ways", "could be read in two ways"},
		{frontmatter.KeyIgnored, "key means nothing here and is kept for the export",
			"keys mean nothing here and are kept for the export"},
		{frontmatter.NoAddress, "old address does not lead to its post", "old addresses do not lead to their post"},
		{noPicture, "picture is not shown", "pictures are not shown"},
		{notShown, "part of a text is not shown", "parts of texts are not shown"},
		{noMeaning, "piece of text means nothing here and stays as it is",
			"pieces of text mean nothing here and stay as they are"},
		{noTarget, "link leads to no file", "links lead to no file"},
	} {
		switch n := i.sum.LeftOut[string(k.kind)]; n {
		case 0:
		case 1:
			say("1 %s%s", k.one, i.byName(k.kind))
		default:
			say("%d %s%s", n, k.many, i.byName(k.kind))
		}
	}
}

// byName counts what is of one kind by name, the most frequent first.
func (i *importer) byName(kind frontmatter.Kind) string {
	count := map[string]int{}
	for _, f := range i.sum.Files {
		for _, n := range f.Notices {
			if n.Kind == kind && n.What != "" {
				count[n.What]++
			}
		}
	}
	names := slices.Sorted(maps.Keys(count))
	slices.SortStableFunc(names, func(a, b string) int { return count[b] - count[a] })
	for n, name := range names {
		names[n] = fmt.Sprintf("%s (%d)", shown(name), count[name])
	}
	if len(names) == 0 {
		return ""
	}
	return ": " + strings.Join(names, ", ")
}
