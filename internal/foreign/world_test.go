package foreign_test

import (
	"strings"
	"testing"
	"time"

	"blog/internal/foreign"
	"blog/internal/frontmatter"
)

// read is an entry as an import sees it.
type read struct {
	frontmatter.File
	foreign.Entry
	said string // kinds of notes with what they are about, in their order
}

// mustRead opens an export and reads all of its entries, by name. Each has to be a file that can be
// imported.
func mustRead(tb testing.TB, src string, pictures ...string) (map[string]read, *foreign.Export) {
	tb.Helper()
	has := map[string]bool{}
	for _, p := range pictures {
		has[p] = true
	}
	x, err := foreign.Open(strings.NewReader(src), int64(len(src)), foreign.Options{
		Loc: time.FixedZone("", 2*60*60), Picture: func(p string) bool { return has[p] },
	})
	if err != nil {
		tb.Fatal(err)
	}
	return mustEntries(tb, x), x
}

func mustEntries(tb testing.TB, x *foreign.Export) map[string]read {
	tb.Helper()
	out := map[string]read{}
	for _, name := range x.Names() {
		e, err := x.Read(name)
		if err != nil {
			tb.Fatal(err)
		}
		f, problems := frontmatter.Parse(name, e.Raw, time.UTC)
		for _, p := range problems {
			if !p.Warning && len(e.Raw) <= frontmatter.MaxSize {
				tb.Errorf("%s is no file that can be imported: %v\n%.2000s", name, p.Error(), e.Raw)
			}
		}
		var said []string
		for _, n := range e.Notes {
			said = append(said, strings.TrimSuffix(string(n.Kind)+" "+n.What, " "))
		}
		out[name] = read{File: f, Entry: e, said: strings.Join(said, ", ")}
	}
	return out
}

// only returns the entry of an export that has one.
func only(tb testing.TB, entries map[string]read) read {
	tb.Helper()
	if len(entries) != 1 {
		tb.Fatalf("%d entries, want 1", len(entries))
	}
	for _, e := range entries {
		return e
	}
	return read{}
}
