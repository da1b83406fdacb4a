package frontmatter

import (
	"bytes"
	"fmt"
	"strings"
)

// parts are the offsets that divide a file:
//
//	[BOM] --- \n  front  --- \n  blank lines  body  blank tail
//	             ^front  ^close              ^body ^tail
type parts struct {
	has         bool // there is front matter
	front       int
	close       int
	body, tail  int
	eol         string // how lines end here
	firstOfBody int    // the body's first line, from 1
}

const bom = "\ufeff"

// cutLine gives the first line without its end, and the length with it. LF,
// CRLF and CR end lines, as they do in YAML and Markdown.
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

// lineOf gives the number, from 1, of the line that holds data[at].
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

// split finds front matter and body and sets the body.
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
	switch {
	case isFence(first, "---"):
		s.front = at + length
		end, ok := p.findClose(data, s.front)
		if !ok {
			p.file.parts = s
			return
		}
		s.has, s.close = true, end
		_, length, _ = cutLine(data[end:])
		at = end + length
		if s.close-s.front > maxFront {
			p.fail(1, "", fmt.Sprintf("the front matter has %d bytes and at most %d are read", s.close-s.front, maxFront), "move the text below the second ---")
			s.close = s.front
		}
	case isFence(first, "+++"):
		p.fail(1, "", "this is TOML front matter", "write YAML between two lines ---: key: value instead of key = value")
		at = len(data)
	default:
		p.hiddenFront(data[at:])
	}
	s.body, s.tail = bodyBounds(data, at)
	s.firstOfBody = lineOf(data, s.body)
	p.file.parts = s
	p.file.Body = CanonicalBody(string(data[s.body:]))
}

// bodyBounds finds where the body's text starts and ends, from at.
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

// findClose finds the line that ends the front matter.
func (p *parser) findClose(data []byte, at int) (int, bool) {
	last, number := 1, 1 // the last line that looks like front matter
	looks := true
	almost := 0
	for at < len(data) {
		line, length, _ := cutLine(data[at:])
		number++
		if isFence(line, "---") || isFence(line, "...") {
			return at, true
		}
		text := string(bytes.TrimSpace(line))
		if almost == 0 && len(text) > 1 && strings.Trim(text, "-–—") == "" {
			almost = number
		}
		looks = looks && text != ""
		if looks {
			last = number
		}
		at += length
	}
	hint := fmt.Sprintf("write a line --- after line %d", last)
	if almost > 0 {
		hint = fmt.Sprintf("write exactly --- in line %d", almost)
	}
	p.fail(1, "", "the front matter that line 1 opens is never closed", hint)
	return 0, false
}

// hiddenFront mentions front matter that is none because lines stand above it.
func (p *parser) hiddenFront(data []byte) {
	at, _ := bodyBounds(data, 0)
	line, length, _ := cutLine(data[at:])
	if at == 0 || !isFence(line, "---") {
		return
	}
	next, _, _ := cutLine(data[at+length:])
	key, _, found := bytes.Cut(next, []byte(":"))
	if found && known(string(bytes.TrimSpace(key))) != none {
		p.warn(lineOf(data, at), "", "this is not read as front matter, because it does not start in line 1", "remove the lines above ---")
	}
}
