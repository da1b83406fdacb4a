package posts_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/markdown"
	"blog/internal/media"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
	"blog/internal/tags"
)

// states are the states of a post before and after a command.
var states = []posts.State{posts.Draft, posts.Scheduled, posts.Published}

// in makes a post in this state with this slug and the tags a and b.
func (w *world) in(state posts.State, slug string) posts.Ref {
	w.tb.Helper()
	c := posts.Create{Title: "T", Slug: slug, Body: "text", Tags: []string{"a", "b"}, Publish: state != posts.Draft}
	if state == posts.Scheduled {
		c.PublishedAt = to(w.clock.Now().Add(time.Hour))
	}
	ref := must(w, c)
	if ref.State != state {
		w.tb.Fatalf("got %+v, want the state %s", ref, state)
	}
	return ref
}

// seen returns the topics of a visible post with these labels.
func seen(id int64, slug string, labels ...string) []string {
	out := []string{fmt.Sprintf("posts %d", id), "post:" + slug}
	for _, l := range labels {
		out = append(out, fmt.Sprintf("tag:%s %d", l, id))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// change is a command on an existing post.
type change struct {
	run   func(ref posts.Ref) error
	after map[posts.State]posts.State // state afterwards by state before; without an entry the state stays
	extra func(id int64, slug string) []string
	// listsOnly is true when the post's own page does not change.
	listsOnly bool
}

func changes(w *world) map[string]change {
	return map[string]change{
		"text": {run: func(ref posts.Ref) error {
			_, err := try(w, posts.Update{Target: posts.Target{ID: ref.ID}, Revision: ref.Revision, Body: to("new")})
			return err
		}},
		"slug": {run: func(ref posts.Ref) error {
			_, err := try(w, posts.Update{Target: posts.Target{ID: ref.ID}, Revision: ref.Revision, Slug: to(ref.Slug + "-new")})
			return err
		}, extra: func(_ int64, slug string) []string { return []string{"post:" + slug + "-new"} }},
		"tags": {run: func(ref posts.Ref) error {
			_, err := try(w, posts.Update{
				Target: posts.Target{ID: ref.ID}, Revision: ref.Revision, Tags: to([]string{"b", "c"}),
			})
			return err
		}, extra: func(id int64, _ string) []string { return []string{fmt.Sprintf("tag:c %d", id)} }},
		"publish": {run: func(ref posts.Ref) error {
			_, err := try(w, posts.Publish{Target: posts.Target{ID: ref.ID}, At: to(w.clock.Now().Add(-time.Hour))})
			return err
		}, after: map[posts.State]posts.State{posts.Draft: posts.Published, posts.Scheduled: posts.Published}},
		"schedule": {run: func(ref posts.Ref) error {
			_, err := try(w, posts.Publish{Target: posts.Target{ID: ref.ID}, At: to(w.clock.Now().Add(2 * time.Hour))})
			return err
		}, after: map[posts.State]posts.State{posts.Draft: posts.Scheduled, posts.Published: posts.Scheduled}},
		"unpublish": {run: func(ref posts.Ref) error {
			_, err := try(w, posts.Unpublish{Target: posts.Target{ID: ref.ID}})
			return err
		}, after: map[posts.State]posts.State{posts.Scheduled: posts.Draft, posts.Published: posts.Draft}},
		"pin": {run: func(ref posts.Ref) error {
			_, err := try(w, posts.Pin{Target: posts.Target{ID: ref.ID}})
			return err
		}, listsOnly: true},
		"delete": {run: func(ref posts.Ref) error {
			_, err := try(w, posts.Delete{Target: posts.Target{ID: ref.ID}})
			return err
		}},
		"render again": {run: func(ref posts.Ref) error {
			_, err := try(w, posts.Rerender{ID: ref.ID, Version: markdown.Version})
			return err
		}},
		"import": {run: func(ref posts.Ref) error {
			_, err := try(w, posts.Import{
				Path: "x.md", Title: "New", Slug: ref.Slug, Body: "new", Tags: []string{"a", "b"}, Force: true,
			})
			return err
		}, after: map[posts.State]posts.State{posts.Draft: posts.Published}},
	}
}

func TestTopicsTouched(t *testing.T) {
	w := mustWorld(t)
	n := 0
	for _, before := range states {
		for name, s := range changes(w) {
			n++
			slug := fmt.Sprintf("p%d", n)
			ref := w.in(before, slug)
			after, differs := s.after[before]
			if !differs {
				after = before
			}
			var want []string
			if before == posts.Published || after == posts.Published {
				want = seen(ref.ID, slug, "a", "b")
			}
			if s.extra != nil && want != nil {
				want = append(want, s.extra(ref.ID, slug)...)
				slices.Sort(want)
			}
			if s.listsOnly {
				want = slices.DeleteFunc(want, func(topic string) bool { return topic == "post:"+slug })
			}
			rows := w.rows()
			if err := s.run(ref); err != nil {
				t.Errorf("%s of %s: %v", name, before, err)
				continue
			}
			if before == posts.Draft && name == "unpublish" {
				w.wantRows("unpublishing a draft", rows)
				continue
			}
			if got := w.touched(); !slices.Equal(got, want) {
				t.Errorf("%s of %s touches %v, want %v", name, before, got, want)
			}
		}
	}
}

func TestTopicsTouchedByNewPosts(t *testing.T) {
	w := mustWorld(t)
	for _, state := range states {
		ref := w.in(state, "new-"+string(state))
		var want []string
		if state == posts.Published {
			want = seen(ref.ID, ref.Slug, "a", "b")
		}
		if got := w.touched(); !slices.Equal(got, want) {
			t.Errorf("a new one, %s, touches %v, want %v", state, got, want)
		}
	}
}

func TestTopicsTouchedByARelease(t *testing.T) {
	w := mustWorld(t)
	due := w.in(posts.Scheduled, "due")
	w.clock.Advance(time.Hour)
	at := w.post(due.ID).PublishedAt
	if _, err := repo.Write(repotest.As(t.Context(), repo.System), w.replica,
		posts.Release{ID: due.ID, Due: at}); err != nil {
		t.Fatal(err)
	}
	if got, want := w.touched(), seen(due.ID, "due", "a", "b"); !slices.Equal(got, want) {
		t.Errorf("a release touches %v, want %v", got, want)
	}
}

// canary makes a post, renames it once, and returns it with the hash of its picture. Each part of
// the post has word with a suffix of its own.
func (w *world) canary(word string, n int) (posts.Ref, string) {
	w.tb.Helper()
	pic, err := media.Upload(w.ctx, w.replica, mustPNG(w.tb, n))
	if err != nil {
		w.tb.Fatal(err)
	}
	ref := must(w, posts.Create{
		Title: "Title " + word + "title", Slug: word + "old", Description: word + "description", Tags: []string{word + "tag"},
		Body:       "Text " + word + "body ![" + word + "alt](" + media.Address(pic.Hash, word+".png") + ") 東京" + word,
		Permalinks: []string{"/" + word + "link"}, Publish: true,
	})
	ref = must(w, posts.Update{Target: posts.Target{ID: ref.ID}, Revision: ref.Revision, Slug: to(word + "slug")})
	return ref, pic.Hash
}

func TestNothingHiddenIsRead(t *testing.T) {
	w := mustWorld(t)
	later := to(w.clock.Now().Add(time.Hour))
	hidden := map[string]string{}
	ref, hidden1 := w.canary("visiblecanary", 10)
	if ref.State != posts.Published {
		t.Fatalf("got %+v, want the state %s", ref, posts.Published)
	}
	for i, h := range []struct {
		word string
		hide func(ref posts.Ref)
	}{
		{"draftcanary", func(ref posts.Ref) {
			must(w, posts.Update{Target: posts.Target{ID: ref.ID}, Revision: ref.Revision, Publish: to(false), ClearDate: true})
		}},
		{"scheduledcanary", func(ref posts.Ref) { must(w, posts.Publish{Target: posts.Target{ID: ref.ID}, At: later}) }},
		{"unpublishedcanary", func(ref posts.Ref) { must(w, posts.Unpublish{Target: posts.Target{ID: ref.ID}}) }},
		{"deletedcanary", func(ref posts.Ref) { must(w, posts.Delete{Target: posts.Target{ID: ref.ID}}) }},
	} {
		ref, hash := w.canary(h.word, 20+i)
		ref = must(w, posts.Pin{Target: posts.Target{ID: ref.ID}})
		h.hide(ref)
		hidden[h.word] = hash
	}
	answers := view(w, func(rd repo.Reader) (string, error) {
		return everything(w.ctx, rd, append(keys(hidden), "visiblecanary", "東京"))
	})
	for word := range hidden {
		if strings.Contains(answers, word) {
			t.Errorf("got %s, want no %s in it", answers, word)
		}
	}
	for _, part := range []string{"title", "slug", "description", "tag", "body"} {
		if !strings.Contains(answers, "visiblecanary"+part) {
			t.Errorf("got %s, want visiblecanary%s in it", answers, part)
		}
	}
	for word, hash := range hidden {
		public := view(w, func(rd repo.Reader) (bool, error) { return media.Public(w.ctx, rd, hash) })
		if public {
			t.Errorf("the picture of %s is public, want it hidden", word)
		}
		// The picture of a deleted post stays too, for a day.
		if _, err := tryView(w, func(rd repo.Reader) (media.Picture, error) {
			return media.Lookup(w.ctx, rd, hash)
		}); err != nil {
			t.Errorf("the picture of %s: got the error %v, want none", word, err)
		}
	}
	if !view(w, func(rd repo.Reader) (bool, error) { return media.Public(w.ctx, rd, hidden1) }) {
		t.Error("the picture of visiblecanary is hidden, want it public")
	}
}

func keys(m map[string]string) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	return out
}

// everything returns the answers of all queries for readers, also asked with the words, but without
// the addresses that were asked for.
func everything(ctx context.Context, rd repo.Reader, words []string) (string, error) {
	var b strings.Builder
	list, total, err := posts.List(ctx, rd, posts.Filter{})
	if err != nil {
		return "", err
	}
	first, n, err := posts.List(ctx, rd, posts.Filter{PinnedFirst: true})
	if err != nil {
		return "", err
	}
	full, err := posts.Full(ctx, rd, 100)
	if err != nil {
		return "", err
	}
	visible, err := tags.Visible(ctx, rd)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&b, "%+v %d\n%+v %d\n%+v\n%+v\n", list, total, first, n, full, visible)
	for i, word := range words {
		for _, part := range []string{"", "title", "description", "tag", "body", "alt", "old", "slug", "*"} {
			r, err := posts.Search(ctx, rd, word+part, 1)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&b, "search %d%s: %+v\n", i, part, r)
		}
		tagged, n, err := posts.List(ctx, rd, posts.Filter{Labels: []string{word + "tag"}})
		fmt.Fprintf(&b, "tag %d: %+v %d %v\n", i, tagged, n, err)
		slug, err := posts.Moved(ctx, rd, word+"old")
		fmt.Fprintf(&b, "moved %d: %s %v\n", i, slug, err)
		slug, err = posts.Permalink(ctx, rd, "/"+word+"link")
		fmt.Fprintf(&b, "permalink %d: %s %v\n", i, slug, err)
	}
	for id := range int64(9) {
		c, err := posts.VisibleCard(ctx, rd, id)
		fmt.Fprintf(&b, "card %d: %+v %v\n", id, c, err)
		if err != nil {
			continue
		}
		newer, older, err := posts.Neighbours(ctx, rd, c)
		fmt.Fprintf(&b, "beside %d: %+v %+v %v\n", id, newer, older, err)
	}
	return b.String(), nil
}

