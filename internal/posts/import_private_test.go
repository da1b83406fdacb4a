package posts_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

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
		t.Fatalf("got %+v", ref)
	}
	private := mustFile(t, "a.md", "---\ndate: 2024-01-01\npublished: false\n---\nText.\n", nil)
	if ref = must(w, private); ref.State != posts.Draft || w.post(ref.ID).Visible() {
		t.Errorf("onto what an import has published: %+v", ref)
	}
	if again := must(w, private); !again.Unchanged {
		t.Errorf("twice: %+v", again)
	}
	target := posts.Target{ID: ref.ID}
	must(w, posts.Publish{Target: target})
	_, err := try(w, private)
	if !apperr.HasReason(err, posts.Edited) || !strings.Contains(apperr.From(err).Message, "blog post unpublish a") ||
		!w.post(ref.ID).Visible() {
		t.Errorf("onto what an author has published: %v", err)
	}
	private.Force = true
	if ref = must(w, private); ref.State != posts.Draft {
		t.Errorf("by force: %+v", ref)
	}
}

// TestImportOfWhatExpires: the primary's time says whether it has.
func TestImportOfWhatExpires(t *testing.T) {
	w := mustWorld(t)
	end := w.clock.Now().Add(time.Hour)
	file := mustFile(t, "a.md", "---\ndate: 2024-01-01\nexpiryDate: "+end.Format(time.RFC3339)+"\n---\nText.\n", nil)
	ref := must(w, file)
	if ref.State != posts.Published {
		t.Errorf("before: %+v", ref)
	}
	w.clock.Advance(59 * time.Minute)
	if ref = must(w, file); !ref.Unchanged {
		t.Errorf("still before: %+v", ref)
	}
	w.clock.Advance(2 * time.Minute)
	if ref = must(w, file); ref.State != posts.Draft {
		t.Errorf("after: %+v", ref)
	}
	if ref = must(w, mustFile(t, "b.md", "---\ndate: 2024-01-01\nexpires: 2024-02-01\n---\nText.\n", nil)); ref.State !=
		posts.Draft {
		t.Errorf("new and expired: %+v", ref)
	}
	soon := w.clock.Now().Add(time.Hour).Format(time.RFC3339)
	if ref = must(w, mustFile(t, "c.md", "---\ndate: 2024-01-01\npublishDate: "+soon+"\n---\nText.\n", nil)); ref.State !=
		posts.Scheduled {
		t.Errorf("to come: %+v", ref)
	}
}

// TestExportOfADraftByItsFolder: what made the post a draft does not come along, so its file says it.
func TestExportOfADraftByItsFolder(t *testing.T) {
	w := mustWorld(t)
	file := mustFile(t, "a.md", "---\ndate: 2024-01-01 # then\n---\nText.\n", nil)
	file.Draft = true // as the import has it of a file in _drafts
	text := w.export(must(w, file).ID)
	if text != "---\ndate: 2024-01-01 # then\nis_draft: true\n---\nText.\n" {
		t.Errorf("got %s", text)
	}
	expired := "---\ndate: 2024-01-01\nexpires: 2024-02-01\n---\nText.\n"
	if text = w.export(must(w, mustFile(t, "b.md", expired, nil)).ID); text != expired {
		t.Errorf("expired: %s", text)
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
	if got := w.post(ref.ID).Permalinks; len(got) != 20 || got[0] != "/a" || got[19] != "/old/18" {
		t.Errorf("got %v", got)
	}
	f, _ := frontmatter.Parse("a.md", file.Raw, time.UTC)
	if left := posts.LeftAddresses(f); len(left) != 13 || left[0].Path != "/tags/x" || left[12].Path != "/old/29" {
		t.Errorf("left out: %v", left)
	}
	if _, err := try(w, mustFile(t, "b.md", "---\npermalinks: [/tags/x]\n---\n", nil)); err == nil {
		t.Error("a permalink that the site itself uses was accepted")
	}
}
