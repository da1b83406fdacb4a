// Package upgrade runs two releases of this program side by side on real nodes. The
// older is this tree. The newer is this tree as its next release may be: with one more
// migration, one more command and one more field of a command there is, laid over the
// tree's own files when it is built. That way round neither goes stale: taking the
// newest migration out of the tree would leave code that needs it.
package upgrade
