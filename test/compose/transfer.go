package compose

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/superfly/ltx"

	"blog/internal/media"
	"blog/internal/repo"
	"blog/test/cluster"
)

// Faults in the middle of what is sent to a replica: a copy of the whole database, or the frame of
// one transaction. What is sent is slowed down, so that there is a middle.

const (
	// largeDatabase is the size in bytes of a database of which a copy takes long enough at
	// copyPace.
	largeDatabase = 8 << 20
	// copyPace is how many bytes of a copy pass per second.
	copyPace = 1 << 20
	// framePace is the same for a frame. The largest frame has about 250 KB, so it takes about four
	// seconds.
	framePace = 64 << 10
	// inFrame is how many bytes of a frame must have passed before it is interrupted.
	inFrame = 48 << 10
)

// interruption is what happens to a replica in the middle of what is sent to it.
type interruption struct {
	name   string
	silent bool // the replica need not answer readers
	cut    bool // nothing arrives during it
	inject func(n *Node, ctx context.Context) error
	undo   func(n *Node, ctx context.Context) error
}

func interruptions() (frozen, cut, slow interruption) {
	frozen = interruption{name: "frozen", silent: true, cut: true, inject: (*Node).Pause, undo: (*Node).Unpause}
	cut = interruption{name: "cut off", cut: true, inject: (*Node).CutOff, undo: (*Node).Heal}
	slow = interruption{
		name:   "slow",
		inject: func(*Node, context.Context) error { return nil }, // the slow pace is all
		undo:   func(*Node, context.Context) error { return nil },
	}
	return frozen, cut, slow
}

// interrupted is a replica and its interruption.
type interrupted struct {
	*Node
	by    interruption
	queue int // its number among the replicas that the primary slows down
}

// replicas numbers the replicas.
func replicas(all ...interrupted) []interrupted {
	for i := range all {
		all[i].queue = i
	}
	return all
}

// inCopy interrupts replicas inside a copy of the whole database, all at the same time. They have
// an older copy, from which readers are served.
func inCopy(f *spell, all []interrupted) {
	primary, _ := f.Primary(f.tb)
	f.step("enlarge the database")
	f.enlarge(primary)
	f.step("end the streams")
	f.announceAway(all)
	f.try("end the streams", func(ctx context.Context) error {
		return onAll(all, func(r interrupted) error { return r.ResetReplication(ctx) })
	})
	f.struckAll()
	before := f.outdate(primary, all)
	f.step("let the copies begin")
	f.try("pace the copies", func(ctx context.Context) error { return primary.Pace(ctx, copyPace, nodesOf(all)...) })
	f.try("let the streams begin", func(ctx context.Context) error {
		return onAll(all, func(r interrupted) error { return r.Heal(ctx) })
	})
	f.interrupt(primary, all, func(ctx context.Context, r interrupted) error {
		at := before[r.Name]
		return r.insideCopy(ctx, at)
	})
}

// inTransaction interrupts replicas inside the frame of one transaction, all at the same time.
func inTransaction(f *spell, all []interrupted) {
	primary, _ := f.Primary(f.tb)
	f.announceAway(all)
	f.try("pace the frames", func(ctx context.Context) error { return primary.Pace(ctx, framePace, nodesOf(all)...) })
	var work sync.WaitGroup
	defer work.Wait()
	ctx, cancel := context.WithTimeout(f.tb.Context(), patient)
	defer cancel()
	begun := f.newest(primary)
	work.Go(func() { _ = f.putChunk(ctx, primary, newPicture(), 0) }) // it does not matter whether it is acknowledged
	f.step("put a large transaction")
	large := f.largeAfter(primary, begun)
	from := make([]int, len(all)) // bytes that had passed when the frame began
	f.interrupt(primary, all, func(ctx context.Context, r interrupted) error {
		passed, _, err := primary.paced(ctx, r.queue)
		if err != nil {
			return err
		}
		_, now, err := r.transactions(ctx)
		switch {
		case err != nil:
			return err
		case now != large-1:
			return fmt.Errorf("it is at %s, the large transaction is %s", now, large)
		case from[r.queue] == 0:
			from[r.queue] = passed
		}
		if passed -= from[r.queue]; passed < inFrame {
			return fmt.Errorf("%d bytes of the frame have passed", passed)
		}
		return nil
	})
}

