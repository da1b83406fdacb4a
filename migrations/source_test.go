package migrations_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestNoOrdinaryBuildHasOneMore: only a build with the tag faultmigration has a migration from a file.
func TestNoOrdinaryBuildHasOneMore(t *testing.T) {
	for tags, with := range map[string]bool{
		"sqlite_fts5": false, "sqlite_fts5,compose": false, "sqlite_fts5,faultmigration": true,
	} {
		out := runGo(t, "list", "-tags", tags, "-f", "{{.GoFiles}}", "blog/migrations")
		if got := strings.Contains(out, "source_fault.go"); got != with {
			t.Errorf("with the tags %s: got %t, want %t", tags, got, with)
		}
	}
	out := runGo(t, "test", "-tags", "faultmigration", "-run", "^TestFaultyMigration$", "-count", "1", "-v",
		"blog/migrations")
	if !strings.Contains(out, "--- PASS: TestFaultyMigration") {
		t.Errorf("%v, want with %q", out, "--- PASS: TestFaultyMigration")
	}
}

func runGo(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("go %v: %v\n%s", args, err, out)
	}
	return string(out)
}
