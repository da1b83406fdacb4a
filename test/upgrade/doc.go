// Package upgrade runs two releases of this program side by side on real nodes, with a reader and an open page on each.
//
// The older release is this tree. The newer is this tree as its next release may be: with one more migration (a table,
// and a column of a table that the older writes to), one more command and one more field of a command there is, laid
// over the tree's own files when it is built. That way round neither goes stale: taking the newest migration out of
// the tree would leave code that needs it, and each new migration would want another piece of the program to go with
// it. Lines that go into files of the tree are put in while the test runs, at places that must be there.
package upgrade