// announceAway sets what readers and writers may expect during the fault.
func (f *spell) announceAway(all []interrupted) {
	var away []*Node
	for _, r := range all {
		f.Hold(r.Node)
		if r.by.cut {
			away = append(away, r.Node)
		}
	}
	f.survive, f.cutOff, f.recovery = f.others(away...), away, longer
}

// interrupt waits for each replica until it is inside the transfer, injects, and undoes the
// injection.
func (f *spell) interrupt(primary *Node, all []interrupted, inside func(ctx context.Context, r interrupted) error) {
	f.tb.Helper()
	var cut []*Node
	f.strike(func(ctx context.Context) error {
		return onAll(all, func(r interrupted) error { return f.interruptOne(ctx, primary, r, inside) })
	})
	for _, r := range all {
		if r.by.cut && !r.by.silent {
			cut = append(cut, r.Node)
		}
	}
	f.heal(func(ctx context.Context) error {
		return errors.Join(primary.Unpace(ctx), onAll(all, func(r interrupted) error { return r.by.undo(r.Node, ctx) }))
	})
	f.step("healed, struck at %s", f.struck.Round(10*time.Millisecond))
	f.noAcks(f.struck, cut...)
	f.staysPrimary(primary)
}

// interruptOne interrupts one replica, and leaves a probe: the replica is still inside the transfer
// or, when it is only slow, had to wait.
func (f *spell) interruptOne(
	ctx context.Context, primary *Node, r interrupted, inside func(ctx context.Context, r interrupted) error,
) error {
	if err := cluster.Await(ctx, ackLimit, func(ctx context.Context) error { return inside(ctx, r) }); err != nil {
		return fmt.Errorf("%s is never inside: %w", r.Name, err)
	}
	if r.by.silent {
		f.Excuse(r.Node)
	}
	if err := r.by.inject(r.Node, ctx); err != nil {
		return err
	}
	f.expect(r.by.name+" inside, "+r.Name, func(ctx context.Context) error {
		if r.by.cut {
			return inside(ctx, r)
		}
		_, waits, err := primary.paced(ctx, r.queue)
		if err == nil && waits == 0 {
			err = errors.New("nothing had to wait")
		}
		return err
	})
	return nil
}

// insideCopy fails unless the node is still at a transaction and has a part of a copy on its disk.
func (n *Node) insideCopy(ctx context.Context, at ltx.TXID) error {
	part, err := n.received(ctx)
	if err != nil {
		return err
	}
	_, now, err := n.transactions(ctx)
	switch {
	case err != nil:
		return err
	case now != at:
		return fmt.Errorf("it was at %s and is at %s", at, now)
	case part == 0:
		return errors.New("it has no part of a copy")
	}
	return nil
}

// outdate waits until the replicas lack a transaction, and deletes the file that they would
// continue from, so that only a copy brings them up. It returns the transaction at which each is.
func (f *spell) outdate(primary *Node, all []interrupted) map[string]ltx.TXID {
	f.tb.Helper()
	at := map[string]ltx.TXID{}
	for _, r := range all {
		at[r.Name] = f.newest(r.Node)
	}
	first := ltx.TXID(0)
	cluster.Poll(f.tb, ackLimit, "the replicas lack transactions", func(ctx context.Context) (err error) {
		for _, r := range all {
			var now ltx.TXID
			if _, now, err = r.transactions(ctx); err != nil {
				return err
			}
			if _, first, err = primary.transactions(ctx); err != nil {
				return err
			}
			if now != at[r.Name] || first < now+2 {
				at[r.Name] = now
				return fmt.Errorf("%s is at %s, the primary at %s", r.Name, now, first)
			}
		}
		return nil
	})
	for _, r := range all {
		f.try("delete what "+r.Name+" lacks", func(ctx context.Context) error {
			err := primary.forget(ctx, at[r.Name]+1)
			if err != nil && len(all) > 1 && isDeleted(all, at, r) {
				return nil
			}
			return err
		})
	}
	return at
}

