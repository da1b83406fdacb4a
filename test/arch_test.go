// Package test_test holds what concerns the program as a whole.
package test_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowed says, for each room of the house, which others it may import. What is
// not listed may import none: a new package takes its place here first.
func allowed() map[string][]string {
	nouns := []string{"internal/posts", "internal/tags", "internal/accounts", "internal/media"}
	return map[string][]string{
		"migrations":            nil,
		"internal/backoff":      nil,
		"internal/clock":        nil,
		"internal/frontmatter":  nil,
		"internal/markdown":     nil,
		"internal/litefs":       nil,
		"internal/litefs/mount": {"internal/litefs", "internal/litefs/mount/receive"}, // both sides of the control socket
		"web/negotiate":         nil,
		"web/assets":            {"web/negotiate"},
		"web/ui":                nil,
		"internal/repo":         {"internal/backoff", "internal/litefs", "migrations"},
		"internal/tags":         {"internal/repo"},
		"internal/accounts":     {"internal/repo"},
		"internal/media":        {"internal/repo"},
		"internal/posts":        {"internal/repo", "internal/accounts", "internal/tags", "internal/media", "internal/markdown", "internal/frontmatter"},
		"internal/dates":        {"internal/repo", "internal/accounts", "internal/media"},
		"internal/live":         {"internal/repo"},
		"internal/cluster":      {"internal/backoff", "internal/clock", "internal/repo", "internal/litefs"},
		"web":                   append([]string{"internal/repo", "internal/live", "internal/markdown", "internal/frontmatter", "web/ui", "web/assets", "web/negotiate"}, nouns...),
		"internal/app":          append([]string{"internal/repo", "internal/litefs", "internal/live", "internal/cluster", "internal/clock", "internal/dates", "internal/markdown", "migrations", "web", "web/assets"}, nouns...),

		// The receiving half of LiteFS's stream, for the node alone.
		"internal/litefs/mount/receive": nil,

		// For tests alone: no other room may have it in its list.
		"internal/repo/repotest": {"internal/repo", "internal/litefs", "internal/clock", "migrations"},
	}
}

// free reports packages that may import everything and that no other may import.
func free(pkg string) bool {
	return pkg == "cmd/blog" || pkg == "test" || strings.HasPrefix(pkg, "test/") || strings.HasPrefix(pkg, "tools/") ||
		pkg == "internal/litefs/litefstest"
}

type listed struct {
	ImportPath string
	Imports    []string
}

// TestImportsPointOneWay holds the direction: cmd -> web, live -> posts, tags,
// accounts, media -> repo -> litefs, migrations.
func TestImportsPointOneWay(t *testing.T) {
	const module = "blog/"
	rules := allowed()
	seen := map[string]bool{}
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if free(name) {
			continue
		}
		may, known := rules[name]
		if !known {
			t.Errorf("%s has no place in the house: add it to this test with what it may import", name)
		}
		seen[name] = true
		for _, imp := range p.Imports {
			own, ours := strings.CutPrefix(imp, module)
			if ours && !slices.Contains(may, own) {
				t.Errorf("%s imports %s", name, own)
			}
		}
	}
	for name := range rules {
		if !seen[name] {
			t.Errorf("%s is in this test and not in the house", name)
		}
	}
}

// TestImportsKeepToTheirTrade holds what packages must not know, whoever would
// allow it: SQL is below the handlers, and pages are above everything.
func TestImportsKeepToTheirTrade(t *testing.T) {
	forbidden := map[string][]string{
		"internal/litefs":      {"database/sql"},
		"internal/live":        {"database/sql", "github.com/a-h/templ"},
		"internal/markdown":    {"database/sql", "net/http", "os"},
		"internal/frontmatter": {"database/sql", "net/http", "os"},
		"internal/posts":       {"net/http", "github.com/a-h/templ"},
		"web":                  {"database/sql", "github.com/mattn/go-sqlite3"},
		"web/ui":               {"database/sql", "net/http"},
		"cmd/blog":             {"database/sql", "github.com/mattn/go-sqlite3", "blog/internal/repo/repotest", "blog/internal/litefs/litefstest"},
	}
	for _, p := range packages(t) {
		for _, imp := range forbidden[strings.TrimPrefix(p.ImportPath, "blog/")] {
			if slices.Contains(p.Imports, imp) {
				t.Errorf("%s imports %s", p.ImportPath, imp)
			}
		}
		name := p.ImportPath[strings.LastIndex(p.ImportPath, "/")+1:]
		if slices.Contains([]string{"models", "utils", "util", "common", "helpers", "config"}, name) {
			t.Errorf("%s is named for nothing that it owns", p.ImportPath)
		}
	}
}

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-tags", "sqlite_fts5", "-json=ImportPath,Imports", "blog/...")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var list []listed
	for dec := json.NewDecoder(out); ; {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	if err := cmd.Wait(); err != nil || len(list) == 0 {
		t.Fatalf("go list: %d packages: %v", len(list), err)
	}
	return list
}
