// Package app owns the wiring of a node: its configuration, the lock beside a plain database, the
// listeners, and the order in which everything is opened and closed. `blog serve` runs it, and so
// do tests, with port 0 for both addresses.
//
// It decides nothing about posts, pages or writes. Only cmd and test import it.
package app
