// Package repo owns the write path: commands, their execution, the history of writes and its feed. Nothing else in this
// program changes the database.
//
// A write is a named command (Command) that runs in one transaction on the
// primary. The caller's line is the same in every region:
//
//	ref, err := repo.Write(ctx, r, posts.Create{Title: t, Body: b})
//
// Write encodes the command, sends the Call down the chain of middlewares
// (Await -> Forward -> super) and decodes the result. On the primary Forward
// passes the call on to super. On any other node it sends the call by internal HTTP
// to the primary's super, so a command's struct is its wire form. A local write is
// encoded and decoded as well: what would break between Tokyo and Frankfurt breaks in
// the first test on a laptop.
//
// The same transaction appends one row to the table writes. Four things follow from that row:
// exactly-once (a retry with the same key finds it), live updates (Feed reads it on every
// node), read-your-writes (Feed.Wait) and cache invalidation. Positions are compared as
// (seq, mark), see Cursor.
//
// What an error is to a caller is in one table (outcome.go), and how long anybody waits for a
// row in one file (wait.go).
//
// The package refuses SQL outside Apply that writes (reads go through a query-only pool), a
// second way of notification, and any knowledge of posts. DESIGN.md has the model, the
// invariants and what happens at each fault.
package repo
