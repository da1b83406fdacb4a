package posts_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"blog/internal/apperr"
	"blog/internal/media"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// releaseBefore does to pictures what the commands of the release before do. A node of that release
// may be primary while this release runs on others.
type releaseBefore struct {
	Do   string `json:"do"`
	Post int64  `json:"post,omitempty"`
	Hash string `json:"hash,omitempty"`
}

func (releaseBefore) Name() string { return "test.before" }

func (b releaseBefore) Apply(ctx context.Context, tx *repo.Tx) (string, error) {
	now := tx.Now()
	run := func(query string, args ...any) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	}
	switch b.Do {
	case "delete": // of a draft, which is not in the index
		var pictures string
		err := tx.QueryRowContext(ctx, "SELECT COALESCE(group_concat(hash, ' '), '') FROM post_media WHERE post_id = ?",
			b.Post).Scan(&pictures)
		if err != nil {
			return "", err
		}
		if err := run("DELETE FROM posts WHERE id = ?", b.Post); err != nil {
			return "", err
		}
		for _, hash := range strings.Fields(pictures) {
			if err := run("DELETE FROM media WHERE hash = ?1 AND NOT EXISTS (SELECT 1 FROM post_media WHERE hash = ?1)",
				hash); err != nil {
				return "", err
			}
		}
	case "upload": // of a picture that is stored already
		return "", run(`
			UPDATE media SET added_at = ?
			WHERE hash = ? AND added_at < ? AND NOT EXISTS (SELECT 1 FROM post_media pm WHERE pm.hash = media.hash)`,
			repo.FormatTime(now), b.Hash, repo.FormatTime(now.Add(-time.Hour)))
	case "sweep":
		return "",
			run("DELETE FROM media AS m WHERE m.hash = ? AND m.added_at < ? AND NOT EXISTS (SELECT 1 FROM post_media pm WHERE "+
				"pm.hash = m.hash)",
				b.Hash, repo.FormatTime(now.Add(-24*time.Hour)))
	}
	return "", nil
}

// sweep runs the command for each stored picture.
func (w *world) sweep() {
	w.tb.Helper()
	hashes := view(w, func(rd repo.Reader) (s string, err error) {
		err = rd.QueryRowContext(w.ctx, "SELECT COALESCE(group_concat(hash, ' '), '') FROM media").Scan(&s)
		return s, err
	})
	for _, hash := range strings.Fields(hashes) {
		if _, err := repo.Write(repotest.As(w.tb.Context(), repo.System), w.primary, media.Sweep{Hash: hash}); err != nil {
			w.tb.Fatal(err)
		}
	}
}

// album is the model of the walk: when each picture was last used or uploaded, and which pictures
// each post shows.
type album struct {
	w        *world
	r        *rand.Rand
	pictures []album1
	shown    map[int64][]int // numbers of pictures by post
	revision map[int64]int64
}

type album1 struct {
	hash string
	last time.Time // zero when never
}

func (a *album) used(n int) { a.pictures[n].last = a.w.clock.Now() }

// mustLive reports whether picture n has to be stored.
func (a *album) mustLive(n int) bool {
	for _, list := range a.shown {
		for _, m := range list {
			if m == n {
				return true
			}
		}
	}
	return a.w.clock.Now().Sub(a.pictures[n].last) < 24*time.Hour
}

func (a *album) upload() {
	n := a.r.IntN(len(a.pictures))
	a.pictures[n].hash = mustUpload(a.w, n+3).Hash
	a.used(n)
}

// text returns a body that names some pictures, and their numbers.
func (a *album) text() (body string, named []int) {
	for n, p := range a.pictures {
		if p.hash != "" && a.r.IntN(3) == 0 {
			body += "![alt](" + media.Address(p.hash, "a.png") + ")\n"
			named = append(named, n)
		}
	}
	return body + fmt.Sprint(a.r.Uint32()), named
}

// post returns the id of an existing post, or 0 when there is none.
func (a *album) post() int64 {
	ids := slices.Sorted(maps.Keys(a.shown))
	if len(ids) == 0 {
		return 0
	}
	return ids[a.r.IntN(len(ids))]
}

