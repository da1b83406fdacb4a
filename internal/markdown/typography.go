package markdown

import (
	"bytes"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

var keyQuotes = parser.NewContextKey()

// typography replaces the characters of keyboards by dashes, dots and the quotation marks of the
// document's language. It does not change what is written for machines: --flags, ./..., arrows, <<EOF.
type typography struct {
	straight parser.InlineParser
	by       map[quotes]parser.InlineParser
}

// quoteState is the marks of a document, and whether a double one is open in a block.
type quoteState struct {
	marks quotes
	block ast.Node
	open  bool
}

func newTypography() parser.InlineParser {
	t := typography{by: make(map[quotes]parser.InlineParser)}
	for _, l := range latin {
		t.by[l.marks] = typographer(l.marks)
	}
	for _, marks := range []quotes{quotesRussian, quotesArabic} {
		t.by[marks] = typographer(marks)
	}
	t.straight = extension.NewTypographerParser(extension.WithTypographicSubstitutions(
		map[extension.TypographicPunctuation][]byte{
			extension.LeftDoubleQuote: nil, extension.RightDoubleQuote: nil, extension.LeftSingleQuote: nil,
			extension.RightSingleQuote: nil,
		}))
	return t
}

func typographer(q quotes) parser.InlineParser {
	return extension.NewTypographerParser(extension.WithTypographicSubstitutions(
		map[extension.TypographicPunctuation]string{
			extension.LeftDoubleQuote: q.open, extension.RightDoubleQuote: q.close,
			extension.LeftSingleQuote: q.innerOpen, extension.RightSingleQuote: q.innerClose,
		}))
}

func (t typography) Trigger() []byte { return t.straight.Trigger() }

// CloseBlock calls that of the wrapped parser, which goldmark finds through an optional interface.
func (t typography) CloseBlock(parent ast.Node, block text.Reader, pc parser.Context) {
	if c, ok := t.straight.(parser.CloseBlocker); ok {
		c.CloseBlock(parent, block, pc) // the state is shared
	}
}

func (t typography) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	line, segment := block.PeekLine()
	before := block.PrecendingCharacter()
	opened := before
	if before == '"' || before == '\'' { // whether that mark opens decides
		opened, _ = utf8.DecodeLastRune(block.Source()[:segment.Start-1])
	}
	if n := literal(line, before, opened); n > 0 {
		block.Advance(n)
		return ast.NewTextSegment(segment.WithStop(segment.Start + n))
	}
	state := pc.Get(keyQuotes).(*quoteState)
	inner, ok := t.by[state.marks]
	if !ok {
		return t.straight.Parse(parent, block, pc)
	}
	if opensQuotation(line, before) {
		block.Advance(1)
		return marked(state.marks.innerOpen)
	}
	node := inner.Parse(parent, block, pc)
	if line[0] != '"' {
		return node
	}
	if state.block != parent {
		state.block, state.open = parent, false
	}
	after, _ := utf8.DecodeRune(line[1:])
	if node == nil && (isCJK(before) || isCJK(after)) {
		// Between letters on both sides, as in text without spaces, only the count shows which mark it is.
		mark := state.marks.open
		if state.open {
			mark = state.marks.close
		}
		block.Advance(1)
		node = marked(mark)
	}
	if node != nil {
		opened := string(node.(*ast.String).Value) == state.marks.open
		state.open = opened && (!state.open || state.marks.open != state.marks.close)
	}
	return node
}

func marked(mark string) ast.Node { return ast.NewString([]byte(mark)) }

// elided are words that begin with an apostrophe. The wrapped parser accepts every word that begins
// with their first letters.
var elided = regexp.MustCompile(`^'(?i:twas|twere|twill|tis|til|em|en|n|net|nuff|neath|ere|ello)\b`)

// opensQuotation reports whether line begins with a single quotation mark before a word.
func opensQuotation(line []byte, before rune) bool {
	return len(line) > 1 && line[0] == '\'' && strings.IndexByte("tenl", line[1]) >= 0 &&
		(util.IsSpaceRune(before) || util.IsPunctRune(before)) && !elided.Match(line)
}

// maxRun is the largest number of equal characters that are read at once. No longer run has a meaning.
const maxRun = 5

// literal returns the number of bytes at the beginning of line that are not changed, because they are
// not meant for readers.
// opened is the character before the place, or the one before a quotation mark there.
func literal(line []byte, before, opened rune) int {
	run := 0
	for run < len(line) && run < maxRun && line[run] == line[0] {
		run++
	}
	after, _ := utf8.DecodeRune(line[run:])
	if run == len(line) {
		after = ' '
	}
	apart := util.IsSpaceRune(opened) || opened == utf8.RuneError || opened < utf8.RuneSelf && unicode.IsPunct(opened) &&
		opened != ')' && opened != ']'
	switch c := line[0]; {
	case c == '"' || c == '\'':
		if run == maxRun { // the wrapped parser would read the rest of the run for each character
			return run
		}
		return 0
	case strings.IndexByte("-.<>", c) < 0:
		return 0
	case before == rune(c): // the end of a longer run
		return run
	case c == '-' && run == 1:
		return 0
	case c == '-' && (run > 3 || after == '>' || before == '<' || before == '!' || before == '|' || before == '+'):
		return run
	case c == '-' && run == 2 && apart && (unicode.IsLetter(after) || unicode.IsDigit(after) || after == '`'):
		return run
	case c == '.' && run >= 3 && (before == '/' || before == '\\' || after == '/' || run >= maxRun):
		return run
	case c == '<' && run >= 2 && !quoted(line, run, before), c == '>' && run >= 2 && !unicode.IsLetter(before) &&
		!unicode.IsPunct(before):
		return run
	}
	return 0
}

// quoted reports whether << begins a quotation: a letter follows, and >> before a space or the end of a word.
func quoted(line []byte, run int, before rune) bool {
	first, _ := utf8.DecodeRune(line[run:])
	const far = 1000
	end := bytes.Index(line[:min(len(line), far)], []byte(">>"))
	if run != 2 || !unicode.IsLetter(first) || unicode.IsLetter(before) || unicode.IsDigit(before) || end < 0 {
		return false
	}
	after, _ := utf8.DecodeRune(line[end+2:])
	return !unicode.IsLetter(after) && !unicode.IsDigit(after)
}
