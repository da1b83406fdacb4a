package decide_test

import (
	"iter"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

func mapsKeys[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }

// mustHaveRows fails unless the table of DESIGN.md whose first column has that title has just these rows.
func mustHaveRows(t *testing.T, title string, tested []string) {
	t.Helper()
	raw, err := os.ReadFile("../DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	inside := false
	for line := range strings.Lines(string(raw)) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			inside = false
			continue
		}
		switch first := strings.TrimSpace(cells[1]); {
		case first == title:
			inside = true
		case inside && strings.Trim(first, "-") != "":
			rows = append(rows, first)
		}
	}
	if len(rows) == 0 {
		t.Fatalf("DESIGN.md has no table %q, want one", title)
	}
	for _, row := range rows {
		if !slices.Contains(tested, row) {
			t.Errorf("got no test for the row %q of the table %q, want one", row, title)
		}
	}
	for _, name := range tested {
		if !slices.Contains(rows, name) {
			t.Errorf("the table %q has no row %q, want one for each test", title, name)
		}
	}
}

// table runs a test for each row of the table of DESIGN.md with that first column, and checks that it has them all.
func table(t *testing.T, title string, rows map[string]func(t *testing.T)) {
	t.Helper()
	mustHaveRows(t, title, slices.Collect(mapsKeys(rows)))
	for name, run := range rows {
		t.Run(name, run)
	}
}
