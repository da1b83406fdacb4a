// Package repo owns the write path: the one place of this program that changes
// the database, and the only door to it.
//
// A write is a named command (Command) that runs in one transaction on the
// primary. The caller's line is the same in every region:
//
//	ref, err := repo.Write(ctx, r, posts.Create{Title: t, Body: b})
//
// Write encodes the command, sends the Call down the chain of middlewares
// (Await -> Forward -> super) and decodes the result. On the primary Forward
// passes the call on to super; elsewhere it carries the call over internal HTTP
// to the primary's super, which is why a command's struct is its wire form and
// why even a local write takes the way over encode and decode: what would break
// between Tokyo and Frankfurt breaks in the first test on a laptop.
//
// The same transaction appends one row to the table writes. From that row
// follow exactly-once (a retry with the same key finds it), live updates (Feed
// tails it on every node), read-your-writes (Feed.Wait) and cache invalidation.
// Positions are compared as (seq, mark), see Cursor.
//
// The package refuses: SQL outside Apply that writes (reads go through a
// query-only pool), a second bus, and any knowledge of posts. DESIGN.md holds the
// model, the invariants and what happens at each fault.
package repo
