package posts_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"blog/internal/posts"
	"blog/internal/repo"
)

// TestManyWritersAtOnce: writes that share transactions, many of them refused or undone in the middle, leave tables
// and index that agree with each other.
func TestManyWritersAtOnce(t *testing.T) {
	w := mustDeleteMode(t)
	const writers, rounds = 12, 15
	var mu sync.Mutex
	acknowledged := map[int64]string{} // title by id, of posts that one writer has and nobody else changes
	told := func(id int64, title string, err error) {
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
			var own posts.Ref
			for i := range rounds {
				title := fmt.Sprintf("Writer %d, round %d", n, i)
				var err error
				switch r.IntN(6) {
				case 0, 1:
					own, err = try(w, posts.Create{Title: title, Body: prose(n, 2000), Tags: []string{"shared"}, Publish: true})
					told(own.ID, title, err)
				case 2: // everybody wants this address, and one gets it
					_, err = try(w, posts.Create{Title: title, Slug: "wanted", Publish: true})
				case 3: // an older revision
					_, err = try(w, posts.Update{Target: posts.Target{ID: own.ID}, Revision: own.Revision + 1, Title: to(title)})
				case 4:
					_, err = try(w, posts.Create{Title: "", Body: "no title"})
				default:
					if own.ID == 0 {
						continue
					}
					var next posts.Ref
					if next, err = try(w, posts.Update{Target: posts.Target{ID: own.ID}, Revision: own.Revision, Title: to(title)}); err == nil {
						own = next
					}
					told(own.ID, title, err)
				}
				if errors.Is(err, repo.Internal) || errors.Is(err, repo.Unavailable) {
					t.Errorf("writer %d, round %d: %v", n, i, err)
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
