package posts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/posts"
	"blog/internal/repo"
)

func (w *world) export(id int64) string {
	w.tb.Helper()
	e := view(w, func(rd repo.Reader) (posts.Exported, error) { return posts.Export(w.ctx, rd, id) })
	return string(e.File(time.UTC))
}

// TestFilesComeBack: a file is exported byte for byte while its post is not edited here. After an
// edit the exported file has the edit, and importing it changes nothing.
func TestFilesComeBack(t *testing.T) {
	for name, text := range map[string]string{
		"plain":     published,
		"heading":   "# The title\r\n\r\nText.\r\n",
		"no date":   "---\nis_draft: false\n---\nText\n\n\n",
		"scheduled": "---\npublished_at: 2199-01-01\n---\nText",
		"draft":     "---\ntitle: \"A: title\"   # with a comment\nunknown: {a: 1}\n---\n\n---\n\nText",
		"empty":     "",
	} {
		t.Run(name, func(t *testing.T) {
			w := mustWorld(t)
			file := mustFile(t, strings.ReplaceAll(name, " ", "-")+".md", text, nil)
			ref := must(w, file)
			if got := w.export(ref.ID); got != text {
				t.Errorf("it came back as %q, want %q", got, text)
			}
			for edit, u := range map[string]posts.Update{
				"tags": {
					Tags: to([]string{"new"}),
				}, "body": {Body: to("Other text.")}, "title": {Title: to("Other")}, "slug": {Slug: to("other-slug")},
			} {
				before := w.post(ref.ID)
				u.Target, u.Revision = posts.Target{ID: ref.ID}, before.Revision
				ref = must(w, u)
				after := w.post(ref.ID)
				out := w.export(ref.ID)
				if out == text {
					t.Errorf("%s was edited, and the file is what it was, want another than\n%s", edit, text)
				}
				again := mustFile(t, file.Path, out, nil)
				if got, want := must(w, again), unchanged(ref); got != want {
					t.Errorf("%s: the exported file is imported as %+v, want %+v:\n%s", edit, got, want, out)
				}
				if diff := cmp.Diff(after, w.post(ref.ID)); diff != "" {
					t.Errorf("%s: the post after its import (-want +got):\n%s", edit, diff)
				}
				if got := w.export(ref.ID); got != out {
					t.Errorf("%s: then\n%s\ncame back as\n%s", edit, out, got)
				}
			}
		})
	}
}

// TestRenamedAndImportedAgain: a post that was renamed here is exported under its new name.
func TestRenamedAndImportedAgain(t *testing.T) {
	w := mustWorld(t)
	file := mustFile(t, "a.md", published, nil)
	ref := must(w, file)
	must(w, posts.Update{Target: posts.Target{ID: ref.ID}, Revision: 1, Slug: to("renamed")})
	must(w, file)
	if out := w.export(ref.ID); !strings.Contains(out, "slug: renamed") {
		t.Errorf("it came back as\n%s\nwant %q in it", out, "slug: renamed")
	}
}
