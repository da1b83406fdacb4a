// Package bench compares the blog with what it is measured against: a static file, a plain round
// trip, the network delay, a commit on one node, the length of the lease. `make bench` runs its
// only benchmark, which prints a table of ratios from one run, with the goals beside them. It
// asserts nothing: the figures of a shared machine are for reading, and those of two runs must not
// be compared.
package bench
