package compose

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"blog/internal/posts"
)

// Board is what the writers of all nodes share: the posts that they edit, and the writes to ask for
// again.
type Board struct {
	mu    sync.Mutex
	rng   *rand.Rand
	next  int
	posts []*card
	again []Write // with an unknown outcome
	done  []Write // acknowledged lately
	left  int     // with an unknown outcome that nobody asks for again
	// deleted are posts that were deleted lately. pictures are the hashes of uploaded pictures.
	deleted  []*card
	pictures []string
	schedule bool // whether posts may be scheduled now
}

type card struct {
	name      string
	id        int64
	slug      string
	born      string
	revision  int64 // newest known
	state     posts.State
	conflicts int // in a row
	open      int // edits with an unknown outcome
}

// Bounds of the board. Writers meet on few posts. A post with many edits of unknown outcome is left
// alone, because each doubles the work of the checker.
const (
	maxPosts = 8
	maxOpen  = 3
)

// NewBoard returns an empty board that draws from rng.
func NewBoard(rng *rand.Rand) *Board { return &Board{rng: rng} }

// Draw returns the next write of the writer of node.
func (b *Board) Draw(node string) Write {
	b.mu.Lock()
	defer b.mu.Unlock()
	chance := b.rng.Float64()
	switch {
	case len(b.again) > 0 && chance < 0.3:
		return b.nextAgain()
	case len(b.done) > 0 && chance < 0.34:
		return b.done[b.rng.IntN(len(b.done))] // as a client asks that has not received the answer
	}
	b.next++
	key := fmt.Sprintf("%sk%d", node, b.next)
	if w, ok := b.drawOther(key); ok {
		return w
	}
	if len(b.posts) < maxPosts/2 || (len(b.posts) < maxPosts && chance > 0.9) {
		return Write{Key: key, Kind: Create, Post: fmt.Sprintf("p%d", b.next), Born: key, Picture: b.drawPicture()}
	}
	w := b.edit(key, Edit, b.posts[b.rng.IntN(len(b.posts))])
	w.Picture = b.drawPicture()
	return w
}

func (b *Board) nextAgain() Write {
	i := b.rng.IntN(len(b.again))
	w := b.again[i]
	b.again = slices.Delete(b.again, i, i+1)
	return w
}

// leave is the fraction of unknown outcomes that nobody asks for again, so that the checker has to
// find out.
const leave = 0.15

// NoteAnswer notes the answer to w.
func (b *Board) NoteAnswer(w Write, t Answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.post(w.Born)
	if w.Variant != "" {
		return // it is never done
	}
	switch t.Outcome {
	case OK:
		b.noteDone(w, t, p)
		if b.done = append(b.done, w); len(b.done) > 20 {
			b.done = b.done[1:]
		}
	case NotFound:
		b.remove(p)
	case Conflict:
		// The conflict is with an edit of another writer whose outcome is unknown: the revision is
		// at least one higher.
		if p != nil && w.Expected == p.revision {
			p.revision++
			p.conflicts++
		}
	case Unknown:
		if p != nil {
			p.open++
		}
		if b.rng.Float64() < leave && w.Due.IsZero() && w.Kind != Upload {
			b.left++
		} else {
			b.again = append(b.again, w)
		}
	}
	if p != nil && (p.conflicts > 3 || p.open > maxOpen || p.revision > 40) {
		b.remove(p)
	}
}

func (b *Board) remove(p *card) {
	b.posts = slices.DeleteFunc(b.posts, func(o *card) bool { return o == p })
}

// post returns the post that the write with key born made, or nil when nobody edits it any more.
func (b *Board) post(born string) *card {
	for _, p := range b.posts {
		if p.born == born {
			return p
		}
	}
	return nil
}

// Open returns a write with an unknown outcome that is to be asked for again. ok is false without
// one.
func (b *Board) Open() (Write, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.again) == 0 {
		return Write{}, false
	}
	return b.nextAgain(), true
}

// Any returns name and slug of one of the posts. ok is false without posts.
func (b *Board) Any() (name, slug string, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.posts) == 0 {
		return "", "", false
	}
	p := b.posts[b.rng.IntN(len(b.posts))]
	return p.name, p.slug, true
}
