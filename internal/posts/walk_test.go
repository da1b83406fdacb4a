package posts_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"blog/internal/posts"
	"blog/internal/repo"
)

// TestRandomWalk runs commands at random and looks, after each, whether the
// tables agree with each other.
func TestRandomWalk(t *testing.T) {
	w := mustWorld(t)
	pic := mustUpload(w, 3)
	r := rand.New(rand.NewPCG(1, 2))
	words := []string{"alpha", "beta", "gamma", "Ünïcode", "東京", "x-y", "the end"}
	word := func() string { return words[r.IntN(len(words))] }
	labels := func() []string { return []string{word(), word(), word()}[:r.IntN(4)] }
	body := func() string {
		return fmt.Sprintf("%s %s ![](/media/%s/a.png)\n\n## %s\n", word(), word(), pic.Hash, word())[r.IntN(2)*4:]
	}
	date := func() *time.Time { return to(w.clock.Now().Add(time.Duration(r.IntN(5)-2) * time.Hour)) }
	target := func() posts.Target { return posts.Target{ID: int64(1 + r.IntN(6))} }
	file := func() posts.Import {
		return posts.Import{Path: "f.md", Raw: []byte(word()), Title: word(), Slug: fmt.Sprint("s", r.IntN(6)), Body: body(), Tags: labels(), Force: r.IntN(2) == 0, Draft: r.IntN(2) == 0, Permalinks: []string{"/p" + fmt.Sprint(r.IntN(6))}[:r.IntN(2)]}
	}
	for i := range 250 {
		w.clock.Advance(time.Duration(r.IntN(60)) * time.Minute)
		on := target()
		var rev int64
		if p, err := tryView(w, func(rd repo.Reader) (posts.Post, error) { return posts.ByID(w.ctx, rd, on.ID) }); err == nil {
			rev = p.Revision
		}
		var err error
		switch r.IntN(9) {
		case 0, 1:
			_, err = try(w, posts.Create{Title: word(), Body: body(), Tags: labels(), Publish: r.IntN(2) == 0, PublishedAt: date()})
		case 2:
			_, err = try(w, posts.Update{Target: on, Revision: rev, Title: to(word()), Tags: to(labels()), Description: to(word())})
		case 3:
			_, err = try(w, posts.Update{Target: on, Revision: rev, Body: to(body()), Slug: to(fmt.Sprint("s", r.IntN(6))), Publish: to(r.IntN(2) == 0), PublishedAt: date()})
		case 4:
			_, err = try(w, posts.Publish{Target: on, At: date()})
		case 5:
			_, err = try(w, posts.Unpublish{Target: on})
		case 6:
			if r.IntN(3) == 0 {
				_, err = try(w, posts.Delete{Target: on})
			}
		case 7:
			_, err = try(w, posts.Rerender{ID: on.ID, Version: 1})
		default:
			_, err = try(w, file())
		}
		if errors.Is(err, repo.Internal) || errors.Is(err, repo.Unavailable) {
			t.Fatalf("step %d: %v", i, err)
		}
		w.consistent(i)
	}
}

// consistent fails where tables contradict each other.
func (w *world) consistent(step int) {
	w.tb.Helper()
	if step%10 == 0 {
		w.checkIndex()
	}
	for what, query := range map[string]string{
		"labels":           "SELECT COUNT(*) FROM posts p WHERE labels <> (SELECT json_group_array(t.label ORDER BY pt.position) FROM post_tags pt JOIN tags t ON t.id = pt.tag_id WHERE pt.post_id = p.id)",
		"unused tags":      "SELECT COUNT(*) FROM tags WHERE id NOT IN (SELECT tag_id FROM post_tags)",
		"own old slugs":    "SELECT COUNT(*) FROM old_slugs o JOIN posts p ON p.id = o.post_id AND p.slug = o.slug",
		"lost rows":        "SELECT COUNT(*) FROM pragma_foreign_key_check",
		"overdue drafts":   "SELECT COUNT(*) FROM posts WHERE state <> 'draft' AND published_at IS NULL",
		"imports ahead":    "SELECT COUNT(*) FROM imports i JOIN posts p ON p.id = i.post_id AND i.revision > p.revision",
		"unnamed pictures": "SELECT COUNT(*) FROM posts p WHERE (instr(html, '<img') > 0) <> EXISTS (SELECT 1 FROM post_media WHERE post_id = p.id)",
	} {
		if n := w.count(query); n != 0 {
			w.tb.Fatalf("after step %d: %d of %s", step, n, what)
		}
	}
}
