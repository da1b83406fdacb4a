package repo

import "context"

// Upkeep is work on the database that writes make necessary and that need be done only once for all that are
// committed together, such as merging a search index. writes is how many of them asked for it.
type Upkeep func(ctx context.Context, tx *Tx, writes int) error

// upkeep is an Upkeep that a batch still has to do, and how many of its calls have asked for it.
type upkeep struct {
	do    Upkeep
	calls int
}

// Upkeep asks for do to be run once, after the last of the writes that are committed together, in their transaction. Of
// several with one name the last is run. When it fails the writes are committed without it, so it must be work that the
// next write can do instead. A write that is refused asks for nothing.
func (tx *Tx) Upkeep(name string, do Upkeep) {
	if tx.upkeep == nil {
		tx.upkeep = map[string]Upkeep{}
	}
	tx.upkeep[name] = do
}

// Rewrites notes that the command writes about so many bytes of pages anew that its body does not show, such as a long
// row of which it changes a word: a batch is bounded in what it changes.
func (tx *Tx) Rewrites(bytes int) { tx.rewritten += int64(bytes) }

// maintain runs u. Its time is that of the newest row.
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
