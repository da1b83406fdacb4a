package markdown

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/styles"
)

// light and dark are chroma's styles with a contrast of at least 4.5:1 for every token. Most styles
// have less.
func light() *chroma.Style { return styles.Get("modus-operandi") }
func dark() *chroma.Style  { return styles.Get("modus-vivendi") }

// tokenClasses returns the classes of the types of tokens that look different from plain text in
// one of the styles. The others, more than half of all tokens, need no element.
func tokenClasses() map[chroma.TokenType]string {
	classes := make(map[chroma.TokenType]string)
	for t, class := range chroma.StandardTypes {
		// Except for two, the types below zero are lines, their numbers and wrappers.
		if t < 0 && t != chroma.Error && t != chroma.Other || class == "" {
			continue
		}
		for _, style := range []*chroma.Style{light(), dark()} {
			if declarations(style.Get(t)) != declarations(style.Get(chroma.Background)) {
				classes[t] = class
			}
		}
	}
	return classes
}

// WriteCSS writes the style sheet for highlighted code: the light colours, the dark ones for
// readers whose system is dark, and both for pages whose root element has data-theme="light" or
// "dark". Each call writes the same.
func WriteCSS(w io.Writer) error {
	var b strings.Builder
	writeStyle(&b, "", light())
	b.WriteString("@media (prefers-color-scheme: dark) {\n")
	writeStyle(&b, `:root:not([data-theme="light"]) `, dark())
	b.WriteString("}\n")
	writeStyle(&b, `:root[data-theme="dark"] `, dark())
	_, err := io.WriteString(w, b.String())
	return err
}

// writeStyle writes one rule for all classes that look the same.
func writeStyle(b *strings.Builder, scope string, style *chroma.Style) {
	selectors := make(map[string][]string)
	for t, class := range tokenClasses() {
		rule := declarations(style.Get(t))
		selectors[rule] = append(selectors[rule], scope+".chroma ."+class)
	}
	base := style.Get(chroma.Background)
	fmt.Fprintf(b, "%s.chroma { color: %s; background-color: %s }\n", scope, base.Colour, base.Background)

	rules := make([]string, 0, len(selectors))
	for rule := range selectors {
		rules = append(rules, rule)
	}
	slices.Sort(rules)
	for _, rule := range rules {
		slices.Sort(selectors[rule])
		fmt.Fprintf(b, "%s { %s }\n", strings.Join(selectors[rule], ", "), rule)
	}
}

func declarations(entry chroma.StyleEntry) string {
	rule := "color: " + entry.Colour.String()
	if entry.Bold == chroma.Yes {
		rule += "; font-weight: bold"
	}
	if entry.Italic == chroma.Yes {
		rule += "; font-style: italic"
	}
	if entry.Underline == chroma.Yes {
		rule += "; text-decoration: underline"
	}
	return rule
}
