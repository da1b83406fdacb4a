package markdown

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/util"
	"golang.org/x/net/html"
)

// Keys of the counts that are stored with a document while it is written.
const (
	metaPrefix      = "footnote prefix"
	metaHighlighted = "highlighted" // bytes of code
	metaFragments   = "fragments"   // of raw HTML
	metaLexers      = "lexers"      // chroma.Lexer by the name of a language, nil for an unknown one
)

// spend adds n to one of a document's counts and returns the sum.
func spend(node ast.Node, key string, n int) int {
	doc := node.OwnerDocument()
	spent, _ := doc.Meta()[key].(int)
	doc.AddMeta(key, spent+n)
	return spent + n
}

// newGoldmark returns goldmark with the extensions that posts may use, and with the limits of
// limits.go around the parsers that need one.
func newGoldmark(words Words) goldmark.Markdown {
	return goldmark.New(
		goldmark.WithParser(parser.NewParser(
			parser.WithBlockParsers(
				util.Prioritized(headingIDs{parser.NewSetextHeadingParser()}, 100),
				util.Prioritized(parser.NewThematicBreakParser(), 200),
				util.Prioritized(definitionLimit{nestingLimit{extension.NewDefinitionListParser()}}, 101),
				util.Prioritized(extension.NewDefinitionDescriptionParser(), 102),
				util.Prioritized(nestingLimit{parser.NewListParser()}, 300),
				util.Prioritized(parser.NewListItemParser(), 400),
				util.Prioritized(parser.NewCodeBlockParser(), 500),
				util.Prioritized(headingIDs{parser.NewATXHeadingParser()}, 600),
				util.Prioritized(parser.NewFencedCodeBlockParser(), 700),
				util.Prioritized(nestingLimit{alertParser{parser.NewBlockquoteParser()}}, 800),
				util.Prioritized(parser.NewHTMLBlockParser(), 900),
				util.Prioritized(footnoteLimit{extension.NewFootnoteBlockParser()}, 999),
				util.Prioritized(parser.NewParagraphParser(), 1000),
			),
			parser.WithInlineParsers(
				util.Prioritized(parser.NewCodeSpanParser(), 100),
				util.Prioritized(extension.NewFootnoteParser(), 101),
				util.Prioritized(linkLimit{parser.NewLinkParser()}, 200),
				util.Prioritized(parser.NewAutoLinkParser(), 300),
				util.Prioritized(parser.NewRawHTMLParser(), 400),
				util.Prioritized(delimiterLimit{cjkEmphasis{parser.NewEmphasisParser()}}, 500),
				util.Prioritized(runLimit{delimiterLimit{cjkEmphasis{extension.NewStrikethroughParser()}}}, 500),
				util.Prioritized(addressParser{}, 600),
				util.Prioritized(newEmojiParser(), 999),
				util.Prioritized(newTypography(), 9999),
			),
			parser.WithParagraphTransformers(
				util.Prioritized(referenceLimit{parser.LinkReferenceParagraphTransformer}, 100),
			),
			parser.WithASTTransformers(
				util.Prioritized(extension.NewFootnoteASTTransformer(), 999),
			),
		)),
		goldmark.WithExtensions(
			// The alignment is written as an align attribute instead of a style, and becomes a
			// class later.
			extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)),
			extension.TaskList,
		),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(
			util.Prioritized(extension.NewStrikethroughHTMLRenderer(), 500),
			util.Prioritized(extension.NewDefinitionListHTMLRenderer(), 500),
			util.Prioritized(&nodes{words: words, authored: authored(), code: newHighlighter()}, 100),
		)),
	)
}

// nodes writes the kinds of nodes that goldmark would write in another way.
type nodes struct {
	words    Words
	authored *bluemonday.Policy
	code     *highlighter
}

// RegisterFuncs implements renderer.NodeRenderer.
func (r *nodes) RegisterFuncs(reg renderer.NodeRendererFuncRegisterer) {
	reg.Register(ast.KindHTMLBlock, r.htmlBlock)
	reg.Register(ast.KindRawHTML, r.rawHTML)
	reg.Register(kindAddress, r.address)
	reg.Register(ast.KindBlockquote, r.quote)
	reg.Register(kindAlertTitle, r.alertTitle)
	reg.Register(ast.KindCodeBlock, r.codeBlock)
	reg.Register(ast.KindFencedCodeBlock, r.codeBlock)
	reg.Register(east.KindTaskCheckBox, r.taskBox)
	reg.Register(east.KindFootnoteLink, r.footnoteLink)
	reg.Register(east.KindFootnoteBacklink, r.footnoteBacklink)
	reg.Register(east.KindFootnote, r.footnote)
	reg.Register(east.KindFootnoteList, r.footnoteList)
}

