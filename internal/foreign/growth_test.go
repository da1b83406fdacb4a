package foreign_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"blog/internal/foreign"
)

// allocated returns how many bytes and how many pieces of memory reading all of an export takes.
func allocated(tb testing.TB, src string) (bytes, pieces uint64) {
	tb.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	x, err := foreign.Open(strings.NewReader(src), int64(len(src)), foreign.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range x.Names() {
		if _, err := x.Read(name); err != nil {
			tb.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, after.Mallocs - before.Mallocs
}

// TestGrowth: an export twice as long takes about twice the memory. What is allocated is counted, because it is
// the same on every machine; a stage that copies what it has for each part of a text shows in it.
func TestGrowth(t *testing.T) {
	for name, src := range map[string]func(n int) string{
		"blocks": func(n int) string {
			text := strings.Repeat("word ", 30)
			return wxr(item("<!-- wp:a -->"+strings.Repeat(text+"<!-- wp:b --><!-- /wp:b -->", n), ""))
		},
		"brackets": func(n int) string { return wxr(item(strings.Repeat("[[a] ", n), "")) },
	} {
		const small = 2000
		a, _ := allocated(t, src(small))
		b, _ := allocated(t, src(2*small))
		if b > 3*a {
			t.Errorf("%s: %d KB for %d parts, %d KB for twice as many, want at most three times", name, a>>10, small, b>>10)
		}
	}
}

// TestManyNameless: each of many entries without a name costs as much as one. Each slug that is tried is a piece
// of memory.
func TestManyNameless(t *testing.T) {
	src := func(n int) string {
		return `[` + strings.TrimSuffix(strings.Repeat(`{"body":""},`, n), ",") + `]`
	}
	const small = 300
	_, a := allocated(t, src(small))
	_, b := allocated(t, src(2*small))
	if b > 2*a+a/4 {
		t.Errorf("%d allocations for %d entries, %d for twice as many, want about twice", a, small, b)
	}
	x, err := foreign.Open(strings.NewReader(src(small)), int64(len(src(small))), foreign.Options{})
	if err != nil {
		t.Fatal(err)
	}
	last, want := x.Names()[small-1], fmt.Sprintf("posts/post-%d.md", small-1)
	if last != want {
		t.Errorf("the last entry is %s, want %s", last, want)
	}
}
