// Package bench compares the blog with what it is measured against: a static file, a plain round trip, the bare
// network delay, a commit on one node, the length of the lease. `make bench` runs its one benchmark, which prints one
// table of ratios taken in one run, with the goals beside them. Nothing is asserted: the figures of a shared machine
// are for reading, and those of two runs are not for comparing.
package bench
