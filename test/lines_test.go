package test_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// maxLine is how many characters a line may have.
const maxLine = 120

// longLines are the files whose long lines are right: what iptables prints.
var longLines = []string{"test/compose/probe_test.go"}

// TestLines: no line of code, of a recipe, of a script or of prose is longer than maxLine.
func TestLines(t *testing.T) {
	t.Parallel()
	repository := os.DirFS("..")
	files := map[string]int{}
	err := fs.WalkDir(repository, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			hidden := strings.HasPrefix(name, ".") && name != "."
			if hidden || slices.Contains([]string{"testdata", "data", "content", "bin", "tmp"}, name) {
				return fs.SkipDir
			}
			return nil
		}
		kind := path.Ext(name)
		if name == "Makefile" {
			kind = ".mk"
		}
		if !slices.Contains([]string{".go", ".md", ".mk", ".sh"}, kind) || strings.HasSuffix(name, "_templ.go") ||
			slices.Contains(longLines, file) {
			return nil
		}
		files[kind]++
		text, err := fs.ReadFile(repository, file)
		if err != nil {
			return err
		}
		lines := strings.Split(string(text), "\n")
		if kind == ".md" {
			lines = prose(lines)
		}
		for _, l := range findLong(lines) {
			t.Errorf("%s:%s", file, l)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for kind, least := range map[string]int{".go": 100, ".md": 10, ".mk": 2, ".sh": 2} {
		if files[kind] < least {
			t.Errorf("read %d files of the kind %s, want at least %d", files[kind], kind, least)
		}
	}
}

// TestLongLinesAreFound: in prose, and neither in a table nor in code nor for a link's sake.
func TestLongLinesAreFound(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("x", maxLine)
	lines := []string{
		strings.Repeat("ä", maxLine),
		"| a table " + text + " |",
		"see [this](https://example.org/" + text + ") and http://example.org/" + text,
		"```", "code " + text, "", "code " + text, "```",
		"", "    code " + text, "", "    code " + text,
		"1. an item",
		"    that goes on " + text,
		"- " + text,
		text + " ",
	}
	found := findLong(prose(lines))
	want := []string{
		"14: 137 characters, want at most 120", "15: 122 characters, want at most 120",
		"16: 121 characters, want at most 120",
	}
	if !slices.Equal(found, want) {
		t.Errorf("found %q, want %q", found, want)
	}
}

// findLong returns a text for each line that has more than maxLine characters.
func findLong(lines []string) []string {
	var found []string
	for i, line := range lines {
		if n := utf8.RuneCountInString(line); n > maxLine {
			found = append(found, fmt.Sprintf("%d: %d characters, want at most %d", i+1, n, maxLine))
		}
	}
	return found
}

var linkTarget = regexp.MustCompile(`\]\([^)]*\)|https?://\S+`)

// prose returns the lines of a Markdown text without what cannot be wrapped: tables, blocks of code, links' targets.
func prose(lines []string) []string {
	out := make([]string, len(lines))
	fenced, indented, afterBlank := false, false, true
	for i, line := range lines {
		fence := strings.HasPrefix(strings.TrimSpace(line), "```")
		if fence {
			fenced = !fenced
		}
		indented = strings.HasPrefix(line, "    ") && (afterBlank || indented)
		afterBlank = strings.TrimSpace(line) == ""
		if !fence && !fenced && !indented && !strings.HasPrefix(line, "|") {
			out[i] = linkTarget.ReplaceAllString(line, "")
		}
	}
	return out
}
