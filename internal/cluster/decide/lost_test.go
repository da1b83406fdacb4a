package decide_test

import (
	"slices"
	"testing"
	"time"

	"blog/internal/cluster/decide"
	"blog/internal/litefs"
	"blog/internal/repo"
)

// TestWhoIsLost has the rows of DESIGN.md.
func TestWhoIsLost(t *testing.T) {
	wantIn := func(t *testing.T, p *primary, when string, in bool) {
		t.Helper()
		if got := slices.Contains(p.inSet(), "S"); got != in {
			t.Errorf("%s: S is in the set: %t, want %t", when, got, in)
		}
	}
	with := func(t *testing.T) *primary {
		t.Helper()
		p := MustPrimary(t, usual(), 5, "S")
		p.connect("S", 5)
		return p
	}
	table(t, "a member of the set", map[string]func(t *testing.T){
		"has not reported for DURABILITY_WAIT, and never less than 2 s": func(t *testing.T) {
			t.Helper()
			p := with(t)
			p.pass(10*time.Second, map[string]int64{"S": 5})
			p.pass(4900*time.Millisecond, nil)
			wantIn(t, p, "after 4.9 s", true)
			p.pass(200*time.Millisecond, nil)
			wantIn(t, p, "after 5.1 s", false)

			p = MustPrimary(t, usual(), 5, "S") // it never reports
			p.pass(4900*time.Millisecond, nil)
			wantIn(t, p, "4.9 s after the term began", true)
			p.pass(200*time.Millisecond, nil)
			wantIn(t, p, "5.1 s after the term began", false)

			short := usual()
			short.Wait = time.Millisecond
			p = MustPrimary(t, short, 5, "S")
			p.connect("S", 5)
			p.pass(1900*time.Millisecond, nil)
			wantIn(t, p, "after 1.9 s", true)
			p.pass(200*time.Millisecond, nil)
			wantIn(t, p, "after 2.1 s", false)
		},
		"was silent while this process was stopped": func(t *testing.T) {
			t.Helper()
			p := with(t)
			p.at += time.Hour
			p.pass(4900*time.Millisecond, nil)
			wantIn(t, p, "4.9 s after waking", true)
			p.pass(200*time.Millisecond, nil)
			wantIn(t, p, "5.1 s after waking", false)
		},
		"was the primary before": func(t *testing.T) {
			t.Helper()
			for name, c := range map[string]struct {
				silent, connected time.Duration // before the term; connected 0: not
				after             time.Duration
				in                bool
			}{
				"silent through the election": {silent: 10 * time.Second, after: 900 * time.Millisecond},
				"just elected":                {silent: 10 * time.Second, after: 600 * time.Millisecond, in: true},
				"heard until a moment before": {silent: time.Second, after: 3 * time.Second, in: true},
				"and silent since":            {silent: time.Second, after: 4200 * time.Millisecond},
				"here sooner than the term": {silent: 10 * time.Second, connected: time.Second, after: 3 * time.Second,
					in: true},
				"here sooner, and silent since": {silent: 10 * time.Second, connected: time.Second,
					after: 4200 * time.Millisecond},
				"silent less than it may be yet": {silent: 4 * time.Second, after: 800 * time.Millisecond, in: true},
			} {
				p := &primary{
					t: t, s: decide.New(usual()), at: begins, given: map[uint64]repo.Assurance{},
					set: litefs.SyncSet{Members: members("P", "S"), Index: 7},
				}
				p.on(decide.InfoRead{Info: decide.Info{ID: "P", Node: "P", Region: "fra", Candidate: true}})
				p.on(decide.HeartbeatReceived{Heartbeat: decide.Heartbeat{From: "S", Number: 1}})
				p.at += c.silent - c.connected
				if c.connected > 0 {
					p.connect("S", 5)
					p.at += c.connected
				}
				p.begin(5)
				p.pass(c.after, nil)
				wantIn(t, p, name, c.in)
			}
		},
		"says that it leaves": func(t *testing.T) {
			t.Helper()
			p := with(t)
			p.report("S", decide.Report{Cursor: row(5), Leaving: true})
			p.pass(decide.TickEvery, nil)
			wantIn(t, p, "at once", false)

			p = &primary{t: t, s: decide.New(usual()), at: begins, set: litefs.SyncSet{Members: members("P", "S"), Index: 7}}
			p.on(decide.InfoRead{Info: decide.Info{ID: "P", Node: "P", Region: "fra", Candidate: true}})
			p.on(decide.HeartbeatReceived{Heartbeat: decide.Heartbeat{From: "S", Leaving: "S", Promote: true}})
			p.at += time.Second
			p.begin(5)
			p.pass(decide.TickEvery, nil)
			wantIn(t, p, "as it handed over", false)
		},
		"has said that it leaves, and is back": func(t *testing.T) {
			t.Helper()
			p := with(t)
			p.deaf = true
			p.report("S", decide.Report{Cursor: row(5), Leaving: true})
			p.call = nil
			p.report("S", decide.Report{Cursor: row(5)})
			p.begin(5)
			p.deaf = false
			p.pass(time.Second, map[string]int64{"S": 5})
			wantIn(t, p, "back", true)
		},
		"reports, and its copy has not moved for DURABILITY_STALL although there is more": func(t *testing.T) {
			t.Helper()
			p := with(t)
			p.want(row(6), true)
			p.pass(19900*time.Millisecond, map[string]int64{"S": 5})
			wantIn(t, p, "after 19.9 s", true)
			p.pass(200*time.Millisecond, map[string]int64{"S": 5})
			wantIn(t, p, "after 20.1 s", false)

			p = with(t)
			p.pass(time.Minute, map[string]int64{"S": 5})
			wantIn(t, p, "with nothing more to have", true)
		},
		"stands still since before this process was stopped": func(t *testing.T) {
			t.Helper()
			p := with(t)
			p.want(row(6), true)
			p.pass(10*time.Second, map[string]int64{"S": 5})
			p.at += time.Hour
			p.pass(19900*time.Millisecond, map[string]int64{"S": 5})
			wantIn(t, p, "19.9 s after waking", true)
			p.pass(200*time.Millisecond, map[string]int64{"S": 5})
			wantIn(t, p, "20.1 s after waking", false)
		},
	})
}
