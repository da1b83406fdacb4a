package decide_test

import (
	"slices"
	"testing"
	"time"

	"blog/internal/cluster/decide"
	"blog/internal/repo"
)

// TestWhoJoins has the rows of DESIGN.md.
func TestWhoJoins(t *testing.T) {
	// joins reports whether acknowledgements wait for S: an own row that it lacks is not acknowledged then.
	joins := func(t *testing.T, p *primary, lacks repo.Cursor, want bool) {
		t.Helper()
		p.pass(decide.TickEvery, nil)
		write := p.want(lacks, true)
		p.pass(500*time.Millisecond, nil)
		if got := p.answer(write) == ""; got != want {
			t.Errorf("acknowledgements wait for S: %t, want %t", got, want)
		}
	}
	reports := func(newest, has int64, changes ...func(*decide.Info)) func(t *testing.T) *primary {
		return func(t *testing.T) *primary {
			t.Helper()
			p := MustPrimary(t, usual(), newest)
			p.connect("S", has, changes...)
			return p
		}
	}
	no := func(newest, has int64, changes ...func(*decide.Info)) func(t *testing.T) {
		return func(t *testing.T) {
			t.Helper()
			joins(t, reports(newest, has, changes...)(t), row(newest+1), false)
		}
	}
	behind := func(t *testing.T, by int64) *primary {
		t.Helper()
		p := MustPrimary(t, usual(), 1)
		p.want(row(by+1), true)
		for seq := int64(2); seq <= by; seq++ {
			p.on(decide.RowsRead{Rows: []repo.Cursor{row(seq)}, Epoch: 1})
		}
		return p
	}
	table(t, "a node that reports", map[string]func(t *testing.T){
		"is a candidate in the primary's region and has everything": func(t *testing.T) {
			t.Helper()
			p := reports(5, 5)(t)
			p.pass(decide.TickEvery, nil)
			if got := p.inSet(); !slices.Equal(got, []string{"P", "S"}) {
				t.Errorf("the set is %v, want %v", got, []string{"P", "S"})
			}
		},
		"is a few rows behind, for a moment": func(t *testing.T) {
			t.Helper()
			p := behind(t, 4)
			p.connect("S", 2)
			joins(t, p, row(6), true)
		},
		"is a few rows behind, for more than 2 s": func(t *testing.T) {
			t.Helper()
			p := behind(t, 4)
			p.connect("S", 2, func(i *decide.Info) { i.Candidate = false })
			p.pass(2100*time.Millisecond, map[string]int64{"S": 2})
			info := decide.Info{ID: "S", Node: "S", Region: "fra", Candidate: true}
			p.report("S", decide.Report{Cursor: row(2), Info: &info})
			joins(t, p, row(6), false)
		},
		"is more than 200 rows behind": func(t *testing.T) {
			t.Helper()
			p := behind(t, 300)
			p.connect("S", 99)
			joins(t, p, row(302), false)
			p = behind(t, 300)
			p.connect("S", 101)
			joins(t, p, row(302), true)
		},
		"has no copy yet, or another history": func(t *testing.T) {
			t.Helper()
			no(5, 0)(t)
			p := MustPrimary(t, usual(), 5)
			p.on(decide.UplinkOpened{ID: "S"})
			info := decide.Info{ID: "S", Node: "S", Region: "fra", Candidate: true}
			p.report("S", decide.Report{Cursor: otherRow(5), Info: &info})
			joins(t, p, row(6), false)
		},
		"has no copy where there is no row yet": func(t *testing.T) {
			t.Helper()
			p := reports(0, 0)(t)
			p.pass(decide.TickEvery, nil)
			if got := p.inSet(); !slices.Equal(got, []string{"P", "S"}) {
				t.Errorf("the set is %v, want %v", got, []string{"P", "S"})
			}
		},
		"is no candidate, or in another region": func(t *testing.T) {
			t.Helper()
			no(5, 5, func(i *decide.Info) { i.Candidate = false })(t)
			no(5, 5, func(i *decide.Info) { i.Region = "nrt" })(t)
		},
		"leaves, or has not reported for 2 s": func(t *testing.T) {
			t.Helper()
			p := MustPrimary(t, usual(), 5)
			p.on(decide.UplinkOpened{ID: "S"})
			info := decide.Info{ID: "S", Node: "S", Region: "fra", Candidate: true}
			p.report("S", decide.Report{Cursor: row(5), Info: &info, Leaving: true})
			joins(t, p, row(6), false)

			p = MustPrimary(t, usual(), 5)
			p.on(decide.TermEnded{Term: p.s.Term()})
			p.connect("S", 5)
			p.at += 2100 * time.Millisecond
			p.begin(5)
			joins(t, p, row(6), false)
		},
		"was waited for in vain": func(t *testing.T) {
			t.Helper()
			p := behind(t, 4)
			p.connect("S", 4)
			p.pass(2200*time.Millisecond, map[string]int64{"S": 4})
			for _, at := range []time.Duration{time.Second, 3 * time.Second} {
				p.pass(at, map[string]int64{"S": 5})
				if got := p.inSet(); !slices.Equal(got, []string{"P"}) {
					t.Errorf("the set is %v, want %v", got, []string{"P"})
				}
			}
			p.pass(2*time.Second, map[string]int64{"S": 5})
			if got := p.inSet(); !slices.Equal(got, []string{"P", "S"}) {
				t.Errorf("after 6 s the set is %v, want %v", got, []string{"P", "S"})
			}
		},
		"joins, and has what was the newest row when that began": func(t *testing.T) {
			t.Helper()
			p := behind(t, 4)
			p.connect("S", 4)
			p.pass(decide.TickEvery, map[string]int64{"S": 4})
			p.want(row(6), true)
			p.pass(decide.TickEvery, map[string]int64{"S": 5})
			if got := p.inSet(); !slices.Equal(got, []string{"P", "S"}) {
				t.Errorf("the set is %v, want %v", got, []string{"P", "S"})
			}
		},
		"joins, and lacks a row from before": func(t *testing.T) {
			t.Helper()
			p := behind(t, 4)
			p.connect("S", 4)
			p.pass(decide.TickEvery, map[string]int64{"S": 4})
			write := p.want(row(6), true)
			p.pass(1500*time.Millisecond, map[string]int64{"S": 4})
			if got := p.inSet(); !slices.Equal(got, []string{"P"}) {
				t.Errorf("the set is %v, want %v", got, []string{"P"})
			}
			p.wantAnswer(write, "")
			p.pass(time.Second, map[string]int64{"S": 4})
			if got := p.inSet(); !slices.Equal(got, []string{"P"}) {
				t.Errorf("after 2 s the set is %v, want %v", got, []string{"P"})
			}
			p.wantAnswer(write, repo.Alone)
		},
	})
}
