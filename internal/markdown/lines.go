package markdown

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// joinLines removes the ends of lines inside Chinese or Japanese text, where browsers would show a
// space, which these scripts do not have between words. It follows CSS Text 3, "Segment Break
// Transformation Rules": it removes an end of line between two characters as wide as ideographs,
// neither of them Hangul; beside a zero-width space; and beside a wide punctuation character, which
// contains its own space. Quotation marks, dashes and dots that both scripts share count as the text on
// their other side.
func joinLines(root *html.Node) {
	j := joiner{}
	j.walk(root)
}

// joiner visits the text in its order, across the borders of inline elements.
type joiner struct {
	last   *html.Node // the text node whose last end of line depends on the next text
	before rune       // the character before that
}

func (j *joiner) walk(n *html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == html.TextNode {
			j.text(c)
			continue
		}
		switch {
		case attribute(c, "role") == "doc-noteref":
			// The number of a footnote is no part of the sentence.
		case c.DataAtom == atom.Pre:
			j.reset()
		case kinds[c.DataAtom]&(block|structure|boundary|void) != 0:
			j.reset()
			j.walk(c)
			j.reset()
		default:
			j.walk(c)
		}
	}
}

func (j *joiner) reset() { j.last, j.before = nil, 0 }

// text removes the ends of lines inside a text node, and the one at the end of the text before it.
func (j *joiner) text(n *html.Node) {
	if j.last != nil && joins(j.before, firstSide(n.Data)) {
		j.last.Data = strings.TrimSuffix(j.last.Data, "\n")
	}
	j.last = nil
	if strings.IndexByte(n.Data, '\n') >= 0 {
		n.Data = joinWithin(j.before, n.Data)
	}
	if n.Data == "" {
		return
	}
	if before, ended := strings.CutSuffix(n.Data, "\n"); ended {
		j.last = n
		if before != "" {
			j.before = lastSide(before)
		}
		return
	}
	j.before = lastSide(n.Data)
}

// joinWithin removes the ends of lines inside s, except one that ends s. before is the character before s.
func joinWithin(before rune, s string) string {
	var b strings.Builder
	for {
		line, next, found := strings.Cut(s, "\n")
		b.WriteString(line)
		if !found {
			return b.String()
		}
		if line != "" {
			before = lastSide(line)
		}
		if next == "" || !joins(before, firstSide(next)) {
			b.WriteByte('\n')
			before = '\n'
		}
		s = next
	}
}

// isShared reports whether a character is punctuation of Latin as well as of Chinese and Japanese text.
func isShared(r rune) bool { return strings.ContainsRune("‘’“”…—‥·", r) }

// lastSide returns the last character of s that shows its script.
func lastSide(s string) rune {
	for {
		r, size := utf8.DecodeLastRuneInString(s)
		if size == 0 || !isShared(r) {
			return r
		}
		s = s[:len(s)-size]
	}
}

// firstSide returns the first character of s that shows its script.
func firstSide(s string) rune {
	for i, r := range s {
		if !isShared(r) && (r != utf8.RuneError || i > 0) {
			return r
		}
	}
	return ' '
}

// joins reports whether the end of line between two characters is removed.
func joins(before, after rune) bool {
	switch {
	case before == '\u200b', after == '\u200b':
		return true
	case unicode.Is(unicode.Hangul, before), unicode.Is(unicode.Hangul, after):
		return false
	case isCJK(before) && isWide(after), isWide(before) && isCJK(after):
		return true
	}
	return spacePunct(before) && !unicode.IsSpace(after) || spacePunct(after) && !unicode.IsSpace(before) && before != 0
}

// spacePunct reports whether a character is punctuation that contains its own space.
func spacePunct(r rune) bool {
	return r == '\u3000' || isCJK(r) && unicode.IsPunct(r)
}
