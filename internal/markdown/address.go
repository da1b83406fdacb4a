package markdown

import (
	"bytes"
	"html"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

const (
	// maxLocal is the length of the longest part of an e-mail address before its @, in bytes.
	maxLocal = 64

	// maxHost is the length of the longest name of a host, in bytes.
	maxHost = 253
)

// kindAddress is the node of an address without marks around it. Its child is its text.
var kindAddress = ast.NewNodeKind("Address")

type address struct {
	ast.BaseInline
	dest string
}

func (n *address) Kind() ast.NodeKind { return kindAddress }

func (n *address) Dump(source []byte, level int) { ast.DumpHelper(n, source, level, nil, nil) }

// addressParser parses bare addresses: of the web, with a scheme or "www.", and of e-mail. It
// extends GFM's autolinks (https://github.github.com/gfm/#autolinks-extension-) for other scripts: an
// address may follow any character that is not part of a word or a scheme. As in cmark-gfm, the
// parser starts at the first special character of an address, whose earlier letters are already text.
type addressParser struct{}

func (addressParser) Trigger() []byte { return []byte{':', '.', '@'} }

func (addressParser) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	line, segment := block.PeekLine()
	source := block.Source()
	// before is the part of this line before the place, because an address is on one line.
	before := source[max(segment.Start-maxLocal-len("mailto:")-utf8.UTFMax, 0):segment.Start]
	before = before[bytes.LastIndexByte(before, '\n')+1:]
	var back, ahead int
	prefix := ""
	switch line[0] {
	case ':':
		back, ahead = webAddress(before, line)
	case '.':
		back, ahead = wwwAddress(before, line)
		prefix = "http://"
	case '@':
		back, ahead, prefix = mailAddress(before, line)
	}
	if ahead == 0 || !removeParsed(parent, pc, segment.Start-back) {
		return nil
	}
	block.Advance(ahead)
	place := text.NewSegment(segment.Start-back, segment.Start+ahead)
	n := &address{dest: prefix + html.UnescapeString(string(source[place.Start:place.Stop]))}
	n.SetPos(place.Start)
	label := ast.NewString([]byte(n.dest[len(prefix):]))
	label.SetRaw(true)
	n.AppendChild(n, label)
	return n
}

// removeParsed removes from parent's end what was parsed since start, which may only be text and delimiters.
func removeParsed(parent ast.Node, pc parser.Context, start int) bool {
	for n := parent.LastChild(); n != nil; n = parent.LastChild() {
		switch n := n.(type) {
		case *ast.Text:
			switch {
			case n.Segment.Stop <= start, n.SoftLineBreak(), n.HardLineBreak():
				return n.Segment.Stop <= start
			case n.Segment.Start < start:
				n.Segment = n.Segment.WithStop(start)
				return true
			}
			parent.RemoveChild(parent, n)
		case *parser.Delimiter:
			if n.Segment.Start < start {
				return n.Segment.Stop <= start
			}
			n.Length = 0
			pc.RemoveDelimiter(n)
		default:
			return n.Pos() < start
		}
	}
	return true
}

// webAddress returns how many bytes before, and from, the colon at the beginning of line belong to an address.
func webAddress(before, line []byte) (back, ahead int) {
	if !bytes.HasPrefix(line, []byte("://")) {
		return 0, 0
	}
	for _, scheme := range []string{"https", "http"} {
		if len(before) < len(scheme) || !strings.EqualFold(string(before[len(before)-len(scheme):]), scheme) {
			continue
		}
		if r, _ := utf8.DecodeLastRune(before[:len(before)-len(scheme)]); isASCIIWord(r) || strings.ContainsRune("+-.", r) {
			return 0, 0
		}
		if end := endOfAddress(line, len("://"), false); end > 0 {
			return len(scheme), end
		}
	}
	return 0, 0
}

// wwwAddress returns the same for the dot after "www".
func wwwAddress(before, line []byte) (back, ahead int) {
	const www = "www"
	if len(before) < len(www) || !strings.EqualFold(string(before[len(before)-len(www):]), www) {
		return 0, 0
	}
	r, _ := utf8.DecodeLastRune(before[:len(before)-len(www)])
	if isASCIIWord(r) || unicode.IsLetter(r) && !isCJK(r) || strings.ContainsRune("-./@:=&#%+", r) {
		return 0, 0
	}
	return len(www), endOfAddress(line, 1, true)
}

