package frontmatter

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

// parts are the offsets that divide a file:
//
//	[BOM] --- \n  front  --- \n  blank lines  body  blank tail
//	             ^front  ^close              ^body ^tail
type parts struct {
	has         bool // there is front matter
	syntax      syntax
	opens       string // its first line, "" where JSON stands without one
	ends        string // its last one
	front       int
	close       int
	body, tail  int
	eol         string // the line ends of this file
	firstOfBody int    // first line of the body, from 1
}

// syntax is that of front matter.
type syntax uint8

const (
	inYAML syntax = iota
	inTOML
	inJSON
)

const bom = "\ufeff"

// cutLine returns the first line without its end, its length with the end, and the end. LF, CRLF
// and CR end lines, as they do in YAML and Markdown.
func cutLine(data []byte) (line []byte, length int, eol string) {
	i := bytes.IndexAny(data, "\r\n")
	switch {
	case i < 0:
		return data, len(data), ""
	case data[i] == '\n':
		return data[:i], i + 1, "\n"
	case i+1 < len(data) && data[i+1] == '\n':
		return data[:i], i + 2, "\r\n"
	}
	return data[:i], i + 1, "\r"
}

// lineOf returns the number, from 1, of the line that contains data[at].
func lineOf(data []byte, at int) int {
	n := 1
	for i := 0; ; n++ {
		_, length, eol := cutLine(data[i:])
		if eol == "" || i+length > at {
			return n
		}
		i += length
	}
}

func isFence(line []byte, fence string) bool {
	return string(bytes.TrimRight(line, " \t")) == fence
}

// split finds front matter and body, and sets the body.
func (p *parser) split(data []byte) {
	s := parts{eol: "\n", firstOfBody: 1}
	at := 0
	if bytes.HasPrefix(data, []byte(bom)) {
		at = len(bom)
	}
	first, length, eol := cutLine(data[at:])
	if eol != "" {
		s.eol = eol
	}
	found, ok := p.fence(first)
	switch {
	case !ok:
		p.file.parts = s
		return
	case found.has:
		s.has, s.syntax, s.opens, s.ends = true, found.syntax, found.opens, found.ends
		s.front = at
		if s.opens != "" {
			s.front += length
		}
		if s.close, ok = p.findClose(data, s); !ok {
			s.has = false
			p.file.parts = s
			return
		}
		_, length, _ = cutLine(data[s.close:])
		at = s.close + length
		if s.close-s.front > maxFront {
			p.fail(1, "", fmt.Sprintf("the front matter has %d bytes and at most %d are read", s.close-s.front, maxFront),
				"move the text below the second "+s.ends)
			s.close = s.front
		}
	default:
		p.hiddenFront(data[at:])
	}
	s.body, s.tail = bodyBounds(data, at)
	s.firstOfBody = lineOf(data, s.body)
	p.file.parts = s
	p.file.Body = CanonicalBody(string(data[s.body:]))
}

// bodyBounds returns where the text of the body begins and ends. It searches from at.
func bodyBounds(data []byte, at int) (body, tail int) {
	for at < len(data) {
		line, length, eol := cutLine(data[at:])
		if eol == "" || len(bytes.Trim(line, " \t")) > 0 {
			break
		}
		at += length
	}
	return at, at + len(bytes.TrimRight(data[at:], " \t\r\n"))
}

// Has reports whether a file begins with front matter, also with one that cannot be read.
func Has(data []byte) bool {
	data = bytes.TrimPrefix(data, []byte(bom))
	first, _, _ := cutLine(data)
	found, ok := (&parser{}).fence(first)
	return found.has || !ok
}

