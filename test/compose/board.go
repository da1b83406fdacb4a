package compose

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"blog/internal/posts"
	"blog/internal/repo"
)

// Write is a write that can be asked for, again and again with the same key.
type Write struct {
	Key      string
	Kind     Kind
	Post     string
	PostID   int64
	Expected int64
}

// command returns what is sent.
func (w Write) command() repo.Command[posts.Ref] {
	text := Title(w.Post, w.Expected+1, w.Key)
	if w.Kind == Create {
		return posts.Create{Title: text, Body: text, Publish: true}
	}
	return posts.Update{Target: posts.Target{ID: w.PostID}, Revision: w.Expected, Title: &text, Body: &text}
}

// Board is what the writers of all nodes share: the posts that they edit, and
// what is to be asked again.
type Board struct {
	mu    sync.Mutex
	rng   *rand.Rand
	next  int
	posts []*card
	again []Write // told as unknown
	done  []Write // acknowledged lately
	left  int     // unknown and left so
}

type card struct {
	name      string
	id        int64
	slug      string
	revision  int64 // the newest that is known
	conflicts int   // in a row
	open      int   // unknown edits
}

// Bounds of the board: writers meet on few posts, and a post with many open
// questions is left alone, since each doubles the work of the checker.
const (
	maxPosts = 8
	maxOpen  = 3
)

// NewBoard returns an empty board that draws from rng.
func NewBoard(rng *rand.Rand) *Board { return &Board{rng: rng} }

// Draw returns what the writer of node asks next.
func (b *Board) Draw(node string) Write {
	b.mu.Lock()
	defer b.mu.Unlock()
	chance := b.rng.Float64()
	switch {
	case len(b.again) > 0 && chance < 0.3:
		return b.takeAgain()
	case len(b.done) > 0 && chance < 0.34:
		return b.done[b.rng.IntN(len(b.done))] // a client that has not heard the answer
	}
	b.next++
	key := fmt.Sprintf("%sk%d", node, b.next)
	if len(b.posts) < maxPosts/2 || (len(b.posts) < maxPosts && chance > 0.9) {
		return Write{Key: key, Kind: Create, Post: fmt.Sprintf("p%d", b.next)}
	}
	p := b.posts[b.rng.IntN(len(b.posts))]
	w := Write{Key: key, Kind: Edit, Post: p.name, PostID: p.id, Expected: p.revision}
	if p.revision > 1 && b.rng.Float64() < 0.08 {
		w.Expected-- // somebody whose editor was open too long
	}
	return w
}

func (b *Board) takeAgain() Write {
	i := b.rng.IntN(len(b.again))
	w := b.again[i]
	b.again = slices.Delete(b.again, i, i+1)
	return w
}

// leave is the part of the unknown that nobody asks for again, so that the
// checker has to find out by itself.
const leave = 0.15

// Told notes the answer to w.
func (b *Board) Told(w Write, t Told) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.post(w.Post)
	switch t.Outcome {
	case OK:
		if w.Kind == Create && p == nil && !t.Replayed {
			b.posts = append(b.posts, &card{name: w.Post, id: t.PostID, slug: t.Slug, revision: t.Revision})
		}
		if p != nil {
			p.revision, p.conflicts = max(p.revision, t.Revision), 0
		}
		if b.done = append(b.done, w); len(b.done) > 20 {
			b.done = b.done[1:]
		}
	case Conflict:
		// Another's edit that nobody was told of: the revision is at least one more.
		if p != nil && w.Expected == p.revision {
			p.revision++
			p.conflicts++
		}
	case Unknown:
		if p != nil {
			p.open++
		}
		if b.rng.Float64() < leave {
			b.left++
		} else {
			b.again = append(b.again, w)
		}
	}
	if p != nil && (p.conflicts > 3 || p.open > maxOpen || p.revision > 40) {
		b.posts = slices.DeleteFunc(b.posts, func(o *card) bool { return o == p })
	}
}

func (b *Board) post(name string) *card {
	for _, p := range b.posts {
		if p.name == name {
			return p
		}
	}
	return nil
}

// Open returns a write whose outcome is unknown and to be asked again, if there is one.
func (b *Board) Open() (Write, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.again) == 0 {
		return Write{}, false
	}
	return b.takeAgain(), true
}

// Any returns the name and slug of one of the posts, if there is one.
func (b *Board) Any() (name, slug string, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.posts) == 0 {
		return "", "", false
	}
	p := b.posts[b.rng.IntN(len(b.posts))]
	return p.name, p.slug, true
}
