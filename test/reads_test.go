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

// database are the methods of database/sql's DB, Conn and Tx that reach the database.
var database = []string{
	"Begin", "BeginTx", "Conn", "Exec", "ExecContext", "Ping", "PingContext", "PrepareContext",
	"Query", "QueryContext", "QueryRow", "QueryRowContext", "Raw",
}

// direct are the functions that may call such a method of something that is neither the Reader nor the Tx that they
// were given, or use a pool of reading connections, and what for. A read in any other place would go around View and
// Look: without an empty cache under LiteFS, the gate, the limit and the retries.
func direct() map[string]string {
	return map[string]string{
		"internal/repo/read.go Repo.viewOnce":                   "is View",
		"internal/repo/read.go Repo.lookOnce":                   "is Look",
		"internal/repo/read.go transact":                        "is both",
		"internal/repo/read.go bounded.QueryContext":            "is the Reader that both give",
		"internal/repo/read.go bounded.QueryRowContext":         "is the Reader that both give",
		"internal/repo/pool.go fresh":                           "empties the cache for both",
		"internal/repo/tx.go Tx.ExecContext":                    "is Apply's own transaction",
		"internal/repo/tx.go Tx.QueryContext":                   "is Apply's own transaction",
		"internal/repo/tx.go Tx.QueryRowContext":                "is Apply's own transaction",
		"internal/repo/batch.go committer.begin":                "begins the transaction of a batch",
		"internal/repo/batch.go committer.open":                 "asks how large the database is",
		"internal/repo/batch.go batch.run":                      "begins and ends a call's part of it",
		"internal/repo/batch.go batch.undo":                     "undoes a call's part of it",
		"internal/repo/batch.go batch.closeRows":                "closes what a call has left open",
		"internal/repo/batch.go batch.written":                  "asks how large it is",
		"internal/repo/batch.go batch.maintain":                 "begins and ends the part of its upkeep",
		"internal/repo/committed.go committer.find":             "looks for a row by the writing connection",
		"internal/repo/writingconn.go autocommit":               "asks whether the transaction is there",
		"internal/repo/writingconn.go writingConn.QueryContext": "is the writing connection's",
		"internal/repo/primary.go primary.settle":               "rolls back by a writing connection",
		"internal/repo/primary.go primary.check":                "asks whether the writing connection works",
		"internal/repo/sqlite.go openWriter":                    "opens the writing connection",
		"internal/repo/sqlite.go checkFTS5":                     "asks a database in memory",
		"internal/repo/sqlite.go discard":                       "closes a connection",
		"internal/repo/repo.go Repo.Close":                      "closes the pools",
		"internal/repo/reader.go ReadOnly.Close":                "closes the pool",
	}
}

// TestReadsGoOneWay finds the next read that does not go by View or Look.
func TestReadsGoOneWay(t *testing.T) {
	allowed, seen := direct(), map[string]bool{}
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
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			for in, calls := range directCalls(file) {
				in = name + " " + in
				seen[in] = true
				if allowed[in] == "" {
					t.Errorf("%s uses %s: read by way of View or Look, or of the Reader or Tx that it was given",
						in, strings.Join(calls, ", "))
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, in := range slices.Sorted(maps.Keys(allowed)) {
		if !seen[in] {
			t.Errorf("%s is in this test and reads nothing by itself", in)
		}
	}
}

// directCalls returns, by function, the calls of database's methods on something that was not given as a Reader or Tx,
// and where the pools are used.
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
				if n.Sel.Name == "reads" || n.Sel.Name == "looks" { // the pools of Repo
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

// isReader reports whether a parameter of that type is a transaction to read in.
func isReader(t ast.Expr) bool {
	name := typeName(t)
	return name == "Reader" || name == "repo.Reader" || name == "Tx" || name == "repo.Tx"
}

// typeName writes a type, or what a method is called on, as the source has it, without a star.
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
