package decide_test

import (
	"time"

	"blog/internal/litefs"
)

// changes are the schedules in which a role, or the sync set, changes while something is under way.
func changes() map[string]func(sc *scene) {
	return map[string]func(sc *scene){
		"P's event stream breaks while a change is under way: the same lease, another term of this node's": func(sc *scene) {
			sc.s.crash()
			sc.p.tick(6 * time.Second)
			sc.until(isWrite)
			sc.p.setRole(litefs.Unknown, "")
			sc.p.setRole(litefs.Primary, "")
			for range 3 {
				sc.p.open()
			}
			sc.arrive(0)
			sc.wantSet("P S")
		},
		"the role changes twice before the program sees it (P, S, P)": func(sc *scene) {
			sc.s.held = true
			row := sc.p.write()
			sc.p.setRole(litefs.Unknown, "")
			sc.p.setRole(litefs.Primary, "")
			sc.pass(time.Second)
			sc.want(sc.p, row, unknown)
		},
		"P, S in the set; P elected, and its database cannot be opened or migrated for a second; S dies, P acknowledges " +
			"R alone; S is back without R": func(sc *scene) { sc.leaveTermOver(false) },
		"removing S gets no answer": func(sc *scene) {
			sc.s.crash()
			sc.p.tick(6 * time.Second)
			sc.until(isWrite)
			sc.lose1()
			sc.p.cut = true
			row := sc.p.write()
			sc.pass(5 * time.Second)
			sc.want(sc.p, row, waiting)
			sc.p.cut = false
			sc.pass(2 * time.Second)
			sc.want(sc.p, row, "alone")
			for len(sc.consul.late) > 0 {
				sc.arrive(0)
			}
			sc.wantSet("P")
		},
		"S out, P acknowledges alone; Consul is restored from a snapshot with S in the set, the same lock": func(sc *scene) {
			before := *sc.consul.set
			sc.goesAlone()
			sc.restore(before)
			row := sc.p.write()
			sc.until(isWrite)
			sc.want(sc.p, row, waiting)
			sc.pass(time.Second)
			sc.want(sc.p, row, "alone")
			sc.wantSet("P")
		},
		"adding S gets no answer, S dies, the change arrives late": func(sc *scene) {
			sc.goesAlone()
			sc.s.start()
			sc.until1()
			sc.lose1()
			sc.s.crash()
			sc.pass(7 * time.Second)
			row := sc.p.write()
			sc.pass(time.Second)
			sc.want(sc.p, row, "alone")
			sc.arrive(0)
			sc.wantSet("P")
		},
	}
}
