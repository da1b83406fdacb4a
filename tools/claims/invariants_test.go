package main

import (
	"errors"
	"strings"
	"testing"
)

const design = `# A package

1. No invariant.

## Invariants

1. One, which
   goes on. It has 2. in it.
2. Two. No mutation: it is true by its definition.
3. Three.

## Faults

4. None either.
`

// TestInvariants: each invariant that a document numbers has a mutation or says why not, and no mutation names another.
func TestInvariants(t *testing.T) {
	found := numbered(design)
	if len(found) != 3 || !strings.HasPrefix(found[1], "1. One, which") || !strings.Contains(found[1], "has 2. in it") {
		t.Fatalf("got %v", found)
	}
	of := func(numbers ...int) (claims []claim) {
		for _, n := range numbers {
			claims = append(claims, claim{room: "repo", invariant: n, name: "x"})
		}
		return append(claims, claim{room: "live", invariant: 3}, claim{room: "repo"})
	}
	for _, c := range []struct {
		claims []claim
		want   string // a part of the one problem
	}{
		{of(1, 3), ""},
		{of(3, 1, 1), ""},
		{of(1), "invariant 3 has no mutation"},
		{of(1, 2, 3), "invariant 2 has a mutation, and says"},
		{of(1, 3, 4), "has no invariant 4"},
	} {
		problems := compare("repo", found, c.claims)
		if err := errors.Join(problems...); len(problems) > 1 || (err != nil) != (c.want != "") ||
			err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.claims, err, c.want)
		}
	}
	if len(numbered("# Nothing is numbered\n")) != 0 {
		t.Error("invariants of nothing")
	}
}
