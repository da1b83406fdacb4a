package dialect

import (
	"net/url"
	"path"
	"strings"
)

// wikiLink handles Obsidian's [[links]] and ![[pictures]].
func (s *scanner) wikiLink(here string) {
	shows := here[0] == '!'
	inner := strings.TrimPrefix(strings.TrimPrefix(here, "!"), "[[")
	end := strings.Index(inner, "]]")
	if end <= 0 || strings.ContainsAny(inner[:end], "\n[") || strings.TrimSpace(inner[:end]) != inner[:end] {
		s.copy(len(here) - len(inner))
		return
	}
	whole := len(here) - len(inner) + end + 2
	target, label, isNamed := strings.Cut(inner[:end], "|")
	target, label = strings.TrimSuffix(strings.TrimSpace(target), `\`), strings.TrimSpace(label)
	if shows && isImage(target) {
		if strings.Trim(label, "0123456789x") == "" { // a size
			label = ""
		}
		s.put(whole, "!["+label+"](<"+target+">)")
		return
	}
	file, heading, _ := strings.Cut(target, "#")
	address, ok := s.opt.Link(file)
	if file == "" {
		address, ok = "", heading != ""
	}
	if heading = strings.TrimPrefix(heading, "^"); heading != "" {
		address += "#" + fragment(heading)
	}
	if !isNamed || label == "" {
		label = strings.TrimPrefix(strings.ReplaceAll(target, "#", " > "), " > ")
	}
	switch {
	case ok:
		s.put(whole, "["+label+"](<"+address+">)")
	case s.opt.Vault:
		s.notes = append(s.notes, Note{Line: s.line, What: target, Message: s.opt.Missing(file), Link: true})
		s.put(whole, label)
	default:
		s.copy(whole)
	}
}

// fragment is the id of a heading, as far as it can be told from its text.
func fragment(heading string) string {
	plain := strings.NewReplacer("^", "", "<", "", ">", "").Replace(heading)
	return strings.Join(strings.Fields(strings.ToLower(plain)), "-")
}

func isImage(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".avif", ".bmp":
		return true
	}
	return false
}

// linkTarget handles the destination of a link or a picture: ](address "title").
func (s *scanner) linkTarget(here string) {
	inner := here[2:]
	inner = inner[len(inner)-len(strings.TrimLeft(inner, " ")):]
	before := len(here) - len(inner)
	if strings.HasPrefix(inner, "{{") || strings.HasPrefix(inner, "{%") { // which is translated first
		s.copy(before)
		return
	}
	dest, length := destination(inner)
	if length == 0 {
		s.copy(2)
		return
	}
	if text, ok := s.resolve(dest); ok {
		s.put(before+length, here[:before]+text)
		return
	}
	s.copy(before + length)
}

// definition handles a line such as [name]: address.
func (s *scanner) definition(line string) bool {
	at := strings.Index(line, "]:")
	if at < 0 || strings.ContainsAny(line[strings.Index(line, "[")+1:at], "[]`") {
		return false
	}
	inner := strings.TrimLeft(line[at+2:], " \t")
	before := len(line) - len(inner)
	dest, length := destination(inner)
	text, ok := s.resolve(dest)
	if length == 0 || !ok {
		return false
	}
	s.put(before+length, line[:before]+text)
	return true
}

// destination reads an address, perhaps between < and >, and gives how many bytes it has here.
func destination(text string) (dest string, length int) {
	if strings.HasPrefix(text, "<") {
		if end := strings.IndexAny(text, ">\n"); end > 0 && text[end] == '>' {
			return text[1:end], end + 1
		}
		return "", 0
	}
	depth := 0
	for i, r := range text {
		switch {
		case r == '(':
			depth++
		case r == ')' && depth > 0:
			depth--
		case r == ')', r == ' ', r == '\n', r == '\t':
			return text[:i], i
		}
	}
	return text, len(text)
}

// resolve gives the address of the post whose file a destination names.
func (s *scanner) resolve(dest string) (string, bool) {
	u, err := url.Parse(dest)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Path == "" || isImage(u.Path) {
		return "", false
	}
	address, ok := s.opt.Link(u.Path)
	if !ok {
		if markdownFile(u.Path) {
			s.notes = append(s.notes, Note{Line: s.line, What: dest, Message: s.opt.Missing(u.Path), Link: true})
		}
		return "", false
	}
	if u.Fragment != "" {
		address += "#" + u.EscapedFragment()
	}
	return "<" + address + ">", true
}

func markdownFile(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".md", ".markdown", ".mdx", ".mkd", ".mdown":
		return true
	}
	return false
}

// mark handles Obsidian's ==marks==.
func (s *scanner) mark(here string) {
	inner := strings.TrimLeft(here, "=")
	open := len(here) - len(inner)
	end := strings.Index(inner, "==")
	before := byte(' ')
	if s.at > 0 {
		before = s.src[s.at-1]
	}
	if open != 2 || end <= 0 || strings.ContainsAny(inner[:end], "\n`<=") ||
		strings.TrimSpace(inner[:end]) != inner[:end] ||
		!strings.ContainsRune(" \n\t([*_-\"'>|", rune(before)) || strings.HasPrefix(inner[end+2:], "=") {
		s.copy(open)
		return
	}
	s.put(2+end+2, "<mark>"+inner[:end]+"</mark>")
}

// vaultComment leaves out what Obsidian shows to its author only.
func (s *scanner) vaultComment(here string) {
	end := strings.Index(here[2:], "%%")
	if end < 0 {
		end = len(here) - 4
	}
	s.note("%%", leftOut)
	s.put(min(end+4, len(here)), "")
}

// component handles elements and expressions of JSX.
func (s *scanner) component(here string) {
	switch {
	case strings.HasPrefix(here, "{/*"):
		end := strings.Index(here, "*/}")
		if end < 0 {
			end = len(here) - 3
		}
		s.note("{/* */}", leftOut)
		s.put(end+3, "")
		return
	case len(here) > 1 && here[0] == '<' && here[1] >= 'A' && here[1] <= 'Z':
		name := here[1:]
		if at := strings.IndexAny(name, " \n/>"); at >= 0 {
			name = name[:at]
		}
		s.note("<"+name+">", "components are not shown; what is written between their tags is")
	case here[0] == '{':
		s.note("{…}", untouched)
	}
	s.copy(1)
}
