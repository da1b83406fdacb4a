package posts_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"blog/internal/apperr"
	"blog/internal/posts"
	"blog/internal/repo"
)

// titles returns the titles of a list in its order, with a star behind pinned ones.
func (w *world) titles(f posts.Filter) string {
	w.tb.Helper()
	return view(w, func(rd repo.Reader) (string, error) {
		list, _, err := posts.List(w.ctx, rd, f)
		out := make([]string, len(list))
		for i, c := range list {
			out[i] = c.Title
			if c.Pinned != 0 {
				out[i] += "*"
			}
		}
		return strings.Join(out, " "), err
	})
}

// dated makes the posts P0 (the newest) to Pn-1, an hour apart, with the tag all and the tags even
// or odd.
func (w *world) dated(n int) []posts.Target {
	w.tb.Helper()
	var out []posts.Target
	for i := range n {
		ref := must(w, posts.Create{
			Title: fmt.Sprintf("P%d", i), Tags: []string{"all", []string{"even", "odd"}[i%2]}, Publish: true,
			PublishedAt: to(w.clock.Now().Add(-time.Duration(i) * time.Hour)),
		})
		out = append(out, posts.Target{ID: ref.ID})
	}
	return out
}

func TestPinAndUnpin(t *testing.T) {
	w := mustWorld(t)
	p := w.dated(4)
	w.clock.Advance(time.Hour)
	before := w.post(p[2].ID)
	ref := must(w, posts.Pin{Target: p[2], Revision: 1})
	if want := (posts.Ref{ID: p[2].ID, Slug: "p2", State: posts.Published, Revision: 1}); ref != want {
		t.Errorf("got %+v, want %+v", ref, want)
	}
	id := fmt.Sprint(p[2].ID)
	if got, want := w.touched(), []string{"posts " + id, "tag:all " + id, "tag:even " + id}; !slices.Equal(got, want) {
		t.Errorf("touched %v, want %v", got, want)
	}
	after := w.post(p[2].ID)
	if after.Pinned == 0 {
		t.Errorf("got the pin %d, want another number", after.Pinned)
	}
	if !after.UpdatedAt.Equal(before.UpdatedAt) {
		t.Errorf("last updated %v, want %v", after.UpdatedAt, before.UpdatedAt)
	}
	rows := w.rows()
	if again, want := must(w, posts.Pin{Target: p[2]}), unchanged(ref); again != want {
		t.Errorf("twice: got %+v, want %+v", again, want)
	}
	w.wantRows("twice", rows)
	must(w, posts.Pin{Target: p[3]})
	must(w, posts.Pin{Target: p[0]})
	must(w, posts.Pin{Target: p[2]}) // stays where it is
	for _, c := range []struct {
		filter posts.Filter
		want   string
	}{
		{posts.Filter{PinnedFirst: true}, "P0* P3* P2* P1"},
		{posts.Filter{PinnedFirst: true, Labels: []string{"even"}}, "P0* P2*"},
		{posts.Filter{PinnedFirst: true, Labels: []string{"odd"}}, "P3* P1"},
		{posts.Filter{}, "P0* P1 P2* P3*"},
		{posts.Filter{Hidden: true}, "P0* P1 P2* P3*"},
	} {
		if got := w.titles(c.filter); got != c.want {
			t.Errorf("%+v: %s, want %s", c.filter, got, c.want)
		}
	}
	unpinned := posts.Ref{ID: p[3].ID, Slug: "p3", State: posts.Published, Revision: 1}
	if got := must(w, posts.Unpin{Target: p[3], Revision: 1}); got != unpinned {
		t.Errorf("unpinned: got %+v, want %+v", got, unpinned)
	}
	if got, want := must(w, posts.Unpin{Target: p[3]}), unchanged(unpinned); got != want {
		t.Errorf("unpinned twice: got %+v, want %+v", got, want)
	}
	must(w, posts.Unpin{Target: p[2]})
	must(w, posts.Pin{Target: p[2]})
	if got, want := w.titles(posts.Filter{PinnedFirst: true}), "P2* P0* P1 P3"; got != want {
		t.Errorf("pinned once more: got %s, want %s", got, want)
	}
}