// saved checks that the post shows the pictures that were stored when it was saved, and notes them.
func (a *album) saved(step int, ref posts.Ref, named []int) {
	a.w.tb.Helper()
	html := a.w.post(ref.ID).HTML
	var shown []int
	for _, n := range named {
		has := strings.Contains(html, a.pictures[n].hash)
		noted := a.w.count("SELECT COUNT(*) FROM post_media WHERE post_id = ? AND hash = ?", ref.ID, a.pictures[n].hash) == 1
		if noted != has {
			a.w.tb.Fatalf("step %d: picture %d in post_media is %v, want %v, as in the page", step, n, noted, has)
		}
		if a.mustLive(n) && !has {
			a.w.tb.Fatalf("step %d: picture %d in the page is %v, want true", step, n, has)
		}
		if has {
			shown = append(shown, n)
		}
	}
	for _, n := range append(shown, a.shown[ref.ID]...) {
		a.used(n)
	}
	a.shown[ref.ID], a.revision[ref.ID] = shown, ref.Revision
}

func (a *album) dropped(id int64) {
	for _, n := range a.shown[id] {
		a.used(n)
	}
	delete(a.shown, id)
}

// meanwhile runs what another author does between Prepare and Apply of a save.
func (a *album) meanwhile() {
	if a.r.IntN(2) == 0 {
		a.w.clock.Advance(time.Duration(a.r.IntN(30)) * time.Hour)
	}
	if other := a.post(); other != 0 && a.r.IntN(2) == 0 && len(a.shown) > 1 {
		if _, err := try(a.w, posts.Delete{Target: posts.Target{ID: other}}); err != nil {
			a.w.tb.Fatal(err)
		}
		a.dropped(other)
	}
	a.w.sweep()
}

func (a *album) step(step int) {
	w := a.w
	switch a.r.IntN(9) {
	case 0, 1:
		a.upload()
	case 2:
		body, named := a.text()
		a.saved(step, must(w, posts.Create{Title: "T", Body: body}), named)
	case 3, 4:
		id := a.post()
		if id == 0 {
			return
		}
		body, named := a.text()
		cmd := posts.Update{Target: posts.Target{ID: id}, Revision: a.revision[id], Body: &body}
		ref, err := repo.Write(hook(w.ctx, sync.OnceFunc(a.meanwhile)), w.primary, late[posts.Update]{cmd})
		switch {
		case err == nil:
			a.saved(step, ref, named)
		case apperr.From(err).Code != apperr.NotFound: // deleted meanwhile
			w.tb.Fatalf("step %d: %v", step, err)
		}
	case 5:
		if id := a.post(); id != 0 {
			must(w, posts.Delete{Target: posts.Target{ID: id}})
			a.dropped(id)
		}
	case 6:
		w.clock.Advance(time.Duration(a.r.IntN(20)) * time.Hour)
		w.sweep()
	case 7:
		if id := a.post(); id != 0 {
			must(w, releaseBefore{Do: "delete", Post: id})
			a.dropped(id)
		}
	default:
		n := a.r.IntN(len(a.pictures))
		must(w, releaseBefore{Do: "sweep", Hash: a.pictures[n].hash})
		if a.mustLive(n) {
			must(w, releaseBefore{Do: "upload", Hash: a.pictures[n].hash})
			a.used(n)
		}
	}
}

// TestPicturesStayADay walks at random through uploads, saves, deletions and sweeps of this release
// and the one before, also between Prepare and Apply of a save. A picture that a post shows, or
// that was used or uploaded within a day, is stored; a picture that nothing needs is removed in the
// end.
func TestPicturesStayADay(t *testing.T) {
	w := mustWorld(t)
	a := &album{
		w: w, r: rand.New(rand.NewPCG(7, 8)), pictures: make([]album1, 5), shown: map[int64][]int{},
		revision: map[int64]int64{},
	}
	for i := range 250 {
		a.step(i)
		for n, p := range a.pictures {
			whole := w.count("SELECT COUNT(*) FROM media m JOIN media_chunks c ON c.hash = m.hash WHERE m.hash = ? AND "+
				"m.complete = 1", p.hash) == 1
			if a.mustLive(n) && !whole {
				t.Fatalf("step %d: picture %d is gone, want it stored", i, n)
			}
		}
		w.consistent(i)
	}
	for id := range a.shown {
		must(w, posts.Delete{Target: posts.Target{ID: id}})
	}
	for range 2 { // the first sweep notes the present time for pictures without a last use
		w.clock.Advance(26 * time.Hour)
		w.sweep()
	}
	if n := w.count("SELECT COUNT(*) FROM media"); n != 0 {
		t.Errorf("%d pictures are left that nobody uses, want 0", n)
	}
}
