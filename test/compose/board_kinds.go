package compose

import (
	"time"

	"blog/internal/posts"
)

// How often a writer asks for something else than a new post or an edit. Together they are an
// eighth of the writes, so that histories of posts stay long and the load stays the same.
const (
	chanceState    = 0.04  // publish or unpublish
	chanceSame     = 0.015 // an edit that changes nothing
	chanceDelete   = 0.012
	chanceDeleted  = 0.012 // an edit of a deleted post
	chanceSlug     = 0.015 // a new post with the slug of another one
	chanceVariant  = 0.015 // other content under a used key
	chanceUpload   = 0.01
	chanceSchedule = 0.01
)

// Scheduled posts are released within dueWithin. That is soon, so that nothing waits for them when
// the writers have stopped.
const (
	dueAtLeast = time.Second
	dueWithin  = 5 * time.Second
)

// drawOther draws one of the rarer kinds. ok is false when none was drawn.
func (b *Board) drawOther(key string) (w Write, ok bool) {
	chance := b.rng.Float64()
	within := func(part float64) bool { chance -= part; return chance < 0 }
	switch {
	case within(chanceUpload):
		return Write{Key: key, Kind: Upload, Picture: PictureHash(key)}, true
	case within(chanceSchedule):
		after := dueAtLeast + time.Duration(b.rng.Int64N(int64(dueWithin-dueAtLeast)))
		due := time.Now().UTC().Add(after).Truncate(time.Millisecond)
		return Write{Key: key, Kind: Create, Post: "s" + key, Born: key, Due: due}, b.schedule
	case within(chanceVariant):
		if len(b.done) == 0 {
			return w, false
		}
		w = b.done[b.rng.IntN(len(b.done))]
		w.Variant = "x"
		return w, w.Kind == Create || w.Kind == Edit
	case within(chanceDeleted):
		if len(b.deleted) == 0 {
			return w, false
		}
		return b.edit(key, Edit, b.deleted[b.rng.IntN(len(b.deleted))]), true
	case len(b.posts) == 0:
		return w, false
	}
	p := b.posts[b.rng.IntN(len(b.posts))]
	switch {
	case within(chanceSlug):
		if len(b.deleted) > 0 && b.rng.IntN(2) == 0 {
			p = b.deleted[b.rng.IntN(len(b.deleted))] // a name that is free again, unless another writer was as quick
		}
		return Write{Key: key, Kind: Create, Post: p.name, Born: key}, true
	case within(chanceSame):
		return b.edit(key, Same, p), true
	case within(chanceDelete):
		return b.edit(key, Delete, p), len(b.posts) > maxPosts/2
	case within(chanceState):
		kind := Publish
		if (p.state == posts.Published) == (b.rng.Float64() < 0.8) { // otherwise the post is in that state already
			kind = Unpublish
		}
		return b.edit(key, kind, p), true
	}
	return w, false
}

// edit returns a write of a post from the newest known revision, or from the one before.
func (b *Board) edit(key string, kind Kind, p *card) Write {
	w := Write{Key: key, Kind: kind, Post: p.name, PostID: p.id, Expected: p.revision, Born: p.born}
	if p.revision > 1 && b.rng.Float64() < 0.08 {
		w.Expected-- // as an editor that was open for too long asks
	}
	return w
}

// drawPicture returns the hash of an uploaded picture now and then, and "" otherwise. Several posts
// show the same one.
func (b *Board) drawPicture() string {
	if len(b.pictures) == 0 || b.rng.Float64() > 0.15 {
		return ""
	}
	return b.pictures[b.rng.IntN(len(b.pictures))]
}

// How many done writes, deleted posts and pictures are remembered.
const (
	maxDeleted  = 4
	maxPictures = 6
)

// noteDone notes what an acknowledged write says about a post. p is that post, or nil when nobody
// edits it.
func (b *Board) noteDone(w Write, t Answer, p *card) {
	switch {
	case w.Kind == Upload:
		if b.pictures = append(b.pictures, w.Picture); len(b.pictures) > maxPictures {
			b.pictures = b.pictures[1:]
		}
	case w.Kind == Create && p == nil && !t.Replayed && t.PostID != 0:
		b.posts = append(b.posts, &card{name: w.Post, id: t.PostID, slug: t.Slug, born: w.Key, revision: t.Revision,
			state: t.State})
	case p == nil:
	case w.Kind == Delete:
		b.remove(p)
		if b.deleted = append(b.deleted, p); len(b.deleted) > maxDeleted {
			b.deleted = b.deleted[1:]
		}
	default:
		if t.Revision >= p.revision {
			p.state = t.State
		}
		p.revision, p.conflicts = max(p.revision, t.Revision), 0
	}
}

// Schedule sets whether posts may be scheduled from now on.
func (b *Board) Schedule(yes bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.schedule = yes
}
