package markdown

import (
	"bytes"

	"github.com/yuin/goldmark/ast"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// goldmark is more than linear in the things below, so that 100 KB of them
// keep it busy for minutes. No page written by a person comes near the limits.
// What is beyond one stays text, which harms nobody; only where that cannot be
// done, which is with cells and output, the source is refused.
const (
	maxNesting    = 24       // quotes and list items within each other
	maxColumns    = 128      // of a table
	maxCells      = 100_000  // of all tables
	maxFragments  = 20_000   // of raw HTML inside paragraphs, each of which is sanitised by itself
	maxDelimiters = 1000     // of emphasis in one block: each is compared with those before
	maxFootnotes  = 500      // each reference searches them all
	maxReferences = 1000     // lines of link references in one paragraph
	maxLinkScan   = 64 << 20 // bytes and lines that the ends of links may search, in all
	maxOutput     = 16 << 20 // bytes of HTML; only a hostile source of 1 MB comes near
)

var (
	keyBudget     = parser.NewContextKey()
	keyDelimiters = parser.NewContextKey()
)

// budget is what is left for one document.
type budget struct {
	linkScan  int
	footnotes int
}

// delimiters counts those of the block that is being parsed.
type delimiters struct {
	block ast.Node
	count int
}

func newLimits() parser.Context {
	pc := parser.NewContext()
	pc.Set(keyBudget, &budget{linkScan: maxLinkScan, footnotes: maxFootnotes})
	pc.Set(keyDelimiters, &delimiters{})
	return pc
}

// nestingLimit opens its block only where that is not nested too deep.
type nestingLimit struct{ parser.BlockParser }

func (p nestingLimit) Open(parent ast.Node, reader text.Reader, pc parser.Context) (ast.Node, parser.State) {
	depth := 0
	for n := parent; n != nil; n = n.Parent() {
		if n.Kind() == ast.KindBlockquote || n.Kind() == ast.KindList {
			if depth++; depth >= maxNesting {
				return nil, parser.NoChildren
			}
		}
	}
	return p.BlockParser.Open(parent, reader, pc)
}

// footnoteLimit opens no more than maxFootnotes, and none inside another, which
// goldmark would turn into a tree with a cycle.
type footnoteLimit struct{ parser.BlockParser }

func (p footnoteLimit) Open(parent ast.Node, reader text.Reader, pc parser.Context) (ast.Node, parser.State) {
	left := pc.Get(keyBudget).(*budget)
	if left.footnotes <= 0 {
		return nil, parser.NoChildren
	}
	for n := parent; n != nil; n = n.Parent() {
		if n.Kind() == east.KindFootnote {
			return nil, parser.NoChildren
		}
	}
	node, state := p.BlockParser.Open(parent, reader, pc)
	if node != nil {
		left.footnotes--
	}
	return node, state
}

// delimiterLimit lets no block have more than maxDelimiters of them.
type delimiterLimit struct{ parser.InlineParser }

func (p delimiterLimit) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	d := pc.Get(keyDelimiters).(*delimiters)
	if d.block != parent {
		d.block, d.count = parent, 0
	}
	if d.count >= maxDelimiters {
		return nil
	}
	node := p.InlineParser.Parse(parent, block, pc)
	if node != nil {
		d.count++
	}
	return node
}

// linkLimit stops to look for links when the bytes and lines that were searched
// for them are used up: a destination without end is searched for in the whole
// rest of its block, and a label among all of the block's lines.
type linkLimit struct{ parser.InlineParser }

func (p linkLimit) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	line, segment := block.PeekLine()
	if line[0] == ']' && parent.Type() == ast.TypeBlock && parent.Lines().Len() > 0 {
		left := pc.Get(keyBudget).(*budget)
		lines := parent.Lines()
		left.linkScan -= lines.Len()
		if len(line) > 1 && (line[1] == '(' || line[1] == '[') {
			left.linkScan -= max(lines.At(lines.Len()-1).Stop-segment.Start, 0)
		}
		if left.linkScan < 0 {
			return nil
		}
	}
	return p.InlineParser.Parse(parent, block, pc)
}

// CloseBlock passes on what goldmark calls through an optional interface.
func (p linkLimit) CloseBlock(parent ast.Node, block text.Reader, pc parser.Context) {
	if c, ok := p.InlineParser.(parser.CloseBlocker); ok {
		c.CloseBlock(parent, block, pc)
	}
}

// tooManyCells reports whether the tables of a source have too many columns or
// cells. goldmark fills each row up to the width of the header, so that 1 MB
// can become gigabytes. It looks at lines alone, so a line of code that looks
// like the rule below a table's header is taken for one.
func tooManyCells(src []byte) bool {
	columns, cells := 0, 0
	for line := range bytes.Lines(src) {
		pipes := bytes.Count(line, []byte("|"))
		switch {
		case len(bytes.TrimSpace(line)) == 0:
			columns = 0
		case pipes > 0 && bytes.IndexByte(line, '-') >= 0 && len(bytes.Trim(line, "-:|>+*0123456789.) \t\n")) == 0:
			if columns = pipes + 1; columns > maxColumns {
				return true
			}
		}
		if cells += columns; cells > maxCells {
			return true
		}
	}
	return false
}

// referenceLimit leaves a paragraph alone that has too many lines to be
// searched for link references.
type referenceLimit struct{ parser.ParagraphTransformer }

func (t referenceLimit) Transform(node *ast.Paragraph, reader text.Reader, pc parser.Context) {
	if node.Lines().Len() <= maxReferences {
		t.ParagraphTransformer.Transform(node, reader, pc)
	}
}
