// Package upgrade runs two releases of this program side by side on real nodes, with a reader and
// an open page on each.
//
// The older release is this tree. The newer one is this tree as its next release may be: with one
// more migration (a table, and a column of a table that the older release writes to), one more
// command and one more field of an existing command, which are laid over the tree's own files when
// it is built. So neither becomes outdated: without the newest migration the tree would still have
// code that needs it, and each new migration would need another piece of the program. The test
// inserts lines into files of the tree while it runs, at places that have to exist.
package upgrade
