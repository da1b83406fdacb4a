package posts

import (
	"slices"
	"strings"
	"unicode"
)

// segments splits s at hitStart and hitEnd.
func segments(s string) []Segment {
	var out []Segment
	for s != "" {
		before, remainder, found := strings.Cut(s, hitStart)
		if before = strings.ReplaceAll(before, hitEnd, ""); before != "" {
			out = append(out, Segment{Text: before})
		}
		if !found {
			break
		}
		hit, after, _ := strings.Cut(remainder, hitEnd)
		if hit != "" {
			out = append(out, Segment{Text: hit, Hit: true})
		}
		s = after
	}
	return out
}

// mark returns s with hitStart and hitEnd around each term of groups.
func mark(s string, groups [][]term) string {
	runes := []rune(s)
	in := hits(runes, groups)
	var b strings.Builder
	for i, r := range runes {
		if in[i] && (i == 0 || !in[i-1]) {
			b.WriteString(hitStart)
		}
		b.WriteRune(r)
		if in[i] && (i+1 == len(runes) || !in[i+1]) {
			b.WriteString(hitEnd)
		}
	}
	return b.String()
}

// hits returns for each character whether it is part of a term of groups, in any letter case.
func hits(text []rune, groups [][]term) []bool {
	in := make([]bool, len(text))
	lower := lowered(text)
	for _, g := range groups {
		for _, t := range g {
			word := lowered([]rune(t.text))
			if t.not || len(word) == 0 {
				continue
			}
			for i := 0; i+len(word) <= len(lower); i++ {
				if lower[i] == word[0] && slices.Equal(lower[i:i+len(word)], word) {
					for j := range word {
						in[i+j] = true
					}
				}
			}
		}
	}
	return in
}

// lowered returns text in lower case with the same number of characters, which strings.ToLower does
// not ensure.
func lowered(text []rune) []rune {
	out := make([]rune, len(text))
	for i, r := range text {
		out[i] = unicode.ToLower(r)
	}
	return out
}

// around returns the part of text around the first hit, with its hits marked.
func around(text string, groups [][]term) string {
	const before, after = 40, 160 // characters
	runes := []rune(text)
	at := max(0, slices.Index(hits(runes, groups), true))
	from, to := max(0, at-before), min(len(runes), at+after)
	piece := mark(string(runes[from:to]), groups)
	if from > 0 {
		piece = "…" + piece
	}
	if to < len(runes) {
		piece += "…"
	}
	return piece
}
