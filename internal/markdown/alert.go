package markdown

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
	"golang.org/x/net/html"
)

// The kinds of alerts, as GitHub has them.
const (
	alertNote      = "note"
	alertTip       = "tip"
	alertImportant = "important"
	alertWarning   = "warning"
	alertCaution   = "caution"
)

// alerts are the kinds by their names: those of GitHub, and more of Obsidian.
var alerts = map[string]string{
	"note": alertNote, "info": alertNote, "abstract": alertNote, "summary": alertNote, "tldr": alertNote,
	"todo": alertNote, "example": alertNote, "question": alertNote, "help": alertNote, "faq": alertNote,
	"tip": alertTip, "hint": alertTip, "success": alertTip, "check": alertTip, "done": alertTip,
	"important": alertImportant,
	"warning":   alertWarning, "attention": alertWarning,
	"caution": alertCaution, "danger": alertCaution, "error": alertCaution, "failure": alertCaution, "fail": alertCaution,
	"missing": alertCaution, "bug": alertCaution,
}

// dataAlert is the attribute of a quote in the syntax tree, and of its element, with the kind of the
// alert.
const dataAlert = "data-alert"

var (
	alertHead      = regexp.MustCompile(`^[ \t]*\[!([A-Za-z]{1,20})\][+-]?(?:[ \t]+|$)`)
	kindAlertTitle = ast.NewNodeKind("AlertTitle")
)

// alertTitle is the node of the title that an author writes after an alert's kind.
type alertTitle struct{ ast.BaseBlock }

func (n *alertTitle) Kind() ast.NodeKind { return kindAlertTitle }

func (n *alertTitle) Dump(source []byte, level int) { ast.DumpHelper(n, source, level, nil, nil) }

// alertParser makes an alert of a quote that begins with "[!NOTE]" and has text after that line.
type alertParser struct{ parser.BlockParser }

// Close implements parser.BlockParser.
func (p alertParser) Close(node ast.Node, reader text.Reader, pc parser.Context) {
	p.BlockParser.Close(node, reader, pc)
	first, ok := node.FirstChild().(*ast.Paragraph)
	if !ok || first.Lines().Len() == 0 {
		return
	}
	line := first.Lines().At(0)
	value := strings.TrimRight(string(line.Value(reader.Source())), " \t\n")
	head := alertHead.FindStringSubmatch(value)
	if head == nil || alerts[strings.ToLower(head[1])] == "" {
		return
	}
	if first.Lines().Len() == 1 && first.NextSibling() == nil {
		return
	}
	node.SetAttributeString(dataAlert, alerts[strings.ToLower(head[1])])
	if len(head[0]) < len(value) {
		title := &alertTitle{}
		title.Lines().Append(text.NewSegment(line.Start-line.Padding+len(head[0]), line.Start-line.Padding+len(value)))
		node.InsertBefore(node, first, title)
	} else {
		node.SetAttributeString("data-untitled", true)
	}
	if first.Lines().Len() == 1 {
		node.RemoveChild(node, first)
		return
	}
	first.Lines().SetSliced(1, first.Lines().Len())
}

func (w Words) alert(kind string) string {
	return map[string]string{
		alertNote: w.Note, alertTip: w.Tip, alertImportant: w.Important, alertWarning: w.Warning, alertCaution: w.Caution,
	}[kind]
}

func (r *nodes) quote(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	kind, _ := node.AttributeString(dataAlert)
	name, ok := kind.(string)
	switch {
	case !ok && entering:
		_, _ = w.WriteString("<blockquote>\n")
	case !ok:
		_, _ = w.WriteString("</blockquote>\n")
	case !entering:
		_, _ = w.WriteString("</div>\n")
	default:
		_, _ = fmt.Fprintf(w, "<div class=\"alert\" %s=\"%s\" role=\"note\">\n", dataAlert, name)
		if _, untitled := node.AttributeString("data-untitled"); untitled {
			_, _ = fmt.Fprintf(w, "%s%s%s", alertTitleStart, html.EscapeString(r.words.alert(name)), alertTitleEnd)
		}
	}
	return ast.WalkContinue, nil
}

// The title is a strong element for readers without our style sheet, such as those of a feed.
const (
	alertTitleStart = `<p class="alert-title"><strong>`
	alertTitleEnd   = "</strong></p>\n"
)

func (r *nodes) alertTitle(w util.BufWriter, _ []byte, _ ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		_, _ = w.WriteString(alertTitleStart)
	} else {
		_, _ = w.WriteString(alertTitleEnd)
	}
	return ast.WalkContinue, nil
}
