package posts_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/apperr"
	"blog/internal/frontmatter"
	"blog/internal/posts"
)

// TestImportOfWhatIsPrivate: a file that says that it is not for everybody is a draft, also when the
// post is published by then, unless somebody has edited or published it here.
func TestImportOfWhatIsPrivate(t *testing.T) {
	w := mustWorld(t)
	public := mustFile(t, "a.md", "---\ndate: 2024-01-01\n---\nText.\n", nil)
	ref := must(w, public)
	if ref.State != posts.Published {
		t.Fatalf("got %+v, want the state %s", ref, posts.Published)
	}
	private := mustFile(t, "a.md", "---\ndate: 2024-01-01\npublished: false\n---\nText.\n", nil)
	if ref = must(w, private); ref.State != posts.Draft {
		t.Errorf("onto what an import has published: got %+v, want the state %s", ref, posts.Draft)
	}
	if got := w.state(ref.ID); got != posts.Draft {
		t.Errorf("onto what an import has published: the post is %s, want %s", got, posts.Draft)
	}
	if again, want := must(w, private), unchanged(ref); again != want {
		t.Errorf("twice: got %+v, want %+v", again, want)
	}
	target := posts.Target{ID: ref.ID}
	must(w, posts.Publish{Target: target})
	_, err := try(w, private)
	if !apperr.HasReason(err, posts.Edited) {
		t.Errorf("onto what an author has published: got %v, want the reason %s", err, posts.Edited)
	}
	if got := apperr.From(err).Message; !strings.Contains(got, "blog post unpublish a") {
		t.Errorf("onto what an author has published: got %q, want %q in it", got, "blog post unpublish a")
	}
	if got := w.state(ref.ID); got != posts.Published {
		t.Errorf("onto what an author has published: the post is %s, want %s", got, posts.Published)
	}
	private.Force = true
	if ref = must(w, private); ref.State != posts.Draft {
		t.Errorf("by force: got %+v, want the state %s", ref, posts.Draft)
	}
}

// TestImportOfWhatExpires: the primary's time says whether it has.
func TestImportOfWhatExpires(t *testing.T) {
	w := mustWorld(t)
	end := w.clock.Now().Add(time.Hour)
	file := mustFile(t, "a.md", "---\ndate: 2024-01-01\nexpiryDate: "+end.Format(time.RFC3339)+"\n---\nText.\n", nil)
	ref := must(w, file)
	if ref.State != posts.Published {
		t.Errorf("before: got %+v, want the state %s", ref, posts.Published)
	}
	w.clock.Advance(59 * time.Minute)
	if ref = must(w, file); !ref.Unchanged {
		t.Errorf("still before: got %+v, want it unchanged", ref)
	}
	w.clock.Advance(2 * time.Minute)
	if ref = must(w, file); ref.State != posts.Draft {
		t.Errorf("after: got %+v, want the state %s", ref, posts.Draft)
	}
	if ref = must(w, mustFile(t, "b.md", "---\ndate: 2024-01-01\nexpires: 2024-02-01\n---\nText.\n", nil)); ref.State !=
		posts.Draft {
		t.Errorf("new and expired: got %+v, want the state %s", ref, posts.Draft)
	}
	soon := w.clock.Now().Add(time.Hour).Format(time.RFC3339)
	if ref = must(w, mustFile(t, "c.md", "---\ndate: 2024-01-01\npublishDate: "+soon+"\n---\nText.\n", nil)); ref.State !=
		posts.Scheduled {
		t.Errorf("to come: got %+v, want the state %s", ref, posts.Scheduled)
	}
}

// TestExportOfADraftByItsFolder: what made the post a draft does not come along, so its file says it.
func TestExportOfADraftByItsFolder(t *testing.T) {
	w := mustWorld(t)
	file := mustFile(t, "a.md", "---\ndate: 2024-01-01 # then\n---\nText.\n", nil)
	file.Draft = true // as the import has it of a file in _drafts
	text := w.export(must(w, file).ID)
	if want := "---\ndate: 2024-01-01 # then\nis_draft: true\n---\nText.\n"; text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	expired := "---\ndate: 2024-01-01\nexpires: 2024-02-01\n---\nText.\n"
	if text = w.export(must(w, mustFile(t, "b.md", expired, nil)).ID); text != expired {
		t.Errorf("expired: got\n%s\nwant\n%s", text, expired)
	}
}

// TestOldAddressesThatCannotBeHad: an import leaves out what the site itself uses, and what is more than
// a post can have, without a refusal. Its own words are refused as ever.
func TestOldAddressesThatCannotBeHad(t *testing.T) {
	w := mustWorld(t)
	front := "slug: s\naliases: [/a, /tags/x, /posts/s, /feed.xml"
	for n := range 30 {
		front += ", /old/" + strconv.Itoa(n)
	}
	file := mustFile(t, "a.md", "---\n"+front+"]\n---\n", nil)
	ref := must(w, file)
	want := []string{"/a"}
	for n := range 19 {
		want = append(want, "/old/"+strconv.Itoa(n))
	}
	if diff := cmp.Diff(want, w.post(ref.ID).Permalinks); diff != "" {
		t.Errorf("permalinks (-want +got):\n%s", diff)
	}
	f, _ := frontmatter.Parse("a.md", file.Raw, time.UTC)
	var left []string
	for _, address := range posts.LeftAddresses(f) {
		left = append(left, address.Path)
	}
	want = []string{"/tags/x", "/feed.xml"}
	for n := 19; n < 30; n++ {
		want = append(want, "/old/"+strconv.Itoa(n))
	}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("addresses that are left out (-want +got):\n%s", diff)
	}
	if _, err := try(w, mustFile(t, "b.md", "---\npermalinks: [/tags/x]\n---\n", nil)); err == nil {
		t.Error("a permalink that the site itself uses: got no error, want one")
	}
}
