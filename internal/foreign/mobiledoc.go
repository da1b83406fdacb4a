package foreign

import (
	"html"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// mobiledoc is a document in Ghost's former form:
// https://github.com/bustle/mobiledoc-kit/blob/master/MOBILEDOC.md
type mobiledoc struct {
	Atoms    [][]jsontext.Value `json:"atoms"`
	Cards    [][]jsontext.Value `json:"cards"`
	Markups  [][]jsontext.Value `json:"markups"`
	Sections [][]jsontext.Value `json:"sections"`
}

// mobiledoc adds a document in mobiledoc, and reports whether it could be read.
func (d *document) mobiledoc(src string) bool {
	var doc mobiledoc
	if err := json.Unmarshal([]byte(src), &doc, loosely); err != nil {
		return false
	}
	if json.Unmarshal([]byte(src), new(jsontext.Value), strictly) != nil {
		d.hideTwice()
	}
	for _, s := range doc.Sections {
		d.section(&doc, s)
	}
	return true
}

// at reads the nth value of a list; a value that is not there, or of another kind, is the zero one.
func at[T any](list []jsontext.Value, n int) T {
	var v T
	if n >= 0 && n < len(list) {
		if err := json.Unmarshal(list[n], &v, loosely); err != nil {
			var zero T
			return zero
		}
	}
	return v
}

// section adds a section: text, a picture, a list or a card.
func (d *document) section(doc *mobiledoc, s []jsontext.Value) {
	switch at[int](s, 0) {
	case 1:
		tag := at[string](s, 1)
		if !slices.Contains([]string{"p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "aside"}, tag) {
			tag = "p"
		}
		if tag == "aside" {
			tag = "blockquote"
		}
		d.html.WriteString("<" + tag + ">")
		d.markers(doc, at[[][]jsontext.Value](s, 2))
		d.html.WriteString("</" + tag + ">")
	case 2:
		d.image(at[string](s, 1), "", "", "")
	case 3:
		tag := "ul"
		if at[string](s, 1) == "ol" {
			tag = "ol"
		}
		d.html.WriteString("<" + tag + ">")
		for _, item := range at[[][][]jsontext.Value](s, 2) {
			d.html.WriteString("<li>")
			d.markers(doc, item)
			d.html.WriteString("</li>")
		}
		d.html.WriteString("</" + tag + ">")
	case 10:
		n := at[int](s, 1)
		if n < 0 || n >= len(doc.Cards) || len(doc.Cards[n]) == 0 {
			return
		}
		name, payload := at[string](doc.Cards[n], 0), at[card](doc.Cards[n], 1)
		if !d.card(name, &payload) {
			d.lost(short(name), "this card is not known here, and it is left out")
		}
	}
}

// markers adds the pieces of a text, each with the marks that it opens and closes.
func (d *document) markers(doc *mobiledoc, markers [][]jsontext.Value) {
	var open []string
	for _, m := range markers {
		for _, n := range at[[]int](m, 1) {
			if n < 0 || n >= len(doc.Markups) || len(open) >= maxDepth {
				continue
			}
			tag, attrs := at[string](doc.Markups[n], 0), at[[]string](doc.Markups[n], 1)
			if !slices.Contains(inlineHTML, tag) &&
				!slices.Contains([]string{"a", "b", "strong", "i", "em", "s", "del", "code"}, tag) {
				tag = "span"
			}
			d.html.WriteString("<" + tag)
			for i := 0; i+1 < len(attrs) && tag == "a"; i += 2 {
				if attrs[i] == "href" {
					d.html.WriteString(` href="` + html.EscapeString(attrs[i+1]) + `"`)
				}
			}
			d.html.WriteString(">")
			open = append(open, tag)
		}
		if at[int](m, 0) == 1 {
			d.atom(doc, at[int](m, 3))
		} else {
			d.html.WriteString(html.EscapeString(at[string](m, 3)))
		}
		for range min(at[int](m, 2), len(open)) {
			d.html.WriteString("</" + open[len(open)-1] + ">")
			open = open[:len(open)-1]
		}
	}
	for len(open) > 0 {
		d.html.WriteString("</" + open[len(open)-1] + ">")
		open = open[:len(open)-1]
	}
}

// atom adds what stands in a text and is none.
func (d *document) atom(doc *mobiledoc, n int) {
	if n < 0 || n >= len(doc.Atoms) {
		return
	}
	if name := at[string](doc.Atoms[n], 0); strings.EqualFold(name, "soft-return") {
		d.html.WriteString("<br>")
		return
	}
	d.html.WriteString(html.EscapeString(at[string](doc.Atoms[n], 1)))
}