// isDeleted reports whether another replica before r lacks the same transaction.
func isDeleted(all []interrupted, at map[string]ltx.TXID, r interrupted) bool {
	for _, o := range all {
		if o.Node == r.Node {
			return false
		}
		if at[o.Name] == at[r.Name] {
			return true
		}
	}
	return false
}

// newest returns the newest transaction on a node's disk.
func (f *spell) newest(n *Node) ltx.TXID {
	f.tb.Helper()
	var id ltx.TXID
	f.try("read the transactions of "+n.Name, func(ctx context.Context) (err error) {
		_, id, err = n.transactions(ctx)
		return err
	})
	return id
}

// largeAfter waits for a large transaction after another one, and returns it.
func (f *spell) largeAfter(n *Node, after ltx.TXID) ltx.TXID {
	f.tb.Helper()
	var found ltx.TXID
	cluster.Poll(f.tb, ackLimit, n.Name+" has a large transaction", func(ctx context.Context) error {
		sizes, _, err := n.transactions(ctx)
		for id, size := range sizes {
			if id > after && size >= media.ChunkSize {
				found = id
			}
		}
		if err == nil && found == 0 {
			err = errors.New("there is none")
		}
		return err
	})
	return found
}

// enlarge stores pieces of pictures, which belong to no post, until the database is large. Rows may be late meanwhile,
// and no longer: they come after megabytes that cannot be compressed.
func (f *spell) enlarge(primary *Node) {
	f.tb.Helper()
	if f.large {
		return
	}
	f.holdMeanwhile(f.tb, func() {
		f.putChunks(primary)
		f.AwaitAcks(f.tb, f.Ledger.Now(), primary) // a row that comes after the pieces, which are not in the ledger
	}, f.others(primary)...)
	f.large = true
}

// putChunks stores the pieces of a picture, several at a time.
func (f *spell) putChunks(primary *Node) {
	f.tb.Helper()
	const pieces, atOnce = largeDatabase / media.ChunkSize, 4
	pictures, turns := newPicture(), make(chan int)
	errs := make([]error, pieces)
	var work sync.WaitGroup
	for range atOnce {
		work.Go(func() {
			for i := range turns {
				ctx, cancel := context.WithTimeout(f.tb.Context(), patient)
				errs[i] = f.putChunk(ctx, primary, pictures, i)
				cancel()
			}
		})
	}
	for i := range pieces {
		turns <- i
	}
	close(turns)
	work.Wait()
	if err := errors.Join(errs...); err != nil {
		f.tb.Fatalf("%s: enlarge the database: %v", f.now(), err)
	}
}

// newPicture returns a picture that never becomes complete, because its last piece is not sent.
func newPicture() media.Put {
	const pieces = largeDatabase/media.ChunkSize + 1
	hash := make([]byte, 32)
	_, _ = rand.Read(hash) // never fails
	return media.Put{
		Hash: hex.EncodeToString(hash), Type: "image/png", Ext: ".png", Width: 1, Height: 1,
		Size: pieces * media.ChunkSize, Chunks: pieces,
	}
}

// putChunk stores one piece of a picture, with bytes that cannot be compressed.
func (f *spell) putChunk(ctx context.Context, n *Node, picture media.Put, i int) error {
	picture.N, picture.Data = i, make([]byte, media.ChunkSize)
	_, _ = rand.Read(picture.Data) // never fails
	_, err := repo.Write(repo.As(ctx, repo.Actor{Name: repo.Operator}), f.Writers[n.Name].client.Load(), picture)
	return err
}

// onAll calls do for all replicas at the same time.
func onAll(all []interrupted, do func(r interrupted) error) error {
	errs := make([]error, len(all))
	var work sync.WaitGroup
	for i, r := range all {
		work.Go(func() { errs[i] = do(r) })
	}
	work.Wait()
	return errors.Join(errs...)
}

func nodesOf(all []interrupted) (nodes []*Node) {
	for _, r := range all {
		nodes = append(nodes, r.Node)
	}
	return nodes
}
