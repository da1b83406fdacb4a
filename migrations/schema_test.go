package migrations_test

import (
	"io/fs"
	"regexp"
	"testing"

	"blog/migrations"
)

// TestNothingReachesBeyondOneWrite: many writes share a transaction. A constraint that is checked at COMMIT fails them
// all, and ROLLBACK from within a statement ends them all.
func TestNothingReachesBeyondOneWrite(t *testing.T) {
	forbidden := regexp.MustCompile(
		`(?i)\bDEFERRED\b|\bOR\s+ROLLBACK\b|\bON\s+CONFLICT\s+ROLLBACK\b|RAISE\s*\(\s*ROLLBACK|defer_foreign_keys`)
	comment := regexp.MustCompile(`--[^\n]*`)
	files, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v, want no error and not 0 of them", files, err)
	}
	for _, name := range files {
		text, err := fs.ReadFile(migrations.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		if found := forbidden.FindString(comment.ReplaceAllString(string(text), "")); found != "" {
			t.Errorf("%s: %s is not for this schema, want none", name, found)
		}
	}
}