// mailAddress returns the same for the @ of an e-mail address, and the scheme to write before it.
func mailAddress(before, line []byte) (back, ahead int, scheme string) {
	start := len(before)
	for start > 0 && (isASCIIWord(rune(before[start-1])) || strings.IndexByte("._+-", before[start-1]) >= 0) {
		start--
	}
	if start == len(before) || len(before)-start > maxLocal || !isASCIIWord(rune(before[start])) {
		return 0, 0, ""
	}
	scheme = "mailto:"
	for _, s := range []string{"mailto:", "xmpp:"} {
		if at := start - len(s); at >= 0 && strings.EqualFold(string(before[at:start]), s) {
			start, scheme = at, ""
		}
	}
	r, _ := utf8.DecodeLastRune(before[:start])
	if r == '/' || r == '@' || isASCIIWord(r) || unicode.IsLetter(r) && !isCJK(r) {
		return 0, 0, ""
	}
	end := endOfHost(line, 1, true)
	if end == 0 {
		return 0, 0, ""
	}
	// Text that continues here makes it the address of a repository, or none.
	if remainder := line[end:]; len(remainder) > 0 {
		next, _ := utf8.DecodeRune(remainder[1:])
		if c := remainder[0]; c == '@' || c == '-' || c == '_' || c == ':' && (isASCIIWord(next) || next == '/') {
			return 0, 0, ""
		}
	}
	return len(before) - start, end, scheme
}

func isASCIIWord(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// endOfAddress returns the end of the address whose host begins at start in line, or 0 for none.
func endOfAddress(line []byte, start int, dotted bool) int {
	end := endOfHost(line, start, dotted)
	if end == 0 {
		return 0
	}
	if port := portPattern.Find(line[end:]); port != nil {
		end += len(port)
	}
	if end < len(line) && strings.IndexByte("/?#", line[end]) >= 0 {
		end = endOfPath(line, end)
	}
	return end
}

var (
	portPattern = regexp.MustCompile(`^:[0-9]{1,5}\b`)
	ipv6Pattern = regexp.MustCompile(`^\[[0-9A-Fa-f:.]{2,45}\]`)
	ipv4Pattern = regexp.MustCompile(`^(?:[0-9]{1,3}\.){3}[0-9]{1,3}$`)
)

// endOfHost returns the end of the name of a host that begins at start, or 0 for none. A name has at
// least two parts, of letters of every script, and no digits in the last; or it is localhost or an IP
// address. When dotted, it has to be a name of two parts. A part after the first that begins with
// Latin letters ends before Chinese, Japanese or Korean ones, because they continue the sentence.
func endOfHost(line []byte, start int, dotted bool) int {
	if !dotted {
		if ip := ipv6Pattern.Find(line[start:]); ip != nil {
			return start + len(ip)
		}
	}
	parts, end := 0, start
	last := ""
	for at := start; ; {
		if at-start > maxHost {
			return 0
		}
		stop := endOfLabel(line, at, parts == 0)
		label := strings.TrimRight(string(line[at:stop]), "-_")
		if label == "" || label[0] == '-' {
			break
		}
		parts, last, end = parts+1, label, at+len(label)
		if end != stop || stop+1 >= len(line) || line[stop] != '.' {
			break
		}
		at = stop + 1
	}
	host := string(line[start:end])
	switch {
	case parts >= 2 && (!strings.ContainsAny(last, "0123456789_") || strings.HasPrefix(last, "xn--")):
		return end
	case dotted:
		return 0
	case ipv4Pattern.MatchString(host):
		return end
	case strings.EqualFold(last, "localhost"):
		return end
	}
	return 0
}

func endOfLabel(line []byte, at int, first bool) int {
	before := rune(0)
	for i, r := range string(line[at:min(at+256, len(line))]) {
		letter := unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) || r == '-' || r == '_'
		if !letter || r == utf8.RuneError {
			return at + i
		}
		if isUnparted(r) && isASCIIWord(before) && (!first || strings.EqualFold(string(line[at:at+i]), "localhost")) {
			return at + i
		}
		before = r
	}
	return min(at+256, len(line))
}

// isUnparted reports whether a letter is of a script in which no space is between an address and the
// rest of its sentence.
func isUnparted(r rune) bool { return isCJK(r) || isUnspaced(r) }

