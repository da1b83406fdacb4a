package web

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/web/ui"
)

// conflict shows both versions of a post: what was typed, in the form, and what is stored. Nothing
// was overwritten; sending the form again overwrites it knowingly.
func (s *Site) conflict(w http.ResponseWriter, r *http.Request, d draft) error {
	p, err := s.load(w, r)
	if errors.Is(err, apperr.NotFound) {
		return s.gone(w, r, d)
	}
	if err != nil {
		return s.notSaved(w, r, nil, d, err)
	}
	theirs := s.stored(p)
	v := ui.ConflictView{
		Page: s.private(r, "Changed meanwhile", ui.NavAdmin), Form: ui.Form{Action: adminURL(p.ID, "")},
		Mine: version(d), Theirs: version(theirs), TheirsBy: p.Author, TheirsAt: p.UpdatedAt, TheirsURL: editURL(p.ID),
		Diff: diff(theirs.body, d.body), Do: d.do, Zone: s.Zone,
		Revision: strconv.FormatInt(p.Revision, 10), Key: repo.NewKey(), DraftKey: strconv.FormatInt(p.ID, 10),
	}
	s.write(w, r, http.StatusConflict, ui.Conflict(v))
	return nil
}

func version(d draft) ui.Version {
	return ui.Version{
		Title: d.title, Slug: d.slug, Description: d.description, Tags: d.tags, Body: d.body, PublishedAt: d.date,
	}
}

// maxDiff bounds the work of a diff, which is the product of the numbers of changed lines.
const maxDiff = 2_000_000

// diff compares two texts line by line, by the longest common subsequence of what lies between
// their common beginning and end.
func diff(theirs, mine string) []ui.DiffLine {
	a, b := strings.Split(theirs, "\n"), strings.Split(mine, "\n")
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	end := 0
	for end < len(a)-start && end < len(b)-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	out := same(a[:start])
	out = append(out, middle(a[start:len(a)-end], b[start:len(b)-end])...)
	return fold(append(out, same(a[len(a)-end:])...))
}

func same(lines []string) []ui.DiffLine { return lined(ui.DiffSame, lines) }

func lined(kind string, lines []string) []ui.DiffLine {
	var out []ui.DiffLine
	for _, l := range lines {
		out = append(out, ui.DiffLine{Kind: kind, Text: l})
	}
	return out
}

func middle(a, b []string) []ui.DiffLine {
	if len(a)*len(b) > maxDiff {
		return append(lined(ui.DiffTheirs, a), lined(ui.DiffMine, b)...)
	}
	// common[i][j] is the length of the longest common subsequence of a[i:] and b[j:].
	common := make([][]int32, len(a)+1)
	for i := range common {
		common[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out []ui.DiffLine
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			out = append(out, ui.DiffLine{Kind: ui.DiffSame, Text: a[i]})
			i++
			j++
		case common[i+1][j] >= common[i][j+1]:
			out = append(out, ui.DiffLine{Kind: ui.DiffTheirs, Text: a[i]})
			i++
		default:
			out = append(out, ui.DiffLine{Kind: ui.DiffMine, Text: b[j]})
			j++
		}
	}
	return append(append(out, lined(ui.DiffTheirs, a[i:])...), lined(ui.DiffMine, b[j:])...)
}

// contextLines is how many equal lines are shown around a difference.
const contextLines = 3

// fold replaces long runs of equal lines by a line that counts them.
func fold(lines []ui.DiffLine) []ui.DiffLine {
	var out []ui.DiffLine
	for i := 0; i < len(lines); {
		j := i
		for j < len(lines) && lines[j].Kind == ui.DiffSame {
			j++
		}
		if j == i {
			out = append(out, lines[i])
			i++
			continue
		}
		head, tail := contextLines, contextLines
		if i == 0 {
			head = 0
		}
		if j == len(lines) {
			tail = 0
		}
		if j-i <= head+tail+1 {
			out = append(out, lines[i:j]...)
		} else {
			out = append(out, lines[i:i+head]...)
			out = append(out, ui.DiffLine{Kind: ui.DiffSkip, Text: strconv.Itoa(j-i-head-tail) + " lines"})
			out = append(out, lines[j-tail:j]...)
		}
		i = j
	}
	return out
}
