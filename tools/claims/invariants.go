package main

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	invariantSection = regexp.MustCompile(`(?ms)^## (?:Invariants|Claims)\n(.*?)(?:^## |\z)`)
	invariantStart   = regexp.MustCompile(`(?m)^(\d+)\. `)
)

// noMutation is what an invariant says that can have no mutation; the reason follows.
const noMutation = "No mutation: "

// numbered returns the invariants of a document by their numbers: those of a list under the heading
// Invariants, or Claims.
func numbered(document string) map[int]string {
	out := map[int]string{}
	section := invariantSection.FindStringSubmatch(document)
	if section == nil {
		return out
	}
	starts := invariantStart.FindAllStringSubmatchIndex(section[1], -1)
	for i, at := range starts {
		end := len(section[1])
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		n, err := strconv.Atoi(section[1][at[2]:at[3]])
		if err != nil {
			continue // a number that no list has
		}
		out[n] = section[1][at[0]:end]
	}
	return out
}

// checkInvariants returns what is wrong between the invariants of the documents and the claims.
func checkInvariants(claims []claim) []error {
	var problems []error
	for _, room := range slices.Sorted(maps.Keys(documents)) {
		text, err := os.ReadFile(documents[room])
		if err != nil {
			problems = append(problems, fmt.Errorf("read a document of claims: %w", err))
			continue
		}
		problems = append(problems, compare(room, numbered(string(text)), claims)...)
	}
	return problems
}

// compare returns which of a document's invariants have no mutation, and which mutations name one that the document
// does not have.
func compare(room string, invariants map[int]string, claims []claim) []error {
	var problems []error
	held := map[int]bool{}
	for _, c := range claims {
		if c.room != room || c.invariant == 0 {
			continue
		}
		held[c.invariant] = true
		if invariants[c.invariant] == "" {
			problems = append(problems, fmt.Errorf("%s/%s.patch: %s has no invariant %d", mutations, c.name,
				documents[room], c.invariant))
		}
	}
	for _, n := range slices.Sorted(maps.Keys(invariants)) {
		excused := strings.Contains(invariants[n], noMutation)
		switch {
		case !held[n] && !excused:
			problems = append(problems, fmt.Errorf("%s: invariant %d has no mutation, and does not say why (%q)",
				documents[room], n, noMutation+"..."))
		case held[n] && excused:
			problems = append(problems, fmt.Errorf("%s: invariant %d has a mutation, and says that it has none",
				documents[room], n))
		}
	}
	return problems
}
