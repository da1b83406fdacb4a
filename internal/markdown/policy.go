package markdown

import (
	"regexp"
	"slices"
	"strings"

	"github.com/microcosm-cc/bluemonday"
)

var (
	number    = regexp.MustCompile(`^[0-9]{1,5}$`)
	direction = regexp.MustCompile(`^(?:ltr|rtl|auto)$`)
	language  = regexp.MustCompile(`^[A-Za-z0-9-]{2,35}$`)
	empty     = regexp.MustCompile(`^$`)
)

// authoredElements are the elements that raw HTML may contain.
var authoredElements = []string{
	"p", "div", "blockquote", "pre", "hr", "h1", "h2", "h3", "h4", "h5", "h6",
	"ul", "ol", "li", "dl", "dt", "dd", "details", "summary", "figure", "figcaption",
	"table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td",
	"a", "img", "br", "wbr", "b", "strong", "i", "em", "u", "s", "del", "ins", "mark", "small",
	"sub", "sup", "kbd", "samp", "var", "code", "abbr", "cite", "q", "dfn", "time", "span",
	"bdi", "bdo", "ruby", "rt", "rp",
}

// base returns the policy with what both an author's raw HTML and the finished document may
// contain.
func base() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements(authoredElements...)
	p.RequireParseableURLs(true)
	p.AllowRelativeURLs(true)
	p.AllowURLSchemes(schemes[1:]...)
	p.AllowAttrs("href").OnElements("a")
	p.AllowAttrs("src", "alt").OnElements("img")
	p.AllowAttrs("width", "height").Matching(number).OnElements("img")
	p.AllowAttrs("cite").OnElements("blockquote", "q", "del", "ins")
	p.AllowAttrs("datetime").OnElements("time", "del", "ins")
	p.AllowAttrs("title").OnElements("a", "img", "abbr", "dfn")
	p.AllowAttrs("open").Matching(empty).OnElements("details")
	p.AllowAttrs("start").Matching(regexp.MustCompile(`^-?[0-9]{1,9}$`)).OnElements("ol")
	p.AllowAttrs("reversed").Matching(empty).OnElements("ol")
	p.AllowAttrs("value").Matching(regexp.MustCompile(`^-?[0-9]{1,9}$`)).OnElements("li")
	p.AllowAttrs("colspan", "rowspan").Matching(regexp.MustCompile(`^[0-9]{1,2}$`)).OnElements("td", "th")
	p.AllowAttrs("scope").Matching(regexp.MustCompile(`^(?:row|col)(?:group)?$`)).OnElements("th")
	p.AllowAttrs("dir").Matching(direction).Globally()
	p.AllowAttrs("lang").Matching(language).Globally()
	return p
}

// authored returns the policy for raw HTML in the source. It allows no id, class or role, which
// only this package writes. It allows the relations of a link when "me" is one of them; only "me"
// remains in the document. Of video and audio it allows what the shaper makes players of, and nothing
// that plays without the reader.
func authored() *bluemonday.Policy {
	p := base()
	p.AllowNoAttrs().OnElements("video", "audio")
	p.AllowAttrs("src").OnElements("video", "audio", "source")
	p.AllowAttrs("title", "aria-label").OnElements("video", "audio")
	p.AllowAttrs("width", "height").Matching(number).OnElements("video")
	p.AllowAttrs("align").Matching(regexp.MustCompile(`^(?:left|center|right)$`)).OnElements("td", "th")
	p.AllowAttrs("rel").Matching(regexp.MustCompile(`(?i)(?:^|\s)me(?:\s|$)`)).OnElements("a")
	return p
}

// ours returns the policy for the finished document: base, and exactly what this package adds.
func ours() *bluemonday.Policy {
	p := base()
	exactly := func(element, attr string, values ...string) {
		for i, v := range values {
			values[i] = regexp.QuoteMeta(v)
		}
		p.AllowAttrs(attr).Matching(regexp.MustCompile(`^(?:` + strings.Join(values, "|") + `)$`)).OnElements(element)
	}
	p.AllowElements("section", "input")
	exactly("input", "type", "checkbox")
	exactly("input", "disabled", "")
	exactly("input", "checked", "")
	p.AllowAttrs("aria-label").OnElements("input", "section", "a", "pre", "div")
	exactly("section", "class", "footnotes")
	exactly("section", "role", "doc-endnotes")
	exactly("a", "class", "footnote-ref", "footnote-backref")
	exactly("a", "role", "doc-noteref", "doc-backlink")
	exactly("a", "rel", "external noopener", "me", "me external noopener")
	for _, player := range []string{"video", "audio"} {
		exactly(player, "controls", "")
		exactly(player, "preload", "none")
		p.AllowAttrs("src").Matching(regexp.MustCompile(`^https://`)).OnElements(player)
		p.AllowAttrs("aria-label").OnElements(player)
	}
	p.AllowAttrs("width", "height").Matching(number).OnElements("video")
	exactly("figure", "class", "code")
	p.AllowAttrs("data-language").OnElements("figure")
	exactly("pre", "class", "chroma")
	exactly("pre", "role", "group")
	exactly("pre", "tabindex", "0")
	exactly("div", "class", "table", "alert")
	exactly("div", "role", "region", "note")
	exactly("div", dataAlert, alertNote, alertTip, alertImportant, alertWarning, alertCaution)
	exactly("p", "class", "alert-title")
	exactly("div", "tabindex", "0")
	for _, cell := range []string{"td", "th"} {
		exactly(cell, "class", "align-left", "align-center", "align-right")
	}
	exactly("ul", "class", "tasks")
	exactly("ol", "class", "tasks")
	exactly("li", "class", "task")
	exactly("img", "loading", "lazy")
	exactly("img", "decoding", "async")
	classes := []string{"missing-image"}
	for _, class := range tokenClasses() {
		classes = append(classes, class)
	}
	slices.Sort(classes)
	exactly("span", "class", slices.Compact(classes)...)
	for _, heading := range []string{"h2", "h3", "h4", "h5", "h6"} {
		p.AllowAttrs("id").Matching(givenID).OnElements(heading)
	}
	p.AllowAttrs("id").Matching(regexp.MustCompile(`^fn-[A-Za-z0-9_-]{1,64}:[0-9]+$`)).OnElements("li")
	p.AllowAttrs("id").Matching(regexp.MustCompile(`^fn-[A-Za-z0-9_-]{1,64}:ref[0-9]+(?:\.[0-9]+)?$`)).OnElements("sup")
	return p
}
