package ui_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"blog/internal/markdown"
)

var (
	styleComment = regexp.MustCompile(`(?s)/\*.*?\*/`)
	styleRule    = regexp.MustCompile(`([^{};]+)\{`)
	styleClass   = regexp.MustCompile(`\.([A-Za-z][\w-]*)`)
)

// mustSelectors returns the selectors of the pages' style sheets.
func mustSelectors(t *testing.T) []string {
	t.Helper()
	sheets, err := filepath.Glob("../assets/css/*.css")
	if err != nil {
		t.Fatal(err)
	}
	if len(sheets) == 0 {
		t.Fatal("got no style sheets in ../assets/css, want some")
	}
	var selectors []string
	for _, name := range sheets {
		css, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, rule := range styleRule.FindAllStringSubmatch(styleComment.ReplaceAllString(string(css), ""), -1) {
			if selector := strings.TrimSpace(rule[1]); !strings.HasPrefix(selector, "@") {
				selectors = append(selectors, selector)
			}
		}
	}
	return selectors
}

func mustDocument(t *testing.T, source string) *goquery.Document {
	t.Helper()
	doc, err := markdown.New(markdown.Words{}).Render(source, markdown.Options{})
	if err != nil {
		t.Fatal(err)
	}
	q, err := goquery.NewDocumentFromReader(strings.NewReader(doc.HTML))
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// TestPostsAreNotThePage: no part of a post can look like a part of the page around it. HTML in a text
// loses its classes, and the classes that a post has mean something inside of posts only.
func TestPostsAreNotThePage(t *testing.T) {
	selectors := mustSelectors(t)
	var forged strings.Builder
	seen := map[string]bool{}
	for _, selector := range selectors {
		for _, class := range styleClass.FindAllStringSubmatch(selector, -1) {
			if name := class[1]; !seen[name] {
				seen[name] = true
				for _, tag := range []string{
					"div", "p", "span", "a href=/x", "ul", "details", "figure", "table", "video src=https://x.y/z.mp4",
				} {
					element, _, _ := strings.Cut(tag, " ")
					forged.WriteString("<" + tag + " class=\"" + name + "\">x</" + element + ">\n\n")
				}
			}
		}
	}
	if len(seen) < 50 {
		t.Fatalf("got %d classes, want at least 50", len(seen))
	}
	mustDocument(t, forged.String()).Find("[class]").Each(func(_ int, of *goquery.Selection) {
		if class := of.AttrOr("class", ""); class != "table" { // the frame that every table gets
			t.Errorf("got the class %q in HTML, want none but %q", class, "table")
		}
	})

	text, err := os.ReadFile("classes_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for language := range strings.FieldsSeq("go html css js python diff sql sh yaml c++ ruby php") {
		code.WriteString("```" + language + "\n" + string(text) + "\n<a b=\"c\">&amp;</a> + a - b @d $e %f #g\n```\n\n")
	}
	mustDocument(t, source+"\n\n"+code.String()).Find("[class]").Each(func(_ int, of *goquery.Selection) {
		for class := range strings.FieldsSeq(of.AttrOr("class", "")) {
			for _, selector := range selectors {
				for _, used := range styleClass.FindAllStringSubmatch(selector, -1) {
					if used[1] != class {
						continue
					}
					if !strings.HasPrefix(selector, ".prose ") {
						t.Errorf("the class %q of a post: got the rule of %s, want one of .prose alone", class, selector)
					}
				}
			}
		}
	})
}