func (r *nodes) htmlBlock(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	n := node.(*ast.HTMLBlock)
	raw := n.Lines().Value(source)
	if n.HasClosure() {
		raw = append(raw, n.ClosureLine.Value(source)...)
	}
	_, err := r.authored.SanitizeReader(bytes.NewReader(raw)).WriteTo(w)
	return ast.WalkContinue, err
}

func (r *nodes) rawHTML(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkSkipChildren, nil
	}
	raw := node.(*ast.RawHTML).Segments.Value(source)
	if spend(node, metaFragments, 1) > maxFragments {
		_, err := w.WriteString(html.EscapeString(string(raw)))
		return ast.WalkSkipChildren, err
	}
	_, err := r.authored.SanitizeReader(bytes.NewReader(raw)).WriteTo(w)
	return ast.WalkSkipChildren, err
}

func (r *nodes) codeBlock(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	f := fence{}
	if n, ok := node.(*ast.FencedCodeBlock); ok && n.Info != nil {
		f = parseFence(string(n.Info.Segment.Value(source)))
	}
	code := string(node.Lines().Value(source))
	spent := spend(node, metaHighlighted, len(code)+256)
	name, marked := r.code.highlight(f, findLexer(node, f.language), code, spent <= maxHighlighted)
	_, _ = fmt.Fprintf(w, `<figure class="code" data-language="%s">`, html.EscapeString(name))
	if f.title != "" {
		_, _ = fmt.Fprintf(w, `<figcaption>%s</figcaption>`, html.EscapeString(f.title))
	}
	_, _ = w.WriteString(`<pre class="chroma"><code>`)
	_, _ = w.WriteString(marked)
	_, _ = w.WriteString("</code></pre></figure>\n")
	return ast.WalkContinue, nil
}

func (r *nodes) taskBox(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	checked, name := "", r.words.Open
	if node.(*east.TaskCheckBox).IsChecked {
		checked, name = ` checked=""`, r.words.Done
	}
	_, _ = fmt.Fprintf(w, `<input type="checkbox" disabled=""%s aria-label="%s"> `, checked, html.EscapeString(name))
	return ast.WalkContinue, nil
}

// footnoteID returns the id of a footnote. Its colon, which a prefix cannot have, keeps the ids of
// different prefixes apart.
func footnoteID(node ast.Node, index int) string {
	prefix, _ := node.OwnerDocument().Meta()[metaPrefix].(string)
	return "fn-" + prefix + ":" + strconv.Itoa(index)
}

// referenceID returns the id of a place in the text that refers to a footnote. A footnote may have
// several.
func referenceID(node ast.Node, index, nth int) string {
	prefix, _ := node.OwnerDocument().Meta()[metaPrefix].(string)
	id := "fn-" + prefix + ":ref" + strconv.Itoa(index)
	if nth > 0 {
		id += "." + strconv.Itoa(nth+1)
	}
	return id
}

func (r *nodes) footnoteLink(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		n := node.(*east.FootnoteLink)
		_, _ = fmt.Fprintf(w, `<sup id="%s"><a href="#%s" class="footnote-ref" role="doc-noteref">%d</a></sup>`,
			referenceID(n, n.Index, n.RefIndex), footnoteID(n, n.Index), n.Index)
	}
	return ast.WalkContinue, nil
}

func (r *nodes) footnoteBacklink(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		n := node.(*east.FootnoteBacklink)
		name := r.words.Back
		if n.RefCount > 1 {
			name += fmt.Sprintf(" (%d)", n.RefIndex+1)
		}
		_, _ = fmt.Fprintf(w,
			` <a href="#%s" class="footnote-backref" role="doc-backlink" aria-label="%s">&#x21a9;&#xfe0e;</a>`,
			referenceID(n, n.Index, n.RefIndex), html.EscapeString(name))
	}
	return ast.WalkContinue, nil
}

func (r *nodes) footnote(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		_, _ = fmt.Fprintf(w, `<li id="%s">`, footnoteID(node, node.(*east.Footnote).Index))
	} else {
		_, _ = w.WriteString("</li>\n")
	}
	return ast.WalkContinue, nil
}

func (r *nodes) footnoteList(w util.BufWriter, _ []byte, _ ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		_, _ = fmt.Fprintf(w, "<section class=\"footnotes\" role=\"doc-endnotes\" aria-label=\"%s\"><ol>\n",
			html.EscapeString(r.words.Footnotes))
	} else {
		_, _ = w.WriteString("</ol></section>\n")
	}
	return ast.WalkContinue, nil
}