func TestLists(t *testing.T) {
	w := mustWorld(t)
	now := w.clock.Now()
	for i, at := range []time.Duration{0, -time.Hour, -time.Hour, -2 * time.Hour} {
		labels := []string{"all", fmt.Sprintf("n%d", i)}
		must(w, posts.Create{Title: fmt.Sprintf("P%d", i), Tags: labels, Publish: true, PublishedAt: to(now.Add(at))})
	}
	must(w, posts.Create{Title: "Draft", Tags: []string{"all"}})
	must(w, posts.Create{Title: "Scheduled", Publish: true, PublishedAt: to(now.Add(time.Hour))})
	for _, c := range []struct {
		filter posts.Filter
		want   string
		total  int
	}{
		{posts.Filter{}, "P0 P2 P1 P3", 4},
		{posts.Filter{Limit: 2}, "P0 P2", 4},
		{posts.Filter{Limit: 2, Offset: 2}, "P1 P3", 4},
		{posts.Filter{Limit: 2, Offset: 9}, "", 4},
		{posts.Filter{Offset: -5}, "P0 P2 P1 P3", 4},
		{posts.Filter{Labels: []string{"n1", "n3"}}, "P1 P3", 2},
		{posts.Filter{Labels: []string{"all", "n3"}, Limit: 1}, "P0", 4},
		{posts.Filter{Labels: []string{"none"}}, "", 0},
		{posts.Filter{Labels: []string{"' OR 1=1 --", "\"]"}}, "", 0},
		{posts.Filter{Hidden: true}, "Scheduled Draft P0 P2 P1 P3", 6},
		{posts.Filter{Hidden: true, Labels: []string{"all"}}, "Draft P0 P2 P1 P3", 5},
	} {
		got := view(w, func(rd repo.Reader) (string, error) {
			list, total, err := posts.List(w.ctx, rd, c.filter)
			if total != c.total {
				t.Errorf("%+v: got %d in all, want %d", c.filter, total, c.total)
			}
			var titles []string
			for _, c := range list {
				titles = append(titles, c.Title)
			}
			return strings.Join(titles, " "), err
		})
		if got != c.want {
			t.Errorf("%+v: got %s, want %s", c.filter, got, c.want)
		}
	}
	mid := w.post(3).Card
	type pair struct{ newer, older *posts.Card }
	got := view(w, func(rd repo.Reader) (p pair, err error) {
		p.newer, p.older, err = posts.Neighbours(w.ctx, rd, mid)
		return p, err
	})
	if got.newer.Title != "P0" {
		t.Errorf("the newer one beside P2 is %s, want P0", got.newer.Title)
	}
	if got.older.Title != "P1" {
		t.Errorf("the older one beside P2 is %s, want P1", got.older.Title)
	}
	all := view(w, func(rd repo.Reader) ([]tags.Tag, error) { return tags.All(w.ctx, rd) })
	shown := view(w, func(rd repo.Reader) ([]tags.Tag, error) { return tags.Visible(w.ctx, rd) })
	want := []tags.Tag{
		{Label: "all", Count: 4}, {Label: "n0", Count: 1}, {Label: "n1", Count: 1}, {Label: "n2", Count: 1},
		{Label: "n3", Count: 1},
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("all tags (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("tags that readers see (-want +got):\n%s", diff)
	}
}
