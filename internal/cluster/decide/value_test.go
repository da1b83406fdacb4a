package decide_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestStateIsAValue finds what a value may not have: a clock, a lock, a goroutine, a channel, I/O.
func TestStateIsAValue(t *testing.T) {
	imports := []string{
		`"cmp"`, `"fmt"`, `"log/slog"`, `"slices"`, `"strings"`, `"time"`,
		`"blog/internal/apperr"`, `"blog/internal/litefs"`, `"blog/internal/repo"`,
	}
	names := map[string][]string{ // by package: what may be used of it; of the others everything
		"time": {"Duration", "Time", "Second", "Millisecond", "Hour"},
		"slog": {"Level", "LevelInfo", "LevelWarn", "LevelError"},
		"fmt":  {"Sprintf"},
		"repo": {
			"Cursor", "Mark", "ParseCursor", "Assurance", "Two", "Alone", "Place", "Here", "Forgotten", "Elsewhere",
		},
	}
	set := token.NewFileSet()
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		files++
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range file.Imports {
			if !slices.Contains(imports, i.Path.Value) {
				t.Errorf("%s imports %s, want no others than %s", set.Position(i.Pos()), i.Path.Value, imports)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt, *ast.ChanType, *ast.SendStmt, *ast.SelectStmt:
				t.Errorf("%s: got a goroutine or a channel, want none", set.Position(n.Pos()))
			case *ast.SelectorExpr:
				x, is := n.X.(*ast.Ident)
				if !is {
					break
				}
				may := names[x.Name]
				if may == nil || x.Obj != nil { // a package of which everything may be used, or no package
					break
				}
				if !slices.Contains(may, n.Sel.Name) {
					t.Errorf("%s uses %s.%s, want no others than %s", set.Position(n.Pos()), x.Name, n.Sel.Name, may)
				}
			}
			return true
		})
	}
	if files < 5 {
		t.Errorf("%d files were read, want at least 5", files)
	}
}
