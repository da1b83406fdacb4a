package repo

import "context"

// Upkeep is work on the database that writes make necessary and that need be done only once for all that are
// committed together, such as merging a search index. writes is how many of them asked for it.
type Upkeep func(ctx context.Context, tx *Tx, writes int) error

// upkeep is what a batch still has to do.
type upkeep struct {
	do    Upkeep
	calls int
}

// Upkeep has do done once after the last of the writes that are committed together, in their transaction. What it
// is for is its name: of several with one name the last is done. Where it fails the writes are committed without,
// so it must be something that the next write can make good. A write that is refused asks for nothing.
func (tx *Tx) Upkeep(name string, do Upkeep) {
	if tx.upkeep == nil {
		tx.upkeep = map[string]Upkeep{}
	}
	tx.upkeep[name] = do
}

// maintain does u, as of the newest row.
func (tx *Tx) maintain(ctx context.Context, u upkeep) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked("upkeep", p)
		}
	}()
	if tx.last, err = newestRow(ctx, tx); err != nil {
		return err
	}
	tx.now = tx.last.at
	return u.do(ctx, tx, u.calls)
}
