package compose

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"time"

	"blog/internal/media"
	"blog/internal/posts"
	"blog/internal/repo"
)

// Write is a write that can be asked for again and again with the same key.
type Write struct {
	Key      string
	Kind     Kind
	Post     string
	PostID   int64
	Expected int64
	Born     string // key of the write that made the post with PostID
	// Variant makes it other content under the same key.
	Variant string
	Picture string    // hash of the picture in the text, or of the upload
	Due     time.Time // of a post that is scheduled
}

// ask returns the ledger's note before the write is sent.
func (w Write) ask() Ask {
	return Ask{
		Key: w.Key, Kind: w.Kind, Post: w.Post, Expected: w.Expected, Born: w.Born, Variant: w.Variant,
		Picture: w.Picture, Due: w.Due,
	}
}

// title returns the title of the post once the write is done. That of a variant names a key that no
// write has.
func (w Write) title() string { return Title(w.Post, w.Expected+1, w.Key+w.Variant) }

// Text returns a post's text: its title and, below it, the picture with this hash unless that is
// "".
func Text(title, picture string) string {
	if picture == "" {
		return title
	}
	return title + "\n\n![](" + media.Address(picture, pictureName) + ")"
}

const pictureName = "storm.png"

// Tag returns the label that the write with this key gives a post. Several writes share one, so
// that labels appear and disappear with their posts, and meet.
func Tag(key string) string {
	const labels = 7
	return fmt.Sprintf("storm-%d", sha256.Sum256([]byte(key))[0]%labels)
}

// command returns the command that is sent. It is not for uploads.
func (w Write) command() repo.Command[posts.Ref] {
	title := w.title()
	text, tags, target := Text(title, w.Picture), []string{Tag(w.Key)}, posts.Target{ID: w.PostID}
	switch w.Kind {
	case Create:
		c := posts.Create{Title: title, Slug: w.Post, Body: text, Tags: tags, Publish: true}
		if !w.Due.IsZero() {
			c.PublishedAt = &w.Due
		}
		return c
	case Publish:
		return posts.Publish{Target: target, Revision: w.Expected}
	case Unpublish:
		return posts.Unpublish{Target: target, Revision: w.Expected}
	case Delete:
		return posts.Delete{Target: target, Revision: w.Expected}
	case Same:
		return posts.Update{Target: target, Revision: w.Expected}
	}
	return posts.Update{Target: target, Revision: w.Expected, Title: &title, Body: &text, Tags: &tags}
}

// send asks c for the write.
func (w Write) send(ctx context.Context, c repo.Writer) Answer {
	if w.Kind == Upload {
		if _, err := media.Upload(ctx, c, Picture(w.Key)); err != nil {
			return ErrorOutcome(err)
		}
		return Answer{Outcome: OK}
	}
	ref, receipt, err := repo.Do(ctx, c, w.command(), repo.WithKey(w.Key))
	if err != nil {
		return ErrorOutcome(err)
	}
	return Answer{
		Outcome: OK, PostID: ref.ID, Slug: ref.Slug, Revision: ref.Revision, State: ref.State, Unchanged: ref.Unchanged,
		Cursor: receipt.Cursor.String(), Seq: receipt.Seq, Replayed: receipt.Replayed, Assurance: receipt.Assurance,
	}
}

// Picture returns the picture of an upload with this key, the same each time: a small one or, for
// one in four, one that is stored in two chunks.
func Picture(key string) []byte {
	seed := sha256.Sum256([]byte(key))
	side := 24
	if seed[0]%4 == 0 {
		side = 300 // noise of 270 KB
	}
	rng := rand.New(rand.NewChaCha8(seed)) // #nosec G404 -- reproducible by its seed
	img := image.NewRGBA(image.Rect(0, 0, side, side))
	for x := range side {
		for y := range side {
			n := rng.Uint32()
			img.SetRGBA(x, y, color.RGBA{uint8(n), uint8(n >> 8), uint8(n >> 16), 255}) // #nosec G115 -- a part of it
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		panic(err) // writing to a buffer does not fail
	}
	return out.Bytes()
}

// PictureHash returns the content hash of the picture of an upload with this key.
func PictureHash(key string) string {
	clean, err := media.Strip(Picture(key))
	if err != nil {
		panic(err) // it is a picture
	}
	return media.Hash(clean)
}
