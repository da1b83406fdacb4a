package compose

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// CheckReadYourWrites checks that every reader who writes reads what they wrote, at any node. No
// page that they ask for after the answer shows the post as it was before their write, or without
// it, unless a later write of another explains that. A page that says that something is missing
// (Stale), or no page (503), is no violation.
func CheckReadYourWrites(observations []Observation, ops []Op) error {
	var wrong []string
	known := byKey(ops)
	deletions := map[string][]Op{} // by the key of the write that made the post
	for _, op := range ops {
		if op.Kind == Delete {
			deletions[op.Born] = append(deletions[op.Born], op)
		}
	}
	pages := map[string][]Observation{}
	for _, s := range observations {
		if s.Cookie && s.Stale == 0 && (s.Status == http.StatusOK || s.Status == http.StatusNotFound) {
			pages[s.Reader] = append(pages[s.Reader], s)
		}
	}
	for _, op := range ops {
		for reader, since := range op.Readers {
			for _, s := range pages[reader] {
				if s.Start < since {
					continue
				}
				if w := s.lacks(op, known, deletions[op.Born]); w != "" {
					wrong = append(wrong, fmt.Sprintf("%s %s, after their own %s of %s by %s was acknowledged at %s",
						s.where(), w, op.Kind, op.Post, op.Key, since.Round(time.Millisecond)))
				}
			}
		}
	}
	return problems("readers who write", wrong)
}

// lacks returns what the page does not show of the reader's own op, or "" when it shows the op or
// is about something else. deletions are those of the op's post.
func (s *Observation) lacks(op Op, known map[string]Op, deletions []Op) string {
	if op.Kind == Upload {
		if s.Status == http.StatusNotFound && strings.Contains(s.Path, op.Picture) {
			return "does not find the picture"
		}
		return ""
	}
	gone := func() bool { // it may have been deleted by then
		return slices.ContainsFunc(deletions, func(d Op) bool { return s.mayHave(d, op.Revision) })
	}
	shown := 0
	for _, v := range s.Shown {
		if v.Post != op.Post {
			continue
		}
		shown++
		switch {
		case known[v.Key].Born != op.Born: // another post that has had the name
		case op.Kind == Delete:
			return fmt.Sprintf("shows revision %d", v.Revision)
		case (op.Kind == Create || op.Kind == Edit) && v.Revision < op.Revision:
			return fmt.Sprintf("shows revision %d", v.Revision)
		}
	}
	if s.Only == op.Post && op.Kind != Delete && shown == 0 && !gone() {
		return fmt.Sprintf("does not show it (status %d)", s.Status)
	}
	return ""
}

// CheckEarly returns the pages that show a scheduled post before its date. A reader who is signed
// in may see it earlier.
func CheckEarly(observations []Observation, ops []Op) error {
	var wrong []string
	known := byKey(ops)
	published := map[string][]Op{} // by the key that made a post: an author published it, perhaps before its date
	for _, op := range ops {
		if op.Kind == Publish {
			published[op.Born] = append(published[op.Born], op)
		}
	}
	for _, s := range observations {
		for _, v := range s.Shown {
			post := known[known[v.Key].Born]
			early := func(p Op) bool { return s.mayHave(p, 0) }
			if !post.Due.IsZero() && !s.Cookie && s.End < post.DueAt && !slices.ContainsFunc(published[post.Key], early) {
				wrong = append(wrong, fmt.Sprintf("%s shows %s, which is due at %s", s.where(), v.Post,
					post.DueAt.Round(time.Millisecond)))
			}
		}
	}
	return problems("scheduled posts", wrong)
}
