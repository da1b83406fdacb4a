// Package test_test has the tests of the program as a whole.
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

// allowed returns, for each package, the packages that it may import. A package that is not listed
// may import none, so a new package has to be listed here first.
func allowed() map[string][]string {
	nouns := []string{"internal/posts", "internal/tags", "internal/accounts", "internal/media"}
	return map[string][]string{
		"migrations":           nil,
		"internal/backoff":     nil,
		"internal/clock":       nil,
		"internal/frontmatter": nil,
		"internal/dialect":     nil,
		"internal/markdown":    nil,
		"internal/litefs":      {"internal/backoff"},
		"internal/litefs/mount": {
			"internal/backoff", "internal/clock", "internal/litefs", "internal/litefs/mount/receive",
			"internal/litefs/mount/stream",
		},
		"web/negotiate":      nil,
		"web/assets":         {"web/negotiate"},
		"web/ui":             nil,
		"internal/apperr":    nil,
		"internal/sqlite":    nil,
		"internal/transport": {"internal/apperr"},
		"internal/repo": {
			"internal/apperr", "internal/backoff", "internal/litefs", "internal/sqlite", "internal/transport", "migrations",
		},
		"internal/tags":     {"internal/apperr", "internal/repo"},
		"internal/accounts": {"internal/apperr", "internal/repo"},
		"internal/media":    {"internal/apperr", "internal/repo"},
		"internal/posts": {
			"internal/apperr", "internal/repo", "internal/accounts", "internal/tags", "internal/media", "internal/markdown",
			"internal/frontmatter", "internal/dialect",
		},
		"internal/foreign": {"internal/frontmatter", "internal/posts", "internal/tags"},
		"internal/dates":   {"internal/apperr", "internal/repo", "internal/accounts", "internal/media"},
		"internal/live":    {"internal/apperr", "internal/repo"},
		"internal/cluster": {
			"internal/apperr", "internal/transport", "internal/backoff", "internal/clock", "internal/cluster/decide",
			"internal/repo", "internal/litefs",
		},
		"web": append([]string{
			"internal/apperr", "internal/transport", "internal/repo", "internal/live", "internal/markdown",
			"internal/frontmatter", "web/ui", "web/assets", "web/negotiate",
		}, nouns...),
		"internal/app": append([]string{
			"internal/apperr", "internal/transport", "internal/repo", "internal/litefs", "internal/live", "internal/cluster",
			"internal/clock", "internal/dates", "internal/markdown", "migrations", "web", "web/assets",
		}, nouns...),

		// The decisions of cluster, for cluster alone.
		"internal/cluster/decide": {"internal/apperr", "internal/repo", "internal/litefs"},

		// The two halves of LiteFS's stream, for the node alone.
		"internal/litefs/mount/receive": nil,
		"internal/litefs/mount/stream":  {"internal/backoff"},

		// Only tests may import it, so no other entry may list it.
		"internal/repo/repotest": {
			"internal/apperr", "internal/repo", "internal/transport", "internal/litefs", "internal/clock", "migrations",
		},
	}
}

// free reports whether a package may import everything. No other package may import it.
func free(pkg string) bool {
	return pkg == "cmd/blog" || pkg == "test" || strings.HasPrefix(pkg, "test/") || strings.HasPrefix(pkg, "tools/") ||
		pkg == "internal/litefs/litefstest"
}

type listed struct {
	ImportPath string
	Imports    []string
}

// TestImportsPointOneWay: imports point in one direction: cmd -> web, live -> posts, tags,
// accounts, media -> repo -> transport, sqlite, litefs, migrations.
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
			local, ours := strings.CutPrefix(imp, module)
			if ours && !slices.Contains(may, local) {
				t.Errorf("%s imports %s", name, local)
			}
		}
	}
	for name := range rules {
		if !seen[name] {
			t.Errorf("%s is in this test and not in the house", name)
		}
	}
}

// TestSpecialImportsStayInTheirRoom: what some packages must not import, whatever allowed says. SQL
// is below the handlers, and pages are above everything.
func TestSpecialImportsStayInTheirRoom(t *testing.T) {
	forbidden := map[string][]string{
		"internal/apperr":      {"database/sql"},
		"internal/litefs":      {"database/sql"},
		"internal/repo":        {"github.com/mattn/go-sqlite3"},
		"internal/transport":   {"database/sql"},
		"internal/live":        {"database/sql", "github.com/a-h/templ"},
		"internal/markdown":    {"database/sql", "net/http", "os"},
		"internal/frontmatter": {"database/sql", "net/http", "os"},
		"internal/posts":       {"net/http", "github.com/a-h/templ"},
		"web":                  {"database/sql", "github.com/mattn/go-sqlite3"},
		"web/ui":               {"database/sql", "net/http"},
		"cmd/blog": {
			"database/sql", "github.com/mattn/go-sqlite3", "blog/internal/repo/repotest", "blog/internal/litefs/litefstest",
		},
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