func TestPinRefuses(t *testing.T) {
	w := mustWorld(t)
	target := w.dated(1)[0]
	for name, run := range map[string]func(t posts.Target, revision int64) error{
		"pin": func(on posts.Target, revision int64) error {
			_, err := try(w, posts.Pin{Target: on, Revision: revision})
			return err
		},
		"unpin": func(on posts.Target, revision int64) error {
			_, err := try(w, posts.Unpin{Target: on, Revision: revision})
			return err
		},
	} {
		rows := w.rows()
		if err := run(posts.Target{Post: "nowhere"}, 0); !errors.Is(err, apperr.NotFound) {
			t.Errorf("%s of no post: got %v, want %v", name, err, apperr.NotFound)
		}
		if err := run(target, 9); !apperr.HasReason(err, posts.RevisionMismatch) {
			t.Errorf("%s of another revision: got %v, want the reason %s", name, err, posts.RevisionMismatch)
		}
		w.wantRows(name+" refused", rows)
	}
}

// TestAPinIsNoEdit: an author who has the post open saves it as usual after a pin, and the pin
// stays.
func TestAPinIsNoEdit(t *testing.T) {
	w := mustWorld(t)
	target := w.dated(1)[0]
	opened := w.post(target.ID)
	must(w, posts.Pin{Target: target})
	ref := must(w, posts.Update{Target: target, Revision: opened.Revision, Body: to("Edited."), Title: to("Edited")})
	if want := opened.Revision + 1; ref.Revision != want {
		t.Errorf("got %+v, want revision %d", ref, want)
	}
	p := w.post(target.ID)
	if p.Body != "Edited." {
		t.Errorf("got the text %q, want %q", p.Body, "Edited.")
	}
	if p.Pinned == 0 {
		t.Errorf("got the pin %d, want another number", p.Pinned)
	}
	must(w, posts.Unpin{Target: target})
	if got := must(w, posts.Unpublish{Target: target, Revision: ref.Revision}); got.Unchanged {
		t.Errorf("got %+v, want a change", got)
	}
}

// TestPagesOfAPinnedList: whichever posts are pinned, the pages of a list have each post once, in
// the order of the whole list.
func TestPagesOfAPinnedList(t *testing.T) {
	w := mustWorld(t)
	p := w.dated(9)
	for _, pinned := range [][]int{{}, {8}, {4, 1}, {0}, {7, 3, 5, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8}} {
		for _, i := range pinned {
			must(w, posts.Pin{Target: p[i]})
		}
		for _, labels := range [][]string{nil, {"all"}, {"odd"}} {
			whole := w.titles(posts.Filter{PinnedFirst: true, Labels: labels})
			for limit := 1; limit < 11; limit++ {
				var pages []string
				for offset := 0; offset < 10; offset += limit {
					page := w.titles(posts.Filter{PinnedFirst: true, Labels: labels, Limit: limit, Offset: offset})
					pages = append(pages, strings.Fields(page)...)
				}
				if got := strings.Join(pages, " "); got != whole {
					t.Errorf("%v are pinned, of %v pages of %d are %s, want %s", pinned, labels, limit, got, whole)
				}
			}
		}
		for _, i := range pinned {
			must(w, posts.Unpin{Target: p[i]})
		}
	}
}

