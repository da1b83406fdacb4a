package posts_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"blog/internal/apperr"
	"blog/internal/markdown"
	"blog/internal/posts"
	"blog/internal/repo"
)

// TestRandomWalk runs commands at random and checks after each that the tables agree with each
// other.
func TestRandomWalk(t *testing.T) {
	w := mustWorld(t)
	walk := randomWalk{w, rand.New(rand.NewPCG(1, 2)), mustUpload(w, 3).Hash}
	for i := range 250 {
		w.clock.Advance(time.Duration(walk.r.IntN(60)) * time.Minute)
		err := walk.step()
		for _, code := range []apperr.Code{apperr.Internal, apperr.Unavailable} {
			if errors.Is(err, code) {
				t.Fatalf("step %d: got %v, want no error of the code %s", i, err, code)
			}
		}
		w.consistent(i)
	}
}

// randomWalk makes commands with random fields. Six posts and seven words make them meet often.
type randomWalk struct {
	w       *world
	r       *rand.Rand
	picture string // content hash
}

func (k randomWalk) word() string {
	words := []string{"alpha", "beta", "gamma", "Ünïcode", "東京", "x-y", "the end"}
	return words[k.r.IntN(len(words))]
}

func (k randomWalk) labels() []string {
	return []string{k.word(), k.word(), k.word()}[:k.r.IntN(4)]
}

func (k randomWalk) body() string {
	text := fmt.Sprintf("%s %s ![](/media/%s/a.png)\n\n## %s\n", k.word(), k.word(), k.picture, k.word())
	return text[k.r.IntN(2)*4:]
}

func (k randomWalk) slug() string { return fmt.Sprint("s", k.r.IntN(6)) }

func (k randomWalk) date() *time.Time {
	return to(k.w.clock.Now().Add(time.Duration(k.r.IntN(5)-2) * time.Hour))
}

func (k randomWalk) yes() bool { return k.r.IntN(2) == 0 }

func (k randomWalk) file() posts.Import {
	return posts.Import{
		Path: "f.md", Raw: []byte(k.word()), Title: k.word(), Slug: k.slug(), Body: k.body(), Tags: k.labels(),
		Force: k.yes(), Draft: k.yes(), Pinned: k.yes(),
		Permalinks: []string{"/p" + fmt.Sprint(k.r.IntN(6))}[:k.r.IntN(2)],
	}
}

// step runs a random command on a random post, which need not exist, and returns its error.
func (k randomWalk) step() error {
	w, on := k.w, posts.Target{ID: int64(1 + k.r.IntN(6))}
	var rev int64
	if p, err := tryView(w, func(rd repo.Reader) (posts.Post, error) { return posts.ByID(w.ctx, rd, on.ID) }); err == nil {
		rev = p.Revision
	}
	var err error
	switch k.r.IntN(10) {
	case 0, 1:
		_, err = try(w, posts.Create{
			Title: k.word(), Body: k.body(), Tags: k.labels(), Publish: k.yes(), PublishedAt: k.date(),
		})
	case 2:
		_, err = try(w, posts.Update{
			Target: on, Revision: rev, Title: to(k.word()), Tags: to(k.labels()), Description: to(k.word()),
		})
	case 3:
		_, err = try(w, posts.Update{
			Target: on, Revision: rev, Body: to(k.body()), Slug: to(k.slug()), Publish: to(k.yes()), PublishedAt: k.date(),
		})
	case 4:
		_, err = try(w, posts.Publish{Target: on, At: k.date()})
	case 5:
		_, err = try(w, posts.Unpublish{Target: on})
	case 6:
		if k.r.IntN(3) == 0 {
			_, err = try(w, posts.Delete{Target: on})
		}
	case 7:
		if k.yes() {
			_, err = try(w, posts.Pin{Target: on})
		} else {
			_, err = try(w, posts.Unpin{Target: on, Revision: rev})
		}
	case 8:
		_, err = try(w, posts.Rerender{ID: on.ID, Version: markdown.Version})
	default:
		_, err = try(w, k.file())
	}
	return err
}

// consistent fails the test when tables contradict each other.
func (w *world) consistent(step int) {
	w.tb.Helper()
	if step%10 == 0 {
		w.checkIndex()
	}
	for what, query := range map[string]string{
		"labels": "SELECT COUNT(*) FROM posts p WHERE labels <> (SELECT json_group_array(t.label ORDER BY " +
			"pt.position) FROM post_tags pt JOIN tags t ON t.id = pt.tag_id WHERE pt.post_id = p.id)",
		"unused tags":    "SELECT COUNT(*) FROM tags WHERE id NOT IN (SELECT tag_id FROM post_tags)",
		"own old slugs":  "SELECT COUNT(*) FROM old_slugs o JOIN posts p ON p.id = o.post_id AND p.slug = o.slug",
		"lost rows":      "SELECT COUNT(*) FROM pragma_foreign_key_check",
		"overdue drafts": "SELECT COUNT(*) FROM posts WHERE state <> 'draft' AND published_at IS NULL",
		"imports ahead":  "SELECT COUNT(*) FROM imports i JOIN posts p ON p.id = i.post_id AND i.revision > p.revision",
		"unnamed pictures": "SELECT COUNT(*) FROM posts p WHERE (instr(html, '<img') > 0) <> EXISTS (SELECT 1 FROM " +
			"post_media WHERE post_id = p.id)",
	} {
		if n := w.count(query); n != 0 {
			w.tb.Fatalf("after step %d: %d of %s, want 0", step, n, what)
		}
	}
}
