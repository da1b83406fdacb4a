package markdown

import (
	"unicode"
	"unicode/utf8"

	emoji "github.com/yuin/goldmark-emoji"
	emojiast "github.com/yuin/goldmark-emoji/ast"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// emojiParser replaces the short names of emoji, such as :tada:, by their characters. A name inside a
// word or a number stays, as in 10:100:30, and so does the name of a picture without a character.
type emojiParser struct{ parser.InlineParser }

func newEmojiParser() parser.InlineParser { return emojiParser{emoji.NewParser()} }

func (p emojiParser) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	before := block.PrecendingCharacter()
	_, follows := parent.LastChild().(*ast.String) // another emoji
	found, ok := p.InlineParser.Parse(parent, block, pc).(*emojiast.Emoji)
	if !ok || !found.Value.IsUnicode() {
		return nil
	}
	line, _ := block.PeekLine()
	after, _ := utf8.DecodeRune(line)
	if partOfWord(before) || before == ':' && !follows || len(line) > 0 && partOfWord(after) {
		return nil
	}
	return ast.NewString([]byte(string(found.Value.Unicode)))
}

func partOfWord(r rune) bool {
	return !isUnparted(r) && (unicode.IsLetter(r) || unicode.IsDigit(r))
}