func TestAPinnedDraftComesFirstOncePublished(t *testing.T) {
	w := mustWorld(t)
	w.dated(2)
	draft := posts.Target{ID: must(w, posts.Create{Title: "Draft"}).ID}
	must(w, posts.Pin{Target: draft})
	if got := w.touched(); got != nil {
		t.Errorf("touched %v, want nothing", got)
	}
	first := posts.Filter{PinnedFirst: true}
	if got := w.titles(first); got != "P0 P1" {
		t.Errorf("a draft is pinned: got %s, want %s", got, "P0 P1")
	}
	must(w, posts.Publish{Target: draft, At: to(w.clock.Now().Add(-24 * time.Hour))})
	if got := w.titles(first); got != "Draft* P0 P1" {
		t.Errorf("published: got %s, want %s", got, "Draft* P0 P1")
	}
	must(w, posts.Unpublish{Target: draft})
	if got := w.titles(first); got != "P0 P1" {
		t.Errorf("unpublished: got %s, want %s", got, "P0 P1")
	}
	must(w, posts.Create{Title: "New", Publish: true, Pinned: true})
	if got := w.titles(first); got != "New* P0 P1" {
		t.Errorf("a new one: got %s, want %s", got, "New* P0 P1")
	}
}

// TestPinsGoIntoFilesAndBack: a file with `pinned: true` pins its post. A pin that was set here is
// in the export, and is not overwritten any more.
func TestPinsGoIntoFilesAndBack(t *testing.T) {
	w := mustWorld(t)
	const text = "---\ntitle: One\npublished_at: 2024-05-01\n---\n\nText.\n"
	const pinned = "---\ntitle: One\npublished_at: 2024-05-01\npinned: true\n---\n\nText.\n"
	file := mustFile(t, "one.md", text, nil)
	ref := must(w, file)
	target := posts.Target{ID: ref.ID}
	must(w, posts.Pin{Target: target})
	if got := w.export(ref.ID); got != pinned {
		t.Errorf("pinned here, it is\n%s\nwant\n%s", got, pinned)
	}
	if _, err := try(w, file); !apperr.HasReason(err, posts.Edited) {
		t.Errorf("the file that does not pin it: got %v, want the reason %s", err, posts.Edited)
	}
	again := mustFile(t, "one.md", pinned, nil)
	if got, want := must(w, again), unchanged(ref); got != want {
		t.Errorf("the file that was exported: got %+v, want %+v", got, want)
	}
	must(w, posts.Unpin{Target: target})
	if got := w.export(ref.ID); got != text {
		t.Errorf("unpinned here, it is\n%s\nwant\n%s", got, text)
	}
	again.Force = true
	if got := must(w, again); got != ref {
		t.Errorf("by force: got %+v, want %+v", got, ref)
	}
	if got := w.post(ref.ID).Pinned; got == 0 {
		t.Errorf("by force: got the pin %d, want another number", got)
	}
	if got := must(w, file); got != ref {
		t.Errorf("the file without it, after nothing was edited here: got %+v, want %+v", got, ref)
	}
	if got := w.post(ref.ID).Pinned; got != 0 {
		t.Errorf("the file without it, after nothing was edited here: got the pin %d, want none", got)
	}
	if got := w.export(ref.ID); got != text {
		t.Errorf("unpinned by the file, it is\n%s\nwant\n%s", got, text)
	}
	both := mustFile(t, "one.md", strings.Replace(pinned, "Text", "Other", 1), nil)
	if got := must(w, both); got.Revision != 2 {
		t.Errorf("the file with another text and a pin: got %+v, want revision 2", got)
	}
	if got := w.post(ref.ID).Pinned; got == 0 {
		t.Errorf("the file with another text and a pin: got the pin %d, want another number", got)
	}
	must(w, posts.Unpin{Target: target})
	must(w, posts.Update{Target: target, Revision: 2, Slug: to("renamed")})
	if _, err := try(w, both); !apperr.HasReason(err, posts.Edited) {
		t.Errorf("unpinned and renamed here: got %v, want the reason %s", err, posts.Edited)
	}
	must(w, posts.Pin{Target: target})
	if got := must(w, both); !got.Unchanged {
		t.Errorf("pinned here again, as the file says: got %+v, want it unchanged", got)
	}
	other := must(w, mustFile(t, "other.md", "---\nis_draft: true\npinned: yes\n---\nText\n", nil))
	if got := w.post(other.ID).Pinned; got == 0 {
		t.Errorf("a new file's post: got the pin %d, want another number", got)
	}
}