// fence reads the first line: which front matter it opens, if any. It refuses one in a language
// that is a program's.
func (p *parser) fence(first []byte) (found parts, ok bool) {
	text := string(bytes.TrimRight(first, " \t"))
	language, isFenced := strings.CutPrefix(text, "---")
	switch {
	case text == "+++":
		return parts{has: true, syntax: inTOML, opens: text, ends: text}, true
	case text == "{", strings.HasPrefix(text, "{") && strings.HasPrefix(strings.TrimLeft(text[1:], " \t"), `"`):
		return parts{has: true, syntax: inJSON}, true
	case !isFenced, strings.HasPrefix(language, "-"):
		return parts{}, true
	}
	found = parts{has: true, opens: text, ends: "---"}
	switch strings.ToLower(strings.TrimSpace(language)) {
	case "", "yaml", "yml":
		return found, true
	case "toml":
		found.syntax = inTOML
		return found, true
	case "json":
		found.syntax = inJSON
		return found, true
	case "js", "javascript", "coffee", "coffeescript", "cson":
		p.fail(1, "", "front matter in a programming language is not read", "write YAML between two lines ---")
		return found, false
	}
	return parts{}, true
}

// findClose finds the line that ends the front matter, and for JSON without one the object's end.
func (p *parser) findClose(data []byte, s parts) (int, bool) {
	if s.opens == "" {
		dec := jsontext.NewDecoder(bytes.NewReader(data[s.front:]))
		if err := dec.SkipValue(); err == nil {
			end := s.front + int(dec.InputOffset())
			if line, _, _ := cutLine(data[end:]); len(bytes.TrimSpace(line)) == 0 {
				return end, true
			}
			p.fail(lineOf(data, end), "", "text stands behind the object of the front matter", "begin a line with it")
			return 0, false
		}
		// The reader of the object says what is wrong with it.
		p.jsonItems(data[s.front:min(len(data), s.front+maxFront)])
		return 0, false
	}
	return p.findFence(data, s.front, s.ends)
}

// findFence finds the line that ends the front matter.
func (p *parser) findFence(data []byte, at int, fence string) (int, bool) {
	last, number := 1, 1 // the last line that looks like front matter
	isFrontMatter := true
	almost := 0
	for at < len(data) {
		line, length, _ := cutLine(data[at:])
		number++
		if isFence(line, fence) || fence == "---" && isFence(line, "...") {
			return at, true
		}
		text := string(bytes.TrimSpace(line))
		if almost == 0 && len(text) > 1 && strings.Trim(text, fence[:1]+"–—") == "" {
			almost = number
		}
		isFrontMatter = isFrontMatter && text != ""
		if isFrontMatter {
			last = number
		}
		at += length
	}
	hint := fmt.Sprintf("write a line %s after line %d", fence, last)
	if almost > 0 {
		hint = fmt.Sprintf("write exactly %s in line %d", fence, almost)
	}
	p.fail(1, "", "the front matter that line 1 opens is never closed", hint)
	return 0, false
}

// hiddenFront warns about front matter that does not count because lines are above it.
func (p *parser) hiddenFront(data []byte) {
	if at := hiddenAt(data); at >= 0 {
		p.warn(lineOf(data, at), "", "this is not read as front matter, because it does not start in line 1",
			"remove what is above ---, also what cannot be seen")
	}
}

// Hidden returns the line of front matter that does not count because something is above it, 0 where there is
// none.
func Hidden(data []byte) int {
	data = bytes.TrimPrefix(data, []byte(bom))
	if at := hiddenAt(data); at > 0 || at == 0 && !Has(data) {
		return lineOf(data, at)
	}
	return 0
}

// hiddenAt returns where something begins that looks like front matter behind blank lines, blanks and signs that
// cannot be seen, or with a comment behind its ---; -1 where there is nothing of the kind.
func hiddenAt(data []byte) int {
	text := bytes.TrimLeftFunc(data, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) })
	line, length, _ := cutLine(text)
	fence := ""
	for _, f := range []string{"---", "+++"} {
		if remainder, found := bytes.CutPrefix(line, []byte(f)); found && !bytes.HasPrefix(remainder, []byte(f[:1])) {
			fence = f
		}
	}
	next, _, _ := cutLine(text[length:])
	at := bytes.IndexAny(next, ":=")
	if fence == "" || at < 0 {
		return -1
	}
	key := squash(strings.Trim(string(next[:at]), " \t\"'"))
	if _, speaks := speechOf(key); !speaks && meanings[key].field == none {
		return -1
	}
	return len(data) - len(text)
}
