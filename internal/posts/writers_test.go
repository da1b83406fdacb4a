package posts_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"blog/internal/apperr"
	"blog/internal/posts"
	"blog/internal/repo"
)

// TestManyWritersAtOnce: writes that share transactions, many of them refused or undone in the
// middle, leave tables and search index that agree with each other.
func TestManyWritersAtOnce(t *testing.T) {
	w := mustDeleteMode(t)
	const writers, rounds = 12, 15
	var mu sync.Mutex
	acknowledged := map[int64]string{} // title by id, of posts that only one writer changes
	check := func(id int64, title string, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			acknowledged[id] = title
		}
	}
	var wait sync.WaitGroup
	for n := range uint64(writers) {
		wait.Go(func() {
			r := rand.New(rand.NewPCG(n, 3))
			var ref posts.Ref
			for i := range rounds {
				title := fmt.Sprintf("Writer %d, round %d", n, i)
				var err error
				switch r.IntN(6) {
				case 0, 1:
					ref, err = try(w, posts.Create{Title: title, Body: prose(n, 2000), Tags: []string{"shared"}, Publish: true})
					check(ref.ID, title, err)
				case 2: // all writers want this address, and one gets it
					_, err = try(w, posts.Create{Title: title, Slug: "wanted", Publish: true})
				case 3: // an older revision
					_, err = try(w, posts.Update{Target: posts.Target{ID: ref.ID}, Revision: ref.Revision + 1, Title: to(title)})
				case 4:
					_, err = try(w, posts.Create{Title: "", Body: "no title"})
				default:
					if ref.ID == 0 {
						continue
					}
					var next posts.Ref
					if next, err = try(w, posts.Update{
						Target: posts.Target{ID: ref.ID}, Revision: ref.Revision, Title: to(title),
					}); err == nil {
						ref = next
					}
					check(ref.ID, title, err)
				}
				for _, code := range []apperr.Code{apperr.Internal, apperr.Unavailable} {
					if errors.Is(err, code) {
						t.Errorf("writer %d, round %d: got %v, want no error of the code %s", n, i, err, code)
					}
				}
			}
		})
	}
	wait.Wait()
	w.consistent(0)
	for id, title := range acknowledged {
		post := view(w, func(rd repo.Reader) (posts.Post, error) { return posts.ByID(w.ctx, rd, id) })
		if post.Title != title {
			t.Errorf("post %d is called %q, want %q", id, post.Title, title)
		}
	}
	if n := w.count("SELECT COUNT(*) FROM posts WHERE slug = 'wanted'"); n != 1 {
		t.Errorf("%d posts have the address that everybody wanted, want 1", n)
	}
}
