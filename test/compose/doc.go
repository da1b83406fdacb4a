// Package compose proves on the containers of compose.yml that nothing
// acknowledged is lost: it brings a project of its own up, lets writers, readers
// and sockets loose on every node, injects faults and then asks every copy of the
// database whether it agrees with what the writers were told.
//
// The ledger (ledger.go) is what was asked and what was told, the log (sight.go)
// what readers saw, a Copy (copy.go) what a node has. What must hold between them
// is in check.go, for concurrent edits of a post in register.go, and where a reader may
// be behind in held.go. None of it knows Docker. Project, Node and cut.go know nothing else. A Fault (faults.go)
// joins the two, and a Storm runs it. What chaos draws (chaos.go) are blows (blows.go): one
// alone is a Fault of a drawn length, with a Fault's limits.
//
// The nodes' own clocks can be set from outside: the image is built with the tag
// faultclock, and each node reads its clock's faults from /tmp/fault-clock in its
// container (BLOG_FAULT_CLOCK in testdata/compose.test.yml) at each reading. Its lines:
//
//	wall 87600h   the wall clock is ahead by that much, or behind: wall -10m
//	stop mono     the monotonic clock stands still, as that of a suspended machine does
//	stop wall     so does the wall clock, before what is added to it
//
// An empty file, or none, is clocks that are right; time in which one stood still stays
// lost to it until the process ends. It is the clock of package clock alone, which dates
// writes and decides what is due and who is signed in: timers, leases and heartbeats run
// by the machine's.
//
// The tests that start containers have the build tag compose: `make test-compose`.
package compose
