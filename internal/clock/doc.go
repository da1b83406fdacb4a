// Package clock owns what a node believes to be the time: what writes are dated with,
// and what decides whether a post is due, a session over or a picture unused. It knows
// no database and no network.
//
// One write by a clock ten years ahead would date everything after it, since dates of
// writes never go back: due posts come out, sessions end, keys are forgotten. So a wall
// clock is never believed by itself:
//
//   - While running, the wall clock is followed as long as it moves as the monotonic
//     clock does, within Bound (1 minute) an hour. After a step, forward or back, time
//     goes on by the monotonic clock alone, and Problem says so, until the wall clock is
//     back within Bound.
//   - At the start a plain file believes its wall clock: there is nothing to compare it
//     with. One node of several (under LiteFS) believes its own when a second node's is
//     within Bound of it: the primary hears those of the others with their reports, and
//     they hear the primary's, once it is confirmed, with its heartbeats. Until then the time
//     is the newest write's date and what the monotonic clock has counted since the node
//     saw that write: behind, but never ahead. A node whose own wall clock is wrong goes
//     by the primary's confirmed time. Before there is any write every clock is believed.
//   - A second node that agrees ends any doubt, also after a step: that is how a virtual
//     machine gets on whose clocks stood still while it was suspended.
//   - A plain file has no second node. A suspended laptop needs none: on Linux the
//     monotonic clock here is CLOCK_BOOTTIME, which counts the time of the suspension, so
//     its wall clock has not stepped. Elsewhere a step is believed when the wall clock
//     has run evenly for 10 minutes since, and either the step is at most a day or the
//     kernel says that NTP disciplines the clock (a machine without a clock of its own
//     that starts weeks in the past). Any larger step is left to the operator: a restart
//     or `blog clock reset --force`.
//   - Slewing is no step: NTP moves the wall clock by 2 s an hour at the most, and on
//     Linux the monotonic clock with it.
//
// What it does not see: two nodes that are wrong alike, such as two on one machine.
//
// Durations have two clocks. The monotonic reading of package time, by which timers, limits of calls and pauses go,
// stands still while the machine is suspended. Source.Elapsed goes on. The rule: how old something is that this node
// believes of others (a report, Consul's answer, its lease) is counted by Elapsed, and compared with it before anything
// rests on the belief, since the timer that would end the belief comes late. How long this process works at something,
// or waits before it tries again, is counted by package time: a suspension is no work, and no failure of anybody's.
// Where the clock of Elapsed stood still as well, as in a virtual machine that its host suspended, no clock tells:
// what is acknowledged then rests on numbers that others have echoed (package cluster).
package clock
