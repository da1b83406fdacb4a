package decide_test

import (
	"time"
)

// deaths are the schedules in which P or S dies, or a disk is lost.
func deaths() map[string]func(sc *scene) {
	return map[string]func(sc *scene){
		"P dies after COMMIT, before S has the row": func(sc *scene) {
			sc.s.held = true
			row := sc.p.write()
			sc.pass(time.Second)
			sc.want(sc.p, row, waiting)
			sc.dies(sc.p)
			sc.succeeds()
			sc.s.held = false
			sc.p.start()
			sc.pass(time.Second)
			sc.wantSame(sc.p, sc.s)
			if len(sc.s.copy) != 1 {
				sc.t.Errorf("S has %d rows, want the one that was acknowledged", len(sc.s.copy))
			}
		},
		"P dies after S reported, before the answer left": func(sc *scene) {
			row := sc.p.commit()
			sc.pass(time.Second)
			sc.dies(sc.p)
			sc.succeeds()
			if !sc.s.has(row) {
				sc.t.Errorf("S has %v, want %v among them", sc.s.copy, row)
			}
		},
		"P dies, S is elected, P comes back with more rows": func(sc *scene) {
			sc.s.held = true
			for range 3 {
				sc.p.write()
			}
			sc.dies(sc.p)
			sc.succeeds()
			sc.pass(8 * time.Second)
			row := sc.s.write()
			sc.pass(time.Second)
			sc.want(sc.s, row, "alone")
			sc.p.start()
			sc.pass(8 * time.Second)
			sc.wantSame(sc.p, sc.s)
			sc.wantSet("S P")
		},
		"P dies with rows that replicas have shown and S has not; S writes as many others": func(sc *scene) {
			sc.s.held = true
			sc.p.write()
			sc.pass(time.Second)
			sc.wantSame(sc.c, sc.p)
			sc.dies(sc.p)
			sc.succeeds()
			sc.s.write()
			sc.pass(time.Second)
			sc.wantSame(sc.c, sc.s)
		},
		"P dies and S is elected": func(sc *scene) {
			sc.dies(sc.p)
			sc.pass(10 * time.Second)
			sc.succeeds()
			row := sc.s.write()
			sc.pass(500 * time.Millisecond)
			sc.want(sc.s, row, waiting) // P may be about to come back
			sc.pass(500 * time.Millisecond)
			sc.want(sc.s, row, "alone")
		},
		"S dies": func(sc *scene) {
			sc.s.crash()
			row := sc.p.write()
			sc.pass(4 * time.Second)
			sc.want(sc.p, row, waiting)
			sc.pass(2 * time.Second)
			sc.want(sc.p, row, "alone")
			sc.wantSet("P")
			sc.s.start()
			sc.pass(2 * time.Second)
			sc.wantSet("P S")
		},
		"S dies, then P": func(sc *scene) {
			sc.goesAlone()
			row := sc.p.write()
			sc.pass(time.Second)
			sc.want(sc.p, row, "alone")
			sc.dies(sc.p)
			sc.s.start()
			sc.pass(time.Second)
			sc.wantElected(sc.s, false)
			sc.p.start()
			sc.wantElected(sc.p, true)
		},
		"S dies and P within DURABILITY_WAIT": func(sc *scene) {
			sc.s.crash()
			row := sc.p.write()
			sc.pass(time.Second)
			sc.dies(sc.p)
			sc.want(sc.p, row, unknown)
			sc.wantSet("P S")
			sc.s.start()
			sc.succeeds()
		},
		"S loses its disk, P dies before S's first copy is complete": func(sc *scene) {
			sc.s.crash()
			sc.s.loseDisk("S2")
			sc.s.held = true
			sc.s.start()
			sc.pass(time.Second)
			sc.dies(sc.p)
			sc.wantElected(sc.s, false)
		},
	}
}
