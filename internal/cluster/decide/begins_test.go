package decide_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/cluster/decide"
	"blog/internal/litefs"
	"blog/internal/repo"
)

// TestWhenATermBegins has the rows of DESIGN.md.
func TestWhenATermBegins(t *testing.T) {
	standing := func(set litefs.SyncSet) litefs.Standing {
		return litefs.Standing{Self: members("P")[0], Primary: true, Term: "1", Set: &set}
	}
	required := func(p string) litefs.SyncSet {
		return litefs.SyncSet{Members: members("P", "S"), Index: 7, Positions: []string{row(2).String()}, Required: p}
	}
	refused := func(t *testing.T, err error, want *litefs.Giving) {
		t.Helper()
		var r *decide.RefusedError
		if !errors.As(err, &r) {
			t.Errorf("got %v, want a refusal", err)
			return
		}
		if diff := cmp.Diff(want, r.GiveUp); diff != "" {
			t.Errorf("the lease is given up with (-want +got):\n%s", diff)
		}
	}
	begins := func(t *testing.T, set litefs.SyncSet, c decide.Copy, positions ...repo.Cursor) {
		t.Helper()
		next, err := decide.Opening("1", set, c)
		if err != nil {
			t.Fatal(err)
		}
		want := next
		want.Term, want.Index, want.Members, want.Positions = "1", set.Index, set.Members, nil
		for _, p := range positions {
			want.Positions = append(want.Positions, p.String())
		}
		if diff := cmp.Diff(want, next); diff != "" {
			t.Errorf("the set is opened with (-want +got):\n%s", diff)
		}
	}
	lacking := func(p string) *litefs.Giving { return &litefs.Giving{Term: "1", Lacking: p} }
	places := func(p map[repo.Cursor]repo.Place) decide.Copy {
		c := decide.Copy{Newest: row(5), Places: map[string]repo.Place{}}
		for row, place := range p {
			c.Places[row.String()] = place
		}
		return c
	}
	table(t, "a term is to begin, and", map[string]func(t *testing.T){
		"the lease is not held": func(t *testing.T) {
			t.Helper()
			_, _, err := decide.New(usual()).Elected(litefs.Standing{Self: members("P")[0]})
			refused(t, err, nil)
		},
		"this node is outside the sync set": func(t *testing.T) {
			t.Helper()
			_, _, err := decide.New(usual()).Elected(standing(litefs.SyncSet{Members: members("S")}))
			refused(t, err, &litefs.Giving{Term: "1"})
		},
		"the copy lacks the row that the set requires": func(t *testing.T) {
			t.Helper()
			for _, place := range []repo.Place{repo.Ahead, repo.Elsewhere} {
				_, err := decide.Opening("1", required(row(9).String()), places(map[repo.Cursor]repo.Place{row(9): place}))
				refused(t, err, lacking(row(9).String()))
			}
			_, err := decide.Opening("1", required(row(9).String()), places(nil))
			refused(t, err, lacking(row(9).String()))
		},
		"there is no database, and the set requires a row": func(t *testing.T) {
			t.Helper()
			_, err := decide.Opening("1", required(row(1).String()), decide.Copy{Absent: true})
			refused(t, err, lacking(row(1).String()))
		},
		"there is no database, and nothing is required": func(t *testing.T) {
			t.Helper()
			begins(t, required(""), decide.Copy{Absent: true}, row(2))
		},
		"the required row is not kept any more": func(t *testing.T) {
			t.Helper()
			begins(t, required(row(1).String()),
				places(map[repo.Cursor]repo.Place{row(1): repo.Forgotten, row(2): repo.Here}), row(2), row(5))
		},
		"the set requires nothing, or in another release's form": func(t *testing.T) {
			t.Helper()
			for _, p := range []string{"", "0", "another form"} {
				begins(t, required(p), places(map[repo.Cursor]repo.Place{row(2): repo.Elsewhere}), row(5))
			}
		},
		"this node had a term under the same lease, and Consul's set is none that it wrote": func(t *testing.T) {
			t.Helper()
			p := MustPrimary(t, usual(), 5)
			p.on(decide.TermEnded{Term: p.s.Term()})
			from, effects, err := p.s.Elected(standing(litefs.SyncSet{Members: members("P", "S"), Index: 5}))
			if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(members("P"), from.Members); diff != "" {
				t.Errorf("the members are (-want +got):\n%s", diff)
			}
			if from.Index != 5 { // in the place of Consul's
				t.Errorf("the index is %d, want 5", from.Index)
			}
			if len(effects) != 1 {
				t.Errorf("it is followed by %v, want one effect", effects)
			}
			now := standing(litefs.SyncSet{Members: members("P", "S"), Index: 5})
			now.Term = "2"
			from, effects, err = p.s.Elected(now)
			if err != nil {
				t.Errorf("under another lease: got %v, want no error", err)
			}
			if n := len(from.Members); n != 2 {
				t.Errorf("under another lease: the members are %v, want Consul's 2", from.Members)
			}
			if len(effects) != 0 {
				t.Errorf("under another lease: it is followed by %v, want nothing", effects)
			}
		},
		"this node had a term under the same lease, and got no answer when it wrote the set again": func(t *testing.T) {
			t.Helper()
			p := MustPrimary(t, usual(), 5, "S")
			p.on(decide.TermEnded{Term: p.s.Term()})
			if _, _, err := p.s.Elected(standing(p.set)); err != nil {
				t.Fatal(err)
			}
			written := p.set
			written.Index, written.Required = p.set.Index+1, row(5).String()
			from, effects, err := p.s.Elected(standing(written))
			if err != nil {
				t.Error(err)
			}
			if from.Index != written.Index {
				t.Errorf("the index is %d, want Consul's, %d", from.Index, written.Index)
			}
			if from.Required != written.Required {
				t.Errorf("the set requires %q, want what Consul's does, %q", from.Required, written.Required)
			}
			if len(effects) != 0 {
				t.Errorf("it is followed by %v, want nothing", effects)
			}
		},
		"this process was stopped while Consul wrote the set": func(t *testing.T) {
			t.Helper()
			p := MustPrimary(t, usual(), 5, "S")
			p.deaf = true
			begun := decide.TermBegun{Self: members("P")[0], Lease: "1", Epoch: 1, Set: p.set, Newest: row(5), Asked: p.at}
			p.at += time.Hour
			p.on(begun)
			write := p.want(row(6), true)
			p.connect("S", 6)
			if _, may := p.s.MayAcknowledge(); may {
				t.Error("it may acknowledge, want it not to")
			}
			p.wantAnswer(write, "")
			p.deaf = false
			p.answerCall() // the lease is held
			p.wantAnswer(write, repo.Two)
		},
		"Consul has written the set": func(t *testing.T) {
			t.Helper()
			p := MustPrimary(t, usual(), 5, "S")
			first := p.s.Term()
			write := p.want(row(6), true)
			p.begin(6)
			if p.s.Term() == first {
				t.Error("the first term goes on, want another")
			}
			p.report("S", decide.Report{Cursor: row(6)})
			if got := p.answer(write); got != "" {
				t.Errorf("an answer of the first term rests on %q, want none", got)
			}
		},
	})
}
