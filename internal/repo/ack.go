package repo

import "context"

// acknowledge decides when the answer to a call may be given; it is the only
// place that knows about durability. seen is the newest row of the call's
// transaction: its own row, or for a replay or a refusal the newest row that it
// found, since an answer may only rest on what will last.
//
// Here a write is acknowledged at the primary's commit. What it will wait for is
// a standby's report of seen or of a later row in the same chain of marks.
func (r *Repo) acknowledge(ctx context.Context, seen Cursor) error {
	return nil
}
