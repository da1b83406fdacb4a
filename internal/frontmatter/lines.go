package frontmatter

import (
	"html"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Translated puts text in place of the body. lines gives the line of the body before for a line of text.
func (f *File) Translated(text string, lines func(n int) int) {
	f.Body, f.lines = text, lines
}

// LineOf returns the line, from 1, of the field with this key: the line of the key, for "body" that
// of the text, otherwise the first one. "date" and "published_at" are one field.
func (f File) LineOf(key string) int {
	if key == "body" {
		return max(f.parts.firstOfBody, 1)
	}
	for _, it := range f.items {
		if it.field != none && it.field == known(key) {
			return it.line
		}
	}
	return 1
}

// BodyLine returns the line of the file, from 1, that line n of Body comes from.
func (f File) BodyLine(n int) int {
	if f.lines != nil {
		n = f.lines(n)
	}
	return f.LineOf("body") + n - 1
}

// LineWith returns the first line, from 1, in which the text has the path of a file, also one that is
// written as HTML or with percent signs, or else the first line of the text. A line in which the path is
// the end of another one counts only where there is no better one.
func (f File) LineWith(part string) int {
	if part == "" || f.parts.body >= len(f.Raw) {
		return f.LineOf("body")
	}
	raw := string(f.Raw[f.parts.body:])
	inAnother := 0
	for _, decoded := range []func(string) string{strings.Clone, html.UnescapeString, withoutPercents} {
		text := decoded(raw)
		at, alone := find(text, part)
		if at < 0 {
			continue
		}
		line := lineOf([]byte(text), at) + f.LineOf("body") - 1
		if alone {
			return line
		}
		if inAnother == 0 {
			inAnother = line
		}
	}
	return max(inAnother, f.LineOf("body"))
}

// find returns the first place at which the text has part, -1 where there is none. alone reports whether no
// letter or sign of a path stands before it; a place where none does comes first.
func find(text, part string) (at int, alone bool) {
	first := strings.Index(text, part)
	for at = first; at >= 0; {
		last, _ := utf8.DecodeLastRuneInString(text[:at])
		if last == utf8.RuneError ||
			!unicode.IsLetter(last) && !unicode.IsNumber(last) && !strings.ContainsRune("-_./%", last) {
			return at, true
		}
		next := strings.Index(text[at+len(part):], part)
		if next < 0 {
			break
		}
		at += len(part) + next
	}
	return first, false
}

// withoutPercents decodes each byte that is written with a percent sign, but for the ends of lines.
func withoutPercents(s string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "%")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		s = after
		if len(s) >= 2 {
			if c, err := strconv.ParseUint(s[:2], 16, 8); err == nil && c != '\n' && c != '\r' {
				b.WriteByte(byte(c))
				s = s[2:]
				continue
			}
		}
		b.WriteByte('%')
	}
}
