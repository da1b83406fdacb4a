package markdown

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/styles"
)

// light and dark are chroma's styles that reach a contrast of 4.5:1 on every
// token, which most do not.
func light() *chroma.Style { return styles.Get("modus-operandi") }
func dark() *chroma.Style  { return styles.Get("modus-vivendi") }

// tokenClasses returns the class of each type of token that looks different
// from plain text in one of the styles. The others, which are a good half of
// all tokens, need no element of their own.
func tokenClasses() map[chroma.TokenType]string {
	classes := make(map[chroma.TokenType]string)
	for t, class := range chroma.StandardTypes {
		// The types below zero are, but for two, lines, their numbers and wrappers.
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

// WriteCSS writes the style sheet of highlighted code: the light colours, the
// dark ones for readers whose system asks for dark, and both for pages whose
// root element says data-theme="light" or "dark". It is the same on each call.
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
		look := declarations(style.Get(t))
		selectors[look] = append(selectors[look], scope+".chroma ."+class)
	}
	base := style.Get(chroma.Background)
	fmt.Fprintf(b, "%s.chroma { color: %s; background-color: %s }\n", scope, base.Colour, base.Background)

	looks := make([]string, 0, len(selectors))
	for look := range selectors {
		looks = append(looks, look)
	}
	slices.Sort(looks)
	for _, look := range looks {
		slices.Sort(selectors[look])
		fmt.Fprintf(b, "%s { %s }\n", strings.Join(selectors[look], ", "), look)
	}
}

func declarations(entry chroma.StyleEntry) string {
	look := "color: " + entry.Colour.String()
	if entry.Bold == chroma.Yes {
		look += "; font-weight: bold"
	}
	if entry.Italic == chroma.Yes {
		look += "; font-style: italic"
	}
	if entry.Underline == chroma.Yes {
		look += "; text-decoration: underline"
	}
	return look
}
