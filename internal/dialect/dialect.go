// Package dialect owns what other systems write into Markdown: Hugo's shortcodes, Liquid's tags of
// Jekyll and Hexo, Obsidian's links and marks, the imports of MDX. It turns what has a counterpart
// here into Markdown, and names the remainder with its line. It reads no file: where a link leads is
// what the caller says.
//
// What stands in code stays as it is, but for the escapes by which a system shows its own signs
// there. Text that has been translated is not changed by a second translation.
package dialect

import (
	"strings"
)

// Options are what Text has to know of the text.
type Options struct {
	// Vault says that the text is Obsidian's, of whose comments readers see nothing.
	Vault bool
	// MDX says that the text has JavaScript in it.
	MDX bool
	// Link gives the address of the post that a text calls ref: by the path of its file, beside the
	// text or from the folder on, or by its name. Without Link there is none.
	Link func(ref string) (address string, ok bool)
	// Missing says why Link gives no address of ref. Without Missing it is that there is no file.
	Missing func(ref string) string
}

// Note is one thing in the text of which readers are not shown what its system shows.
type Note struct {
	Line    int    // of the text, from 1
	What    string // its name
	Message string
	Link    bool // it is a link that leads to no file
}

const (
	untouched = "this means nothing here and stays as it is"
	leftOut   = "readers do not see this in the system that it is from, and it is left out"
)

// Translation is a text that has been translated.
type Translation struct {
	Text  string
	Notes []Note
	lines []int // of the text before, by the lines of Text
}

// Line returns the line, from 1, of the text before in which line n of Text begins: what is put in place of
// something can have more lines than that, or fewer.
func (t Translation) Line(n int) int {
	if len(t.lines) == 0 {
		return 1
	}
	return t.lines[min(max(n, 1), len(t.lines))-1]
}

// Text translates a text.
func Text(body string, opt Options) Translation {
	if opt.Link == nil {
		opt.Link = func(string) (string, bool) { return "", false }
	}
	if opt.Missing == nil {
		opt.Missing = func(string) string { return "this leads to no file" }
	}
	s := &scanner{src: body, opt: opt, line: 1, alone: map[string]bool{}, fresh: true}
	for s.at < len(s.src) {
		s.step()
	}
	return Translation{Text: s.out.String(), Notes: s.notes, lines: s.lines}
}

// scanner goes through a text once.
type scanner struct {
	src   string
	opt   Options
	at    int
	line  int // that of src[at]
	out   strings.Builder
	notes []Note
	alone map[string]bool // names of shortcodes and tags of which no end follows
	lines []int           // of src, by the lines of out
	fresh bool            // nothing stands in the last line of out yet
}

// copy writes the next n bytes.
func (s *scanner) copy(n int) { s.put(n, s.src[s.at:s.at+n]) }

// put writes text in place of the next n bytes.
func (s *scanner) put(n int, text string) {
	replaced := strings.Count(s.src[s.at:s.at+n], "\n")
	below := 0
	for line := range strings.Lines(text) {
		if s.fresh {
			s.lines = append(s.lines, s.line+min(below, replaced))
		}
		s.fresh = strings.HasSuffix(line, "\n")
		below++
	}
	s.line += replaced
	s.at += n
	s.out.WriteString(text)
}

func (s *scanner) note(what, message string) {
	s.notes = append(s.notes, Note{Line: s.line, What: strings.Join(strings.Fields(what), " "), Message: message})
}

