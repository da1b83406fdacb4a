package test_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// database are the methods of DB, Conn and Tx in database/sql that use the database.
var database = []string{
	"Begin", "BeginTx", "Conn", "Exec", "ExecContext", "Ping", "PingContext", "PrepareContext",
	"Query", "QueryContext", "QueryRow", "QueryRowContext", "Raw",
}

// direct returns the functions that may call such a method of something other than the Reader or Tx
// that they were given, or use a pool of reading connections, and what for. A read in any other
// place would circumvent View and ViewReserved, and so lack an empty cache under LiteFS, the gate,
// the limit and the retries.
func direct() map[string]string {
	return map[string]string{
		"internal/sqlite/database.go Database.viewOnce":         "is View",
		"internal/sqlite/database.go Database.viewReservedOnce": "is ViewReserved",
		"internal/sqlite/database.go transact":                  "is both",
		"internal/sqlite/database.go bounded.QueryContext":      "is the Reader that both give",
		"internal/sqlite/database.go bounded.QueryRowContext":   "is the Reader that both give",
		"internal/sqlite/database.go Open":                      "opens the pools",
		"internal/sqlite/database.go Database.Close":            "closes the pools",
		"internal/sqlite/database.go Database.ReservedStats":    "counts connections",
		"internal/sqlite/readers.go fresh":                      "empties the cache for both",
		"internal/sqlite/writer.go Autocommit":                  "asks whether the transaction is there",
		"internal/sqlite/writer.go CloseRows":                   "closes what a call has left open",
		"internal/sqlite/writer.go writingConn.QueryContext":    "is the writing connection's",
		"internal/sqlite/open.go OpenWriter":                    "opens the writing connection",
		"internal/sqlite/open.go CheckFTS5":                     "asks a database in memory",
		"internal/sqlite/open.go Discard":                       "closes a connection",
		"internal/repo/tx.go Tx.ExecContext":                    "is Apply's own transaction",
		"internal/repo/tx.go Tx.QueryContext":                   "is Apply's own transaction",
		"internal/repo/tx.go Tx.QueryRowContext":                "is Apply's own transaction",
		"internal/repo/batch.go committer.begin":                "begins the transaction of a batch",
		"internal/repo/batch.go committer.open":                 "asks how large the database is",
		"internal/repo/batch.go batch.run":                      "begins and ends a call's part of it",
		"internal/repo/batch.go batch.undo":                     "undoes a call's part of it",
		"internal/repo/batch.go batch.written":                  "asks how large it is",
		"internal/repo/batch.go batch.maintain":                 "begins and ends the part of its upkeep",
		"internal/repo/committed.go committer.find":             "reads the newest row by the writing connection",
		"internal/repo/primary.go primary.rollBackLeftover":     "rolls back by a writing connection",
		"internal/repo/primary.go primary.checkWriter":          "asks whether the writing connection works",
	}
}

// TestReadsGoOneWay: every read uses View or ViewReserved.
func TestReadsGoOneWay(t *testing.T) {
	allowed, seen := direct(), map[string]bool{}
	eachSource(t, func(name string, _ *token.FileSet, file *ast.File) {
		for in, calls := range directCalls(file) {
			in = name + " " + in
			seen[in] = true
			if allowed[in] == "" {
				t.Errorf("%s uses %s: read by way of View or ViewReserved, or of the Reader or Tx that it was given",
					in, strings.Join(calls, ", "))
			}
		}
	})
	for _, in := range slices.Sorted(maps.Keys(allowed)) {
		if !seen[in] {
			t.Errorf("%s is in this test and reads nothing by itself", in)
		}
	}
}

// eachSource calls do for each Go file of the program that people write, tests apart. name is its path in the tree.
func eachSource(t *testing.T, do func(name string, files *token.FileSet, file *ast.File)) {
	t.Helper()
	for _, root := range []string{"internal", "web", "cmd"} {
		err := filepath.WalkDir(filepath.Join("..", root), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			name := filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator)))
			if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, "_templ.go") ||
				strings.HasPrefix(name, "internal/repo/repotest/") {
				return nil
			}
			files := token.NewFileSet()
			file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			if err == nil {
				do(name, files, file)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// directCalls returns, by function, the calls of database's methods on something that was not given
// as a Reader or Tx, and where the pools are used.
func directCalls(file *ast.File) map[string][]string {
	found := map[string][]string{}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		name := f.Name.Name
		given := map[string]bool{}
		note := func(list *ast.FieldList) {
			if list == nil {
				return
			}
			for _, field := range list.List {
				for _, id := range field.Names {
					given[id.Name] = given[id.Name] || isReader(field.Type)
				}
			}
		}
		if f.Recv != nil {
			name = typeName(f.Recv.List[0].Type) + "." + name
			note(f.Recv)
		}
		note(f.Type.Params)
		ast.Inspect(f.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncLit:
				note(n.Type.Params)
			case *ast.SelectorExpr:
				if n.Sel.Name == "readers" || n.Sel.Name == "reserved" { // the pools of sqlite.Database
					found[name] = append(found[name], typeName(n))
				}
			case *ast.CallExpr:
				if call, ok := directCall(n, given); ok {
					found[name] = append(found[name], call)
				}
			}
			return true
		})
	}
	return found
}

func directCall(call *ast.CallExpr, given map[string]bool) (string, bool) {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains(database, method.Sel.Name) || len(call.Args) == 0 {
		return "", false // url.URL.Query has no arguments
	}
	if id, ok := method.X.(*ast.Ident); ok && given[id.Name] {
		return "", false
	}
	return typeName(method.X) + "." + method.Sel.Name, true
}

// isReader reports whether a parameter of this type is a transaction in which to read.
func isReader(t ast.Expr) bool {
	name := typeName(t)
	return name == "Reader" || name == "repo.Reader" || name == "sqlite.Reader" || name == "Tx" || name == "repo.Tx"
}

// typeName returns a type, or what a method is called on, as it is in the source, without a star.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return typeName(e.X) + "." + e.Sel.Name
	case *ast.IndexExpr:
		return typeName(e.X)
	}
	return "..."
}
