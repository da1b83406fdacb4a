package decide_test

import (
	"slices"
	"strings"
	"time"

	"blog/internal/cluster/decide"
	"blog/internal/litefs"
	"blog/internal/repo"
)

// handovers are the schedules of rows that come in an unusual order, of the hand-over, and of a third candidate.
func handovers() map[string]func(sc *scene) {
	return map[string]func(sc *scene){
		"P commits k (unknown), loses the role before its own feed has told the row; S refuses k; S dies, P is elected " +
			"again": func(sc *scene) {
			sc.s.held, sc.p.held = true, true
			k := sc.p.write()
			sc.expire()
			sc.succeeds()
			sc.p.see()
			sc.want(sc.p, k, unknown)
			sc.p.dial()
			refusal := sc.s.want(sc.s.newest(), false)
			sc.pass(time.Second)
			sc.want(sc.s, refusal, waiting)
			sc.p.held = false
			sc.pass(time.Second)
			sc.want(sc.s, refusal, "two")
			sc.dies(sc.s)
			sc.wantElected(sc.p, true)
			if len(sc.p.copy) != 1 {
				sc.t.Errorf("P has %d rows, want 1, without k", len(sc.p.copy))
			}
		},
		"S reports a row before P's COMMIT has returned": func(sc *scene) {
			row := sc.p.commit()
			sc.s.replicate(1)
			sc.s.readFeed()
			sc.s.deliverFeed()
			sc.s.sendReport(false)
			sc.lines[0].receive()
			sc.want(sc.p, sc.p.want(row, true), "two")
		},
		"S has a row at the same seq from another history": func(sc *scene) {
			sc.s.held = true
			row := sc.p.write()
			sc.s.copy = append(sc.s.copy, repo.Cursor{Seq: 2, Mark: repo.Mark{9}})
			sc.pass(time.Second)
			sc.want(sc.p, row, waiting)
			sc.s.held = false
			sc.pass(time.Second)
			sc.want(sc.p, row, "two")
		},
		"hand-over: P stops writing, S is asked, acquires the lease in the set": func(sc *scene) {
			sc.p.offer()
			sc.pass(500 * time.Millisecond)
			if sc.consul.holder != "S" {
				sc.t.Fatalf("the holder is %q, want %q", sc.consul.holder, "S")
			}
			row := sc.s.write()
			sc.pass(500 * time.Millisecond)
			sc.want(sc.s, row, "alone")
		},
		"hand-over fails": func(sc *scene) {
			sc.s.cut = true
			sc.p.offer()
			sc.pass(time.Second)
			sc.dies(sc.p)
			sc.s.cut = false
			sc.succeeds()
		},
		"a third candidate, one in another region": func(sc *scene) {
			sc.c.silent = false
			sc.pass(2 * time.Second)
			sc.wantSet("P S")
			problem := func() string {
				nodes := sc.p.state.Nodes(sc.p.at, decide.Here{Role: litefs.Primary})
				return nodes[slices.IndexFunc(nodes, func(i decide.Info) bool { return i.ID == "C" })].Problem
			}
			if got, want := problem(), "There are 3 candidates"; !strings.Contains(got, want) {
				sc.t.Errorf("the problem of the third is %q, want %q in it", got, want)
			}
			sc.c.region = "nrt"
			sc.c.on(decide.InfoRead{Info: sc.c.info()})
			sc.s.crash()
			sc.pass(8 * time.Second)
			sc.wantSet("P")
			if got, want := problem(), "is a candidate in region nrt"; !strings.Contains(got, want) {
				sc.t.Errorf("the problem of the one in another region is %q, want %q in it", got, want)
			}
		},
	}
}
