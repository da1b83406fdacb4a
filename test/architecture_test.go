package test_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// picture is the flowchart of docs/architecture.md: the packages of each box, and the boxes to
// which its arrows lead.
type picture struct {
	packages map[string][]string // by box
	arrows   map[string][]string // from box to box
}

// TestThePictureDrawsTheImports: each arrow of the flowchart in docs/architecture.md is an import,
// and each import between two boxes is an arrow or a path along arrows.
func TestThePictureDrawsTheImports(t *testing.T) {
	p := mustPicture(t, "../docs/architecture.md")
	boxOf := map[string]string{}
	for box, names := range p.packages {
		for _, name := range names {
			boxOf[name] = box
		}
	}
	imported := map[[2]string]bool{}
	for _, pkg := range packages(t) {
		from, drawn := boxOf[strings.TrimPrefix(pkg.ImportPath, "blog/")]
		if !drawn {
			continue
		}
		for _, imp := range pkg.Imports {
			to, drawn := boxOf[strings.TrimPrefix(imp, "blog/")]
			if !drawn || to == from {
				continue
			}
			imported[[2]string{from, to}] = true
			if !p.hasPath(from, to) {
				t.Errorf("%s imports %s, and no arrow of the picture leads there", pkg.ImportPath, imp)
			}
		}
	}
	for from, tos := range p.arrows {
		for _, to := range tos {
			if len(p.packages[to]) > 0 && !imported[[2]string{from, to}] {
				t.Errorf("the arrow from %s to %s is no import", from, to)
			}
		}
	}
}

// hasPath reports whether there is a path along arrows.
func (p picture) hasPath(from, to string) bool { return p.reaches(from, to, map[string]bool{}) }

// reaches is hasPath without the boxes in seen, so that a circle of arrows ends.
func (p picture) reaches(from, to string, seen map[string]bool) bool {
	return slices.ContainsFunc(p.arrows[from], func(next string) bool {
		if next == to {
			return true
		}
		if seen[next] {
			return false
		}
		seen[next] = true
		return p.reaches(next, to, seen)
	})
}

// mustPicture reads the flowchart. A box is written id["a, b<br>what it is"], where the packages after the first are
// relative to the folder of the first; a box in other brackets stands for no package.
func mustPicture(tb testing.TB, file string) picture {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	_, remainder, found := strings.Cut(string(text), "```mermaid\nflowchart")
	chart, _, ended := strings.Cut(remainder, "```")
	if !found || !ended {
		tb.Fatalf("%s has no flowchart", file)
	}
	p := picture{packages: map[string][]string{}, arrows: map[string][]string{}}
	for _, m := range regexp.MustCompile(`(\w+)\["([^"<]+)`).FindAllStringSubmatch(chart, -1) {
		names := strings.Split(m[2], ", ")
		folder := names[0][:strings.LastIndex(names[0], "/")+1]
		for i, name := range names {
			if i > 0 && !strings.Contains(name, "/") {
				name = folder + name
			}
			p.packages[m[1]] = append(p.packages[m[1]], name)
		}
	}
	for line := range strings.Lines(chart) {
		if from, to, ok := strings.Cut(line, "-->"); ok {
			id := regexp.MustCompile(`\w+`)
			p.arrows[id.FindString(from)] = append(p.arrows[id.FindString(from)], id.FindString(to))
		}
	}
	return p
}
