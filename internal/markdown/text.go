package markdown

import (
	"strings"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"golang.org/x/text/unicode/norm"
)

// Reading speeds. The blog has always used this number of words a minute; the number of characters
// a minute is what readers of Chinese and Japanese were found to read.
const (
	wordsPerMinute      = 260
	charactersPerMinute = 500
)

const (
	excerptShort = 200 // an excerpt is cut at the last end of a sentence after this many characters,
	excerptLong  = 280 // or at the last end of a word before this many
	maxIDLength  = 80  // characters of a heading's id

	headingPrefix = "h-" // ids made of text have it, so that none equals an id of the page
)

// writeText writes the text below n. Blocks end a line. It leaves out the marks of footnotes, which
// are not read with the sentence.
func writeText(b *strings.Builder, n *html.Node, alt bool) {
	switch {
	case n.Type == html.TextNode:
		b.WriteString(n.Data)
		return
	case n.Data == "img" && alt:
		b.WriteString(attribute(n, "alt"))
		return
	case isPlayer(n.DataAtom) && !alt:
		return // its text is a link for those who cannot play it
	case n.DataAtom == atom.Br:
		b.WriteByte('\n')
		return
	case attribute(n, "role") == "doc-noteref", attribute(n, "role") == "doc-backlink", n.DataAtom == atom.Rp:
		return
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		writeText(b, c, alt)
	}
	switch {
	case kinds[n.DataAtom]&(block|heading) != 0, n.DataAtom == atom.Tr, n.DataAtom == atom.Caption:
		b.WriteByte('\n')
	case n.DataAtom == atom.Td, n.DataAtom == atom.Th:
		b.WriteByte(' ')
	}
}

// joined returns the text below n on one line.
func joined(n *html.Node, alt bool) string {
	var b strings.Builder
	writeText(&b, n, alt)
	return strings.Join(strings.Fields(b.String()), " ")
}

func headingText(n *html.Node) string { return joined(n, false) }

// plainText returns the text below root, with a line for each block.
func plainText(root *html.Node) string {
	var b strings.Builder
	for c := root.FirstChild; c != nil; c = c.NextSibling {
		writeText(&b, c, true)
	}
	lines := strings.Split(b.String(), "\n")
	filled := lines[:0]
	for _, line := range lines {
		if line = strings.TrimRight(line, " \t"); strings.TrimSpace(line) != "" {
			filled = append(filled, line)
		}
	}
	return strings.Join(filled, "\n")
}

// headingID returns the id for a heading's text: letters, marks and digits of every script, with
// one hyphen for everything else.
func headingID(text string) string {
	var b strings.Builder
	hyphen, length := false, 0
	for _, r := range norm.NFC.String(strings.ToLower(text)) {
		switch {
		case unicode.IsLetter(r), unicode.IsMark(r) && length > 0, unicode.IsNumber(r):
			if hyphen && length > 0 {
				b.WriteByte('-')
				length++
			}
			hyphen = false
			if length >= maxIDLength {
				return headingPrefix + strings.TrimRight(b.String(), "-")
			}
			b.WriteRune(r)
			length++
		case r == '\'', r == '’', r == '\u200c', r == '\u200d', r == '\u00ad', unicode.IsMark(r):
			// These are part of a word, but invisible in an address.
		default:
			hyphen = true
		}
	}
	if length == 0 {
		return headingPrefix + "section" // only punctuation or emoji
	}
	return headingPrefix + b.String()
}

// excerpt returns the first paragraphs as text.
func excerpt(root *html.Node) string {
	var b strings.Builder
	collect := func(paragraphsOnly bool) {
		for c := root.FirstChild; c != nil && b.Len() < excerptLong*8; c = c.NextSibling {
			switch c.DataAtom {
			case atom.P:
			case atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Section:
				continue
			default:
				if paragraphsOnly {
					continue
				}
			}
			writeText(&b, c, !paragraphsOnly)
		}
	}
	collect(true)
	if strings.TrimSpace(b.String()) == "" {
		collect(false)
	}
	return shorten(strings.Join(strings.Fields(b.String()), " "), excerptShort, excerptLong)
}

// shorten cuts text to at most long characters: behind a sentence that ends after short, otherwise
// between words, otherwise at least not inside a character that consists of several.
func shorten(text string, short, long int) string {
	runes := []rune(text)
	if len(runes) <= long {
		return text
	}
	sentence, word, cluster := 0, 0, 0
	for i := 1; i < long; i++ { // a cut before i; one place is for the ellipsis
		if !clusterBorder(runes, i) {
			continue
		}
		cluster = i
		before := runes[i-1]
		switch {
		case strings.ContainsRune("。！？", before), runes[i] == ' ' && strings.ContainsRune(".!?…؟।", before):
			sentence, word = i, i
		case runes[i] == ' ', isIdeograph(before) && isIdeograph(runes[i]):
			word = i
		}
	}
	switch {
	case sentence >= short && sentence > 0:
		return string(runes[:sentence])
	case word >= short/2 && word > 0:
		return strings.TrimRight(string(runes[:word]), " ,;:–—-") + "…"
	case cluster == 0:
		cluster = long - 1 // one character with hundreds of marks
	}
	return string(runes[:cluster]) + "…"
}

// clusterBorder reports whether a cut before runes[i] splits nothing that is seen as one character.
// It knows marks, joiners, skin tones and flags, which are all that occurs in prose. Unicode's
// annex 29 has a few more.
func clusterBorder(runes []rune, i int) bool {
	before, after := runes[i-1], runes[i]
	switch {
	case unicode.IsMark(after), after == '\u200d', before == '\u200d', after == '\u200c':
		return false
	case after >= 0x1f3fb && after <= 0x1f3ff: // skin tones
		return false
	case after >= 0xe0020 && after <= 0xe007f: // flags of regions
		return false
	case isRegional(before) && isRegional(after):
		run := 0
		for j := i - 1; j >= 0 && isRegional(runes[j]); j-- {
			run++
		}
		return run%2 == 0
	case after >= 0x1160 && after <= 0x11ff: // the later parts of a Korean syllable
		return false
	}
	return true
}

func isRegional(r rune) bool { return r >= 0x1f1e6 && r <= 0x1f1ff }

// isIdeograph reports whether a character is about a word or a syllable, so that a line can be
// broken before and after it.
func isIdeograph(r rune) bool {
	return r >= 0x2e80 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana)
}

// isUnspaced reports whether a letter belongs to a script without spaces between words. About five
// such letters make a word.
func isUnspaced(r rune) bool {
	return r >= 0xe00 && unicode.In(r, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// readingMinutes returns how long a text takes to read, rounded up.
func readingMinutes(text string) int {
	words, characters, letters := 0, 0, 0
	inWord := false
	for _, r := range text {
		switch {
		case isIdeograph(r):
			characters++
			inWord = false
		case isUnspaced(r):
			letters++
			inWord = false
		case unicode.IsSpace(r):
			inWord = false
		case !inWord && (unicode.IsLetter(r) || unicode.IsNumber(r)):
			words++
			inWord = true
		}
	}
	words += letters / 5
	perMinute := wordsPerMinute * charactersPerMinute
	load := words*charactersPerMinute + characters*wordsPerMinute
	return max(1, (load+perMinute-1)/perMinute)
}
