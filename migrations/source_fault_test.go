//go:build faultmigration

package migrations_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"blog/migrations"
)

// TestFaultyMigration: the file is one of the migrations while it is there.
func TestFaultyMigration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "99999_fault.sql")
	t.Setenv("BLOG_FAULT_MIGRATION", path)
	source := migrations.Source()
	names := func() []string {
		t.Helper()
		all, err := fs.Glob(source, "*.sql")
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	before := names()
	if err := os.WriteFile(path, []byte("-- +goose Up\nSELECT * FROM nothing;\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := names(), append(before, "99999_fault.sql"); !slices.Equal(got, want) {
		t.Errorf("with the file: got %v, want %v", got, want)
	}
	if text, err := fs.ReadFile(source, "99999_fault.sql"); err != nil || len(text) == 0 {
		t.Errorf("read the file: got %q, %v, want no error and not 0 of them", text, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := names(); !slices.Equal(got, before) {
		t.Errorf("without the file: got %v, want %v", got, before)
	}
}