// pathScan is the state at a place in the part of an address after its host.
type pathScan struct {
	open   []int // the places of the open brackets
	before rune
}

// maxBrackets is how many brackets may be open in an address.
const maxBrackets = 16

// endOfPath returns the end of an address whose host ends at start. An address ends at a space, at a
// character that cannot be in an address, at a bracket that it did not open, and where the sentence
// continues in another script; and before punctuation at its end.
func endOfPath(line []byte, start int) int {
	s := pathScan{before: '.'}
	end := start
	for end < len(line) {
		r, size := utf8.DecodeRune(line[end:])
		if !s.goesOn(line, end, r) {
			break
		}
		s.before = r
		end += size
	}
	if len(s.open) > 0 && s.open[0] < end {
		end = s.open[0]
	}
	return trimAddress(line, start, end)
}

// goesOn reports whether r, at a place in line, is part of the address.
func (s *pathScan) goesOn(line []byte, at int, r rune) bool {
	next, _ := utf8.DecodeRune(line[at+utf8.RuneLen(r):])
	switch {
	case unicode.IsSpace(r), unicode.IsControl(r), r == utf8.RuneError, strings.ContainsRune("<>\"`\\", r):
		return false
	case r == '(' || r == '[':
		s.open = append(s.open, at)
		return len(s.open) <= maxBrackets
	case r == ')' || r == ']':
		if len(s.open) == 0 || (line[s.open[len(s.open)-1]] == '(') != (r == ')') {
			return false
		}
		s.open = s.open[:len(s.open)-1]
	case r == '*':
		return s.before == '/' && next == '/'
	case r == '~':
		return next != '~'
	case r == '\'' || r == '’':
		return unicode.IsLetter(next) && !possessive(line[at+utf8.RuneLen(r):])
	case r == ',' || r == ';' || r == '|':
		return !startsAddress(line[at+1:])
	case r < utf8.RuneSelf:
	case strings.ContainsRune("·・–‐‑", r):
		return unicode.IsLetter(s.before) && unicode.IsLetter(next)
	case unicode.IsPunct(r), r == '\u200b', r == '\ufeff':
		return false
	case isWide(r) || isUnparted(r):
		return !isASCIIWord(s.before) && (isUnparted(s.before) || !particle(line[at:]))
	}
	return true
}

func startsAddress(line []byte) bool {
	head := strings.ToLower(string(line[:min(len(line), len("https://"))]))
	return strings.HasPrefix(head, "http://") || strings.HasPrefix(head, "https://")
}

// possessive reports whether line, which follows an apostrophe, begins with the single letter s.
func possessive(line []byte) bool {
	if len(line) == 0 || line[0] != 's' && line[0] != 'S' {
		return false
	}
	r, _ := utf8.DecodeRune(line[1:])
	return len(line) == 1 || !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '/'
}

// particles are words of Korean and Japanese that follow the word they belong to, and begin no word.
var particles = regexp.MustCompile(
	`^(?:を|(?:을|를|은|는|이|가|에|의|로|으로|와|과|도|에서|에서는|에는|부터|까지)(?:[\s\p{P}]|$))`)

func particle(line []byte) bool { return particles.Match(line[:min(len(line), 16)]) }

var trailingEntity = regexp.MustCompile(`&[A-Za-z0-9]+;$`)

// trimAddress returns the end without the punctuation in which no address ends.
func trimAddress(line []byte, start, end int) int {
	for end > start {
		r, size := utf8.DecodeLastRune(line[start:end])
		switch {
		case r == ';':
			if m := trailingEntity.FindIndex(line[max(start, end-32):end]); m != nil {
				end = max(start, end-32) + m[0]
				continue
			}
		case strings.ContainsRune("?!.,:*_~'|–", r):
		default:
			return end
		}
		end -= size
	}
	return end
}

func (r *nodes) address(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		_, err := w.WriteString("</a>")
		return ast.WalkContinue, err
	}
	dest := []byte(node.(*address).dest)
	if !bytes.Contains(dest, []byte("://[")) { // whose brackets have to stay
		dest = util.URLEscape(dest, false)
	}
	_, _ = w.WriteString(`<a ` + bareMark + `="" href="`)
	_, _ = w.Write(util.EscapeHTML(dest))
	_, err := w.WriteString(`">`)
	return ast.WalkContinue, err
}
