package markdown

import (
	"strings"
	"time"

	"github.com/alecthomas/chroma/v2"
	chromahtml "github.com/alecthomas/chroma/v2/formatters/html"
	"github.com/alecthomas/chroma/v2/lexers"
	"github.com/yuin/goldmark/ast"
)

const (
	// maxHighlighted is how many bytes of code are coloured in one document. Further code has one
	// colour.
	maxHighlighted = 256 << 10

	// maxLanguages is how many names of languages are looked up for one document, each of which takes
	// about as long as colouring a page. Code in further ones has one colour.
	maxLanguages = 64

	// maxHighlighting is how long the highlighting of one block may take. Chroma's lexers
	// backtrack, and give up a single match only after 250 ms. Only code made for this purpose
	// exceeds it, and no code of an author: such a block has one colour, so that the output does
	// not depend on where time ran out.
	maxHighlighting = 2 * time.Second
)

// highlighter colours code.
type highlighter struct {
	formatter *chromahtml.Formatter
	classes   map[chroma.TokenType]string
}

func newHighlighter() *highlighter {
	return &highlighter{
		formatter: chromahtml.New(chromahtml.WithClasses(true), chromahtml.PreventSurroundingPre(true)),
		classes:   tokenClasses(),
	}
}

// findLexer returns the lexer for the language of a block, or nil when there is none. The document
// remembers what it has found, because chroma compares a name that is none of its own with the patterns
// of all file names.
func findLexer(node ast.Node, language string) chroma.Lexer {
	// A pattern could also match something long; the name of a language is short.
	if language == "" || len(language) > 40 {
		return nil
	}
	meta := node.OwnerDocument().Meta()
	found, ok := meta[metaLexers].(map[string]chroma.Lexer)
	if !ok {
		found = make(map[string]chroma.Lexer)
		node.OwnerDocument().AddMeta(metaLexers, found)
	}
	lexer, ok := found[language]
	if !ok && len(found) < maxLanguages {
		lexer = lexers.Get(language)
		found[language] = lexer
	}
	return lexer
}

// highlight returns the name of a block's language as people write it, or "" for an unknown one,
// and the code as HTML. When coloured, each token that has a colour is a span with one class.
func (h *highlighter) highlight(f fence, lexer chroma.Lexer, code string, coloured bool) (name, marked string) {
	if lexer == nil {
		return "", f.markLines(plainLines(code))
	}
	name = lexer.Config().Name
	if name == "plaintext" {
		return "", f.markLines(plainLines(code))
	}
	if !coloured {
		return name, f.markLines(plainLines(code))
	}
	tokens, ok := h.tokenise(lexer, code)
	if !ok {
		return name, f.markLines(plainLines(code))
	}
	if marked, ok = h.format(f, tokens); !ok {
		return name, f.markLines(plainLines(code))
	}
	return name, marked
}

// format returns tokens as HTML, line by line when some lines are highlighted.
func (h *highlighter) format(f fence, tokens []chroma.Token) (string, bool) {
	parts := [][]chroma.Token{tokens}
	if len(f.lines) > 0 {
		parts = chroma.SplitTokensIntoLines(tokens)
	}
	lines := make([]string, 0, len(parts))
	for _, part := range parts {
		var b strings.Builder
		if err := h.formatter.Format(&b, light(), chroma.Literator(part...)); err != nil {
			return "", false
		}
		lines = append(lines, b.String())
	}
	return f.markLines(lines), true
}

// tokenise returns the tokens of code. It is not ok when that takes too long, when the lexer
// panics, as some do, or when the tokens do not give the code again.
func (h *highlighter) tokenise(lexer chroma.Lexer, code string) (tokens []chroma.Token, ok bool) {
	defer func() {
		if recover() != nil {
			tokens, ok = nil, false
		}
	}()
	next, err := chroma.Coalesce(lexer).Tokenise(nil, code)
	if err != nil {
		return nil, false
	}
	deadline := time.Now().Add(maxHighlighting)
	length := 0
	for token := next(); token != chroma.EOF; token = next() {
		length += len(token.Value)
		if h.classes[styledType(token.Type)] == "" {
			token.Type = chroma.Text
		}
		tokens = append(tokens, token)
		if len(tokens)%64 == 0 && time.Now().After(deadline) {
			return nil, false
		}
	}
	return tokens, length == len(code)
}

// styledType returns the type from which the formatter takes the class of a type: itself, or the
// nearest one above it that has a class.
func styledType(t chroma.TokenType) chroma.TokenType {
	for t != 0 {
		if _, ok := chroma.StandardTypes[t]; ok {
			return t
		}
		t = t.Parent()
	}
	return t
}
