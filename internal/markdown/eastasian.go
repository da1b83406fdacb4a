package markdown

import (
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
	"golang.org/x/text/width"
)

// textAmongEmoji are the wide characters of the blocks from Miscellaneous Technical to Miscellaneous Symbols and
// Arrows, and from Mahjong Tiles on, that are text and not emoji: brackets, and the signs of
// divination and of ideographs in frames.
var textAmongEmoji = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0x2329, Hi: 0x232a, Stride: 1}, {Lo: 0x2630, Hi: 0x2637, Stride: 1},
		{Lo: 0x268a, Hi: 0x268f, Stride: 1}},
	R32: []unicode.Range32{{Lo: 0x1f200, Hi: 0x1f202, Stride: 2}, {Lo: 0x1f210, Hi: 0x1f219, Stride: 1},
		{Lo: 0x1f21b, Hi: 0x1f22e, Stride: 1}, {Lo: 0x1f230, Hi: 0x1f231, Stride: 1}, {Lo: 0x1f237, Hi: 0x1f23b, Stride: 4},
		{Lo: 0x1f240, Hi: 0x1f248, Stride: 1}, {Lo: 0x1f260, Hi: 0x1f265, Stride: 1}},
}

// isCJK reports whether a character is one of Chinese, Japanese or Korean text, punctuation included: its width is that
// of an ideograph (or half of it, by name), or its script is Hangul, and it is not an emoji. Source: the CJK-friendly
// amendments to CommonMark, https://github.com/tats-u/markdown-cjk-friendly/blob/main/specification.md.
func isCJK(r rune) bool {
	switch {
	case r < 0x1100:
		return false
	case unicode.Is(unicode.Hangul, r):
		return true
	case r >= 0x2300 && r < 0x2c00, r >= 0x1f000 && r < 0x1fb00:
		return unicode.Is(textAmongEmoji, r)
	}
	return isWide(r)
}

// isWide reports whether a character has the width of an ideograph, as emoji do, or has half of it by name.
func isWide(r rune) bool {
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth, width.EastAsianHalfwidth:
		return true
	}
	return false
}

// isVariation reports whether a character selects a form of the one before it, other than that of an emoji.
func isVariation(r rune) bool { return r >= 0xfe00 && r <= 0xfe0e }

// cjkEmphasis allows emphasis to begin and end beside Chinese, Japanese and Korean text, which has no
// spaces around its punctuation and its particles: "**测试。**后文", `**"강조"**는`. It replaces the
// decision of the parser that it wraps, which follows CommonMark's rule, by that of the CJK-friendly
// amendments (see isCJK). The two are equal when no such character is beside the delimiter.
type cjkEmphasis struct{ parser.InlineParser }

func (p cjkEmphasis) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	before := block.PrecendingCharacter()
	_, segment := block.PeekLine()
	node := p.InlineParser.Parse(parent, block, pc)
	d, ok := node.(*parser.Delimiter)
	if !ok {
		return node
	}
	after := ' '
	if line, _ := block.PeekLine(); len(line) > 0 {
		after, _ = utf8.DecodeRune(line)
	}
	b := side{r: before, cjk: isCJK(before) || before >= 0xe0100 && before <= 0xe01ef}
	if isVariation(before) {
		b = sideBefore(before, block.Source()[:segment.Start])
	}
	flank(d, b, side{r: after, cjk: isCJK(after)})
	return node
}

// side is the character on one side of a delimiter.
type side struct {
	r   rune
	cjk bool
}

// sideBefore returns the character to which a variation at the end of source belongs.
func sideBefore(variation rune, source []byte) side {
	r, _ := utf8.DecodeLastRune(source[:max(len(source)-utf8.RuneLen(variation), 0)])
	// The form that the second of them selects makes a quotation mark as wide as an ideograph.
	quoted := variation == 0xfe01 && (r == '‘' || r == '’' || r == '“' || r == '”')
	return side{r: r, cjk: quoted || isCJK(r)}
}

// flank sets whether a delimiter can open and close emphasis, from the characters on its sides.
func flank(d *parser.Delimiter, before, after side) {
	spaceBefore, spaceAfter := util.IsSpaceRune(before.r), util.IsSpaceRune(after.r)
	punctBefore, punctAfter := util.IsPunctRune(before.r), util.IsPunctRune(after.r)
	foreignBefore, foreignAfter := punctBefore && !before.cjk, punctAfter && !after.cjk
	left := !spaceAfter && (!foreignAfter || spaceBefore || foreignBefore || before.cjk)
	right := !spaceBefore && (!foreignBefore || spaceAfter || foreignAfter || after.cjk)
	d.CanOpen, d.CanClose = left, right
	if d.Char == '_' {
		d.CanOpen = left && (!right || punctBefore)
		d.CanClose = right && (!left || punctAfter)
	}
}
