// Package compose proves on the containers of compose.yml that no acknowledged write is lost. It
// starts a project of its own with writers, readers and sockets on every node, injects faults, and
// then compares every copy of the database with what the writers were told.
//
// The ledger (ledger.go) has what was asked for and what was answered, the log (observation.go)
// what readers saw, and a Copy (copy.go) what a node has. The checks between them are in these
// files:
//
//   - check.go and check_copy.go: copies, answers and posts;
//   - register.go: the writes of one post, which need one order that explains every answer and the
//     final state;
//   - keys.go: keys; readers.go: readers who write by forms (form.go); session.go: sessions;
//   - held.go: when a reader's answer may be behind;
//   - disk.go: what the disks have when two nodes are said to have a write;
//   - belief.go: when a node believes that it may acknowledge.
//
// None of these knows Docker. Project, Node and cut.go know nothing else. A Fault (faults.go)
// connects the two, and a Storm runs it. Chaos (chaos.go) draws injections (injections.go). A
// single one becomes a Fault of a drawn length, with the limits of a Fault.
//
// Consul is three servers (testdata/compose.test.yml), which nodes reach under one name with the
// addresses of all. Project.Node(Consul) stands for all of them: what is done to it is done to
// each. Faults of a part of Consul are in consul.go; the servers' own reports, which prove that
// such a fault has struck, are in servers.go.
//
// In TestPowerLoss and `make chaos` the data folders of fra1 and fra2 are volumes of package
// powerloss, in memory, which know what was not synced. The faults of power.go lose that. There, an
// acknowledgement that rests on two nodes needs its transaction on both disks, synced before it was
// given (disk.go).
//
// Each injection into a Node leaves a probe (probe.go), which moves when the fault has struck:
// packets were dropped, the process is gone, the node is silent, its clock's file was read, or its
// log says why a term did not begin. A run fails, with the name of the fault, when a probe does not
// move before the fault is undone, and when an injection leaves no probe.
//
// Faults in the middle of a transfer (transfer.go) slow down what is sent to a replica, so that the
// transfer has a middle (pace.go). The faults of election.go are of a node that is elected and
// cannot begin its term, those of clocks.go of the nodes' clocks.
//
// Every fault has limits, such as how long nobody may be able to write. They are those of a quiet
// machine, and most of each is leases and elections, which take as long on every machine. For the
// other part a storm measures, before its first fault, how long two nodes take to start and how
// long a write takes (speed.go). A limit fails at twice its time and twice what was measured.
//
// FAULT, a regular expression of names, selects among the faults of TestFaults and TestPowerLoss,
// and among what TestChaos draws. Everything else is left out then.
//
// The nodes' clocks can be set from outside. The image is built with the tag faultclock, and a node
// reads the faults of its clock from /tmp/fault-clock in its container (BLOG_FAULT_CLOCK in
// testdata/compose.test.yml) at each reading. Lines of this file are:
//
//	wall 87600h   the wall clock is ahead by that much, or behind: wall -10m
//	mono 15s      the monotonic clock has jumped on by that much, as over a suspension that it counts
//	stop mono     the monotonic clock stands still, as that of a virtual machine does that its host suspends
//	stop wall     so does the wall clock, before what is added to it
//
// Without lines the clocks are right. Time in which a clock stood still stays lost to it until the
// process ends, and a clock that has jumped on does not go back. They are the clocks of package
// clock, which dates writes, decides which posts are due and who is signed in, and by which leases,
// reports and Consul's answers grow old. Timers and the limits of calls use the machine's. While
// /tmp/99999_fault.sql exists on a candidate (BLOG_FAULT_MIGRATION), it is one more migration
// there.
//
// The tests that start containers have the build tag compose: `make test-compose`.
package compose
