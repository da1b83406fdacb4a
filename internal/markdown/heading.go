package markdown

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"golang.org/x/text/unicode/norm"
)

// dataID is the attribute that carries an author's id of a heading to the shaper. No raw HTML has
// this attribute.
const dataID = "data-id"

var (
	// attributeList may end a heading: {#id .class key="value"}. Only the id has a meaning here.
	attributeList = regexp.MustCompile(`^\{:?(?:[ \t]*(?:[#.][^\s{}"'=#]+|` +
		`[A-Za-z_][\w:.-]*=(?:"[^"]*"|'[^']*'|[^\s"'{}]+)))+[ \t]*\}$`)
	attributeID   = regexp.MustCompile(`(?:[{: \t])#([^\s{}"'=#]+)`)
	closingHashes = regexp.MustCompile(`[ \t]+#+[ \t]*$`)

	givenID = regexp.MustCompile(`^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.:-]*$`)

	// pageIDs are the ids of the page around a post, and of footnotes. No heading may have one, because
	// links to the page's part would lead to the heading.
	pageIDs = regexp.MustCompile(`^(?:main|article|theme|q|site-q|home-tags|form-summary|.*-heading|` +
		`(?:fn|post|group|year|f)-.*)$`)
)

// IsPageID reports whether pages use an id themselves. A heading to which its author gives such an id
// gets it with the prefix h-.
func IsPageID(id string) bool {
	return !strings.HasPrefix(id, headingPrefix) && pageIDs.MatchString(id)
}

// headingIDs moves the id that an author gave a heading from its text to an attribute.
type headingIDs struct{ parser.BlockParser }

// Close implements parser.BlockParser.
func (p headingIDs) Close(node ast.Node, reader text.Reader, pc parser.Context) {
	p.BlockParser.Close(node, reader, pc)
	lines := node.Lines()
	if node.Kind() != ast.KindHeading || node.Parent() == nil || lines.Len() == 0 {
		return
	}
	last := lines.At(lines.Len() - 1)
	value := bytes.TrimRight(last.Value(reader.Source()), " \t\n")
	open := bytes.LastIndexByte(value, '{')
	if open < 0 || open > 0 && value[open-1] == '\\' || !attributeList.Match(value[open:]) {
		return
	}
	if id := attributeID.FindSubmatch(value[open:]); id != nil {
		node.SetAttributeString(dataID, id[1])
	}
	title := closingHashes.ReplaceAll(bytes.TrimRight(value[:open], " \t"), nil)
	lines.Set(lines.Len()-1, text.NewSegmentPadding(last.Start, last.Start+len(title)-last.Padding, last.Padding))
}

// chosenID returns the id of a heading whose author gave it one: the given id where possible.
func chosenID(given string) string {
	given = norm.NFC.String(given)
	switch {
	case !givenID.MatchString(given), len(given) > maxIDLength*4:
		return headingID(given)
	case IsPageID(given):
		return headingPrefix + given
	}
	return given
}

// resolve returns the id of the heading that a fragment means. The fragment is the id itself, with or
// without our prefix, or what other programs make of the heading's text. They count the second of
// equal headings as 1.
func (s *shaper) resolve(fragment string) (id string, ok bool) {
	bare := strings.TrimPrefix(fragment, headingPrefix)
	candidates := []string{
		fragment, norm.NFC.String(fragment), headingPrefix + bare, bare, headingID(fragment), headingID(bare),
		s.folded[strings.ToLower(bare)],
	}
	if i := strings.LastIndexByte(bare, '-'); i > 0 {
		if nth, err := strconv.Atoi(bare[i+1:]); err == nil && nth > 0 {
			candidates = append(candidates, headingID(bare[:i])+"-"+strconv.Itoa(nth+1))
		}
	}
	for _, id := range candidates {
		if id != "" && s.ids[id] {
			return id, true
		}
	}
	return "", false
}
