package markdown

import (
	"strings"
	"time"

	"github.com/alecthomas/chroma/v2"
	chromahtml "github.com/alecthomas/chroma/v2/formatters/html"
	"github.com/alecthomas/chroma/v2/lexers"
	"golang.org/x/net/html"
)

const (
	// maxHighlighted is how many bytes of code are coloured in one document;
	// what comes after is shown in one colour.
	maxHighlighted = 256 << 10

	// maxHighlighting is how long one block may be worked on. Chroma's lexers
	// backtrack, and give up a single match only after 250 ms. It is met by
	// code made for it, and by none that a person wrote: such a block is shown
	// in one colour, so that output does not depend on where time ran out.
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

// highlight returns the name of a language as people write it, empty for an
// unknown one, and the code as HTML, if coloured with a span of one class for
// each token that has a colour.
func (h *highlighter) highlight(language, code string, coloured bool) (name, marked string) {
	plain := html.EscapeString(code)
	// Chroma also takes names of files, with wildcards, and of fuzzy matches.
	// A language has a short name.
	if language == "" || len(language) > 40 {
		return "", plain
	}
	lexer := lexers.Get(language)
	if lexer == nil {
		return "", plain
	}
	name = lexer.Config().Name
	if name == "plaintext" {
		return "", plain
	}
	if !coloured {
		return name, plain
	}
	tokens, ok := h.tokenise(lexer, code)
	if !ok {
		return name, plain
	}
	var b strings.Builder
	if err := h.formatter.Format(&b, light(), chroma.Literator(tokens...)); err != nil {
		return name, plain
	}
	return name, b.String()
}

// tokenise returns the tokens of code, or not ok when that takes too long, the
// lexer panics, as some do, or what it made of the code is no longer the code.
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

// styledType returns the type that the formatter takes the class of a type
// from: itself, or the nearest one above it that has a class.
func styledType(t chroma.TokenType) chroma.TokenType {
	for t != 0 {
		if _, ok := chroma.StandardTypes[t]; ok {
			return t
		}
		t = t.Parent()
	}
	return t
}
