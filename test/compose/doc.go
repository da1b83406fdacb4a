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
// The tests that start containers have the build tag compose: `make test-compose`.
package compose
