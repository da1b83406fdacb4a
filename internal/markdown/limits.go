package markdown

import (
	"bytes"

	"github.com/yuin/goldmark/ast"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// goldmark takes more than linear time for the things below, so that 100 KB of them can take
// minutes. No page of an author comes near the limits. What is beyond one is shown as text. Where
// that is not possible, with cells and output, the source is refused.
const (
	maxNesting     = 24        // quotes, lists and definitions inside each other
	maxColumns     = 128       // of a table
	maxCells       = 100_000   // of all tables
	maxEscaped     = 2000      // marks \| in code in all tables; each piece of code is compared with all
	maxFragments   = 20_000    // of raw HTML inside paragraphs, each of which is sanitised by itself
	maxDelimiters  = 1000      // of emphasis in one block; each is compared with those before it
	maxFootnotes   = 500       // each reference searches them all
	maxDefinitions = 2000      // each opens again the list that contains all before it
	maxReferences  = 1000      // lines of link references in one paragraph
	maxReferred    = 4 << 20   // bytes of addresses and titles of links by reference, counted at each use
	maxLinkScan    = 64 << 20  // bytes and lines that searches for the ends of links may read, in all
	maxRoomy       = 256 << 10 // bytes of HTML; a longer document is made compact
	maxOutput      = 16 << 20  // bytes of HTML; only a hostile source of 1 MB comes near
)

var (
	keyBudget     = parser.NewContextKey()
	keyDelimiters = parser.NewContextKey()
)

// budget is what is left of the limits for one document.
type budget struct {
	linkScan    int
	footnotes   int
	definitions int
	referred    int
}

// delimiters counts the delimiters of the block that is parsed.
type delimiters struct {
	block ast.Node
	count int
}

func newContext(source string) parser.Context {
	pc := parser.NewContext()
	pc.Set(keyBudget, &budget{
		linkScan: maxLinkScan, footnotes: maxFootnotes, definitions: maxDefinitions, referred: maxReferred,
	})
	pc.Set(keyDelimiters, &delimiters{})
	pc.Set(keyQuotes, &quoteState{marks: quotesOf(source)})
	return pc
}

// nestingLimit opens its block only when that is not nested too deep.
type nestingLimit struct{ parser.BlockParser }

func (p nestingLimit) Open(parent ast.Node, reader text.Reader, pc parser.Context) (ast.Node, parser.State) {
	depth := 0
	for n := parent; n != nil; n = n.Parent() {
		if k := n.Kind(); k == ast.KindBlockquote || k == ast.KindList || k == east.KindDefinitionList {
			if depth++; depth >= maxNesting {
				return nil, parser.NoChildren
			}
		}
	}
	return p.BlockParser.Open(parent, reader, pc)
}

// footnoteLimit opens at most maxFootnotes footnotes, and none inside another, which goldmark would
// turn into a tree with a cycle.
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

// definitionLimit admits at most maxDefinitions definitions in a document.
type definitionLimit struct{ parser.BlockParser }

func (p definitionLimit) Open(parent ast.Node, reader text.Reader, pc parser.Context) (ast.Node, parser.State) {
	left := pc.Get(keyBudget).(*budget)
	if left.definitions <= 0 {
		return nil, parser.NoChildren
	}
	node, state := p.BlockParser.Open(parent, reader, pc)
	if node != nil {
		left.definitions--
	}
	return node, state
}

// delimiterLimit admits at most maxDelimiters delimiters in a block.
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

// linkLimit searches for no more links when the budget of bytes and lines for such searches is used
// up. A destination without end is searched for in the whole remainder of its block, and a label in
// all of the block's lines. linkLimit also counts what links by reference repeat.
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
	node := p.InlineParser.Parse(parent, block, pc)
	referred := 0
	switch n := node.(type) {
	case *ast.Link:
		if n.Reference != nil {
			referred = len(n.Destination) + len(n.Title)
		}
	case *ast.Image:
		if n.Reference != nil {
			referred = len(n.Destination) + len(n.Title)
		}
	}
	pc.Get(keyBudget).(*budget).referred -= referred
	return node
}

// runLimit reads a run of more than two tildes, which strike nothing through, at once: the parser that it
// wraps would read the remainder of the run for each of them.
type runLimit struct{ parser.InlineParser }

func (p runLimit) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	line, segment := block.PeekLine()
	run := 1
	for run < len(line) && line[run] == line[0] {
		run++
	}
	if run <= 2 {
		return p.InlineParser.Parse(parent, block, pc)
	}
	block.Advance(run)
	return ast.NewTextSegment(segment.WithStop(segment.Start + run))
}

// CloseBlock calls the parser's own CloseBlock, which goldmark calls through an optional interface.
func (p linkLimit) CloseBlock(parent ast.Node, block text.Reader, pc parser.Context) {
	if c, ok := p.InlineParser.(parser.CloseBlocker); ok {
		c.CloseBlock(parent, block, pc)
	}
}

// tooManyCells reports whether the tables of a source have too many columns or cells. goldmark
// fills each row up to the width of the header, so that 1 MB can become gigabytes. tooManyCells
// reads lines only, so it also counts a line of code that looks like the rule below a table's
// header. It counts the escaped marks of columns in code as well.
func tooManyCells(src []byte) bool {
	columns, cells, escaped, header := 0, 0, 0, 0
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
		marks := 0
		if bytes.IndexByte(line, '`') >= 0 {
			marks = bytes.Count(line, []byte(`\|`))
		}
		if columns > 0 {
			escaped += marks + header
			header = 0
		} else {
			header = marks // if the next line makes a table of this one
		}
		if cells += columns; cells > maxCells || escaped > maxEscaped {
			return true
		}
	}
	return false
}

// referenceLimit skips a paragraph with too many lines to search it for link references.
type referenceLimit struct{ parser.ParagraphTransformer }

func (t referenceLimit) Transform(node *ast.Paragraph, reader text.Reader, pc parser.Context) {
	if node.Lines().Len() <= maxReferences {
		t.ParagraphTransformer.Transform(node, reader, pc)
	}
}