// step handles what begins here.
func (s *scanner) step() {
	here := s.src[s.at:]
	if s.at == 0 || s.src[s.at-1] == '\n' {
		if s.lineStart(here) {
			return
		}
	}
	switch {
	case here[0] == '\n':
		s.copy(1)
	case here[0] == '`':
		s.codeSpan(here)
	case here[0] == '\\' && len(here) > 1:
		s.copy(2)
	case strings.HasPrefix(here, "<!--"):
		if end := strings.Index(here, "-->"); end >= 0 {
			s.copy(end + len("-->"))
		} else {
			s.copy(len("<!--"))
		}
	case strings.HasPrefix(here, "{{<"), strings.HasPrefix(here, "{{%"):
		s.shortcode(here)
	case strings.HasPrefix(here, "{%"):
		s.tag(here)
	case strings.HasPrefix(here, "{{"):
		s.output(here)
	case strings.HasPrefix(here, "[["), strings.HasPrefix(here, "![["):
		s.wikiLink(here)
	case strings.HasPrefix(here, "]("):
		s.linkTarget(here)
	case strings.HasPrefix(here, "=="):
		s.mark(here)
	case strings.HasPrefix(here, "%%") && s.opt.Vault:
		s.vaultComment(here)
	case s.opt.MDX && (here[0] == '<' || here[0] == '{'):
		s.component(here)
	default:
		n := strings.IndexAny(here[1:], "`\\<{[!]=%\n") + 1
		if n == 0 {
			n = len(here)
		} else if here[n] == '\n' {
			n++
		}
		s.copy(n)
	}
}

// lineStart handles what can begin a line only, and reports whether there was something.
func (s *scanner) lineStart(here string) bool {
	line, _, _ := strings.Cut(here, "\n")
	bare := strings.TrimLeft(line, " \t>")
	if mark := fenceMark(bare); mark != "" && (mark[0] == '~' || !strings.Contains(strings.TrimLeft(bare, "`"), "`")) {
		s.fence(here, mark)
		return true
	}
	trimmed := strings.TrimSpace(line)
	whole := min(len(line)+1, len(here))
	switch {
	case strings.HasPrefix(trimmed, "{:") && strings.HasSuffix(trimmed, "}") && strings.Count(trimmed, "}") == 1:
		s.note(trimmed, "attributes of an element mean nothing here and are left out")
		s.put(whole, "")
		return true
	case s.opt.MDX && (strings.HasPrefix(line, "import ") || strings.HasPrefix(line, "export ")):
		end := strings.Index(here, "\n\n")
		if end < 0 {
			end = len(here)
		}
		s.note(strings.Fields(line)[0], "JavaScript means nothing here and is left out")
		s.put(end, "")
		return true
	case strings.HasPrefix(bare, "["):
		return s.definition(line)
	}
	return false
}

func fenceMark(line string) string {
	for _, c := range []string{"`", "~"} {
		if run := line[:len(line)-len(strings.TrimLeft(line, c))]; len(run) >= 3 {
			return run
		}
	}
	return ""
}

// fence copies a block of code.
func (s *scanner) fence(here, mark string) {
	end := 0
	for n, line := range strings.SplitAfter(here, "\n") {
		end += len(line)
		bare := strings.TrimSpace(strings.TrimLeft(line, " \t>"))
		if n > 0 && strings.HasPrefix(bare, mark) && strings.Trim(bare, mark[:1]) == "" {
			break
		}
	}
	s.put(end, unescaped(here[:end]))
}

// codeSpan copies code within a line.
func (s *scanner) codeSpan(here string) {
	run := here[:len(here)-len(strings.TrimLeft(here, "`"))]
	for at := len(run); ; {
		n := strings.Index(here[at:], run)
		if n < 0 {
			s.copy(len(run))
			return
		}
		at += n
		found := here[at : len(here)-len(strings.TrimLeft(here[at:], "`"))]
		at += len(found)
		if len(found) == len(run) && !strings.Contains(here[:at], "\n\n") {
			s.put(at, unescaped(here[:at]))
			return
		}
	}
}

// unescaped takes away the escapes by which systems show their own signs in code.
func unescaped(code string) string {
	code = strings.NewReplacer("{{</*", "{{<", "*/>}}", ">}}", "{{%/*", "{{%", "*/%}}", "%}}").Replace(code)
	return withoutRaw(code)
}
