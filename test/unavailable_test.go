package test_test

import (
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

// TestUnavailableHasOneConstructor finds the next Unavailable error that is written out as a literal: one that forgets
// its RetryAfter tells nobody when to come back.
func TestUnavailableHasOneConstructor(t *testing.T) {
	eachSource(t, func(name string, files *token.FileSet, file *ast.File) {
		if strings.HasPrefix(name, "internal/apperr/") {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if !ok || literal.Type == nil || typeName(literal.Type) != "apperr.Error" {
				return true
			}
			for _, e := range literal.Elts {
				if field, ok := e.(*ast.KeyValueExpr); ok && typeName(field.Value) == "apperr.Unavailable" {
					t.Errorf("%s:%d makes an Unavailable error by itself: use apperr.NewUnavailable",
						name, files.Position(literal.Pos()).Line)
				}
			}
			return true
		})
	})
}
