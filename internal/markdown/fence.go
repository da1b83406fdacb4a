package markdown

import (
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/net/html"
)

// fence is what the first line of a block of code says about the block.
type fence struct {
	language string
	title    string
	lines    []lineRange // to highlight
}

// lineRange are lines from first to last, counted from 1.
type lineRange struct{ first, last int }

const (
	maxFence  = 1000 // bytes read of a block's first line
	maxTitle  = 200  // characters of a block's title
	maxRanges = 100  // ranges of lines
)

var (
	// fenceLanguage is the beginning of the line: go, c++, {.python}, {r}, and js in "js:main.js".
	fenceLanguage = regexp.MustCompile(`^\{?\.?([^\s{}:="',]*)`)
	// fenceTitle is the title of a block as in Docusaurus, Gatsby, Hugo, Nextra and Astro.
	fenceTitle = regexp.MustCompile(`\b(?:title|filename|file|name|caption)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'{},]+))`)
	// fenceFile is the name of a file after the language, as in Qiita and Zenn.
	fenceFile = regexp.MustCompile(`^[^\s{}:="',]+:([^\s{}="']+)`)
	// fenceLines are lines to highlight: {1,3-5} as in Gatsby and Docusaurus, and hl_lines=[1,"3-5"] or
	// "1 3-5" as in Hugo and Python's Markdown.
	fenceLines = regexp.MustCompile(`\{\s*([0-9][0-9,\s-]*)\}|\bhl_lines\s*=\s*(?:\[([^\]]*)\]|"([^"]*)"|'([^']*)')`)
	oneRange   = regexp.MustCompile(`([0-9]{1,6})(?:\s*-\s*([0-9]{1,6}))?`)
)

func parseFence(info string) fence {
	info = strings.TrimSpace(info[:min(len(info), maxFence)])
	f := fence{}
	if m := fenceLanguage.FindStringSubmatch(info); m != nil {
		f.language = m[1]
	}
	if m := fenceTitle.FindStringSubmatch(info); m != nil {
		f.title = m[1] + m[2] + m[3]
	} else if m := fenceFile.FindStringSubmatch(info); m != nil {
		f.title = m[1]
	}
	f.title = strings.ToValidUTF8(strings.TrimSpace(f.title), "")
	if runes := []rune(f.title); len(runes) > maxTitle {
		f.title = string(runes[:maxTitle]) + "…"
	}
	for _, m := range fenceLines.FindAllStringSubmatch(info, -1) {
		for _, r := range oneRange.FindAllStringSubmatch(m[1]+m[2]+m[3]+m[4], maxRanges) {
			first, _ := strconv.Atoi(r[1]) // at most six digits, so always a number
			last := first
			if r[2] != "" {
				last, _ = strconv.Atoi(r[2])
			}
			if first > 0 && first <= last && len(f.lines) < maxRanges {
				f.lines = append(f.lines, lineRange{first, last})
			}
		}
	}
	return f
}

// emphasised reports whether a line, counted from 1, is highlighted.
func (f fence) emphasised(line int) bool {
	for _, r := range f.lines {
		if line >= r.first && line <= r.last {
			return true
		}
	}
	return false
}

// markLines returns lines of code as HTML, with each highlighted line in an element of its own.
func (f fence) markLines(lines []string) string {
	var b strings.Builder
	for i, line := range lines {
		if f.emphasised(i + 1) {
			line = "<mark>" + line + "</mark>"
		}
		b.WriteString(line)
	}
	return b.String()
}

// plainLines returns the lines of code as HTML.
func plainLines(code string) []string {
	return strings.SplitAfter(html.EscapeString(code), "\n")
}
