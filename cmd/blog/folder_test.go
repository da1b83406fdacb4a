package main_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"blog/test/cluster"
)

type imported struct {
	New, Updated, Unchanged, Conflicts, Refused int

	LeftOut   map[string]int                  `json:"left_out"`
	LeftFiles []struct{ File, Reason string } `json:"left_files"`

	Key, Cursor string
	Seq         int64
	Replayed    bool
	Files       []struct {
		File, Status, Cursor string
		Seq                  int64
		Replayed             bool
		Warnings             []string
		Would                string
		Post                 struct{ Slug, State string }
		Error                struct {
			Code    string
			Message string
			Fields  map[string]string
		}
	}
}

// TestContentGoesThereAndBack imports the sample content twice and exports it: the second import
// changes nothing, and the export equals the content byte for byte.
func TestContentGoesThereAndBack(t *testing.T) {
	w := newWorld(t)
	content := filepath.Join(cluster.Root(t), "content")
	o := w.run(t, "import", content)
	o.expectCode(t, "without an author", 1)
	o.expectErr(t, "without an author", "blog user add")
	w.mustAuthor(t)
	s := w.mustServe(t)
	first := mustJSON[imported](t, w, "import", content)
	if first.New < 20 {
		t.Errorf("first: got %d new, want at least 20", first.New)
	}
	if first.New != len(first.Files) {
		t.Errorf("first: got %d new, want all %d files", first.New, len(first.Files))
	}
	expectLastRow(t, first)
	again := mustJSON[imported](t, w, "import", content, "--key", first.Key)
	if !again.Replayed {
		t.Errorf("the same key again: got %+v, want it replayed", again)
	}
	if again.Seq != first.Seq {
		t.Errorf("the same key again: got the row %d, want %d", again.Seq, first.Seq)
	}
	if again.Cursor != first.Cursor {
		t.Errorf("the same key again: got the cursor %q, want %q", again.Cursor, first.Cursor)
	}
	if again.New != first.New {
		t.Errorf("the same key again: got %d new, want %d", again.New, first.New)
	}
	before := mustJSON[map[string]any](t, w, "status")["seq"]
	second := mustJSON[imported](t, w, "import", content)
	if second.Unchanged != first.New {
		t.Errorf("second: got %d unchanged, want %d", second.Unchanged, first.New)
	}
	if got := second.New + second.Updated + second.Conflicts + second.Refused; got != 0 {
		t.Errorf("second: got %d files that are not unchanged, want 0: %+v", got, second)
	}
	if after := mustJSON[map[string]any](t, w, "status")["seq"]; after != before {
		t.Errorf("after the second import: got the row %v, want %v as before", after, before)
	}
	s.mustStop(t, syscall.SIGTERM)
	out := filepath.Join(w.dir, "out")
	w.must(t, "export", out)
	mustBeEqual(t, content, out)
	w.must(t, "export", out) // nothing differs, so nothing is refused
}

// mustBeEqual compares two folders, with the bytes of their files.
func mustBeEqual(t *testing.T, want, got string) {
	t.Helper()
	a, b := files(t, want), files(t, got)
	for name, text := range a {
		if !bytes.Equal(text, b[name]) {
			t.Errorf("%s: got %q, want %q", name, b[name], text)
		}
		delete(b, name)
	}
	for name := range b {
		t.Errorf("got the file %s, want no such file", name)
	}
}

// expectLastRow fails unless the import has the row and the cursor of its last file, and was carried out.
func expectLastRow(t *testing.T, sum imported) {
	t.Helper()
	last := sum.Files[len(sum.Files)-1]
	if sum.Seq == 0 {
		t.Errorf("got the row %d, want one", sum.Seq)
	}
	if sum.Seq != last.Seq {
		t.Errorf("got the row %d, want the last file's %d", sum.Seq, last.Seq)
	}
	if sum.Cursor == "" {
		t.Errorf("got the cursor %q, want one", sum.Cursor)
	}
	if sum.Cursor != last.Cursor {
		t.Errorf("got the cursor %q, want the last file's %q", sum.Cursor, last.Cursor)
	}
	if sum.Replayed {
		t.Errorf("got %+v, want it carried out", sum)
	}
}

// expectWarnings fails unless there is one warning for each beginning, in this order.
func expectWarnings(t *testing.T, file string, got []string, beginnings ...string) {
	t.Helper()
	if len(got) != len(beginnings) {
		t.Errorf("%s: got %d warnings, want %d: %q", file, len(got), len(beginnings), got)
		return
	}
	for n, want := range beginnings {
		if !strings.HasPrefix(got[n], want) {
			t.Errorf("%s: got the warning %q, want it to begin with %q", file, got[n], want)
		}
	}
}

func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		out[name], err = os.ReadFile(filepath.Join(dir, name))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestImportLeavesAloneWhatWasEditedHere(t *testing.T) {
	w := newWorld(t)
	w.mustAuthor(t)
	in, out := filepath.Join(w.dir, "in"), filepath.Join(w.dir, "out")
	one, two := filepath.Join(in, "one.md"), filepath.Join(in, "deep", "two.md")
	mustWriteFile(t, one, "---\ntitle: One\npublished_at: 2024-01-02\nmood: calm # kept\n---\nText one.\n")
	mustWriteFile(t, two, "---\ntitle: Two\ndraft: yes\n---\nText two.\n")
	w.must(t, "import", in)
	w.must(t, "post", "edit", "one", "--title", "One, here")
	mustWriteFile(t, one, "---\ntitle: One, there\npublished_at: 2024-01-02\nmood: calm # kept\n---\nText one.\n")
	mustWriteFile(t, two, "---\ntitle: Two, there\ndraft: yes\n---\nText two.\n")

	o := w.run(t, "import", in, "--json")
	sum := decode[imported](t, o.out)
	o.expectCode(t, "import", 1)
	if sum.Conflicts != 1 {
		t.Errorf("got %d conflicts, want 1: %+v", sum.Conflicts, sum)
	}
	if sum.Updated != 1 {
		t.Errorf("got %d updated, want 1: %+v", sum.Updated, sum)
	}
	if len(sum.Files) < 2 {
		t.Fatalf("got the files %+v, want at least 2", sum.Files)
	}
	second := sum.Files[1]
	if diff := cmp.Diff([]string{"conflict", "conflict"}, []string{second.Status, second.Error.Code}); diff != "" {
		t.Errorf("status and code of %s (-want +got):\n%s", second.File, diff)
	}
	if got := title(t, w, "one"); got != "One, here" {
		t.Errorf("got the title %q, want %q, which is here", got, "One, here")
	}
	w.must(t, "export", out)
	text, err := os.ReadFile(filepath.Join(out, "one.md"))
	if err != nil {
		t.Fatal(err)
	}
	want := "---\ntitle: One, here\npublished_at: 2024-01-02\nmood: calm # kept\n---\nText one.\n"
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("exported (-want +got):\n%s", diff)
	}
	w.run(t, "export", in).expectCode(t, "export over other files", 1)
	if text, err = os.ReadFile(one); err != nil {
		t.Fatal(err)
	}
	if want = "One, there"; !strings.Contains(string(text), want) {
		t.Errorf("after an export over it: got %q, want %q in it", text, want)
	}
	w.must(t, "import", in, "--force")
	if got := title(t, w, "one"); got != "One, there" {
		t.Errorf("--force: got the title %q, want %q", got, "One, there")
	}
	w.must(t, "export", out, "--force")
	mustBeEqual(t, in, out)
}

func title(t *testing.T, w *world, slug string) string {
	t.Helper()
	s, _ := mustJSON[map[string]any](t, w, "post", "show", slug)["title"].(string)
	return s
}

// TestImportRefusesFileByFile: an error names file, line and what to write instead, and the other
// files are imported.
func TestImportRefusesFileByFile(t *testing.T) {
	w := newWorld(t)
	w.mustAuthor(t)
	in := filepath.Join(w.dir, "in")
	mustWriteFile(t, filepath.Join(w.dir, "secret.png"), "not for readers")
	mustWriteFile(t, filepath.Join(w.dir, "secret.md"), "---\ntitle: Secret\n---\nNot for readers.\n")
	mustWriteFile(t, filepath.Join(in, "drawing.svg"), "<svg xmlns='http://www.w3.org/2000/svg'/>")
	mustWriteFile(t, filepath.Join(in, "page.png"), "<html>")
	for name, text := range map[string]string{
		"a-good.md":      "---\ntitle: Good\n---\nText.\n",
		"b-date.md":      "---\ntitle: Bad date\npublished_at: 01/02/2024\n---\nText.\n",
		"c-climb.md":     "---\ntitle: Climb\n---\n![x](../secret.png)\n",
		"d-link.md":      "---\ntitle: Link\n---\n![x](link.png)\n",
		"e-svg.md":       "---\ntitle: Svg\n---\n![x](drawing.svg)\n",
		"f-html.md":      "---\ntitle: Html\n---\n![x](page.png)\n",
		"g-latin.md":     "---\ntitle: Latin \xe9\n---\nText.\n",
		"h-missing.md":   "---\ntitle: Missing\n---\n![words instead](nothing.png)\n",
		"h-lost.md":      "---\ntitle: Lost\n---\n\nUse <your-name>.\n\n![](clip.mp4)\n\n<!-- here\n\nThe remainder.\n",
		"i-slug.md":      "---\ntitle: Slug\nslug: feed\n---\nText.\n",
		".hidden.md":     "---\ntitle: Hidden\n---\nText.\n",
		"._z.md":         "\x00\x05\x16\x07",
		".git/x.md":      "---\ntitle: Hidden, too\n---\nText.\n",
		"z-also-good.md": "---\ntitle: Also good\n---\nText.\n",
	} {
		mustWriteFile(t, filepath.Join(in, name), text)
	}
	for link, to := range map[string]string{"link.png": "../secret.png", "linked.md": "../secret.md"} {
		if err := os.Symlink(to, filepath.Join(in, link)); err != nil {
			t.Fatal(err)
		}
	}
	o := w.run(t, "import", in, "--json")
	sum := decode[imported](t, o.out)
	o.expectCode(t, "import", 1)
	if sum.New != 8 {
		t.Errorf("got %d new, want 8: %s", sum.New, o.out)
	}
	if want := len(sum.Files) - 8; sum.Refused != want {
		t.Errorf("got %d refused, want %d: %s", sum.Refused, want, o.out)
	}
	want := map[string]string{
		"b-date.md": "published_at", "g-latin.md": "file", "i-slug.md": "slug", "linked.md": "file",
	}
	without := map[string]string{ // a picture that cannot be had never refuses the post
		"c-climb.md": "above the folder", "d-link.md": "cannot be read", "e-svg.md": "SVG", "f-html.md": "",
		"h-missing.md": "does not exist",
	}
	for _, f := range sum.Files {
		if field, bad := want[f.File]; bad {
			if diff := cmp.Diff([]string{"refused", "invalid"}, []string{f.Status, f.Error.Code}); diff != "" {
				t.Errorf("%s: status and code (-want +got):\n%s", f.File, diff)
			}
			if f.Error.Fields[field] == "" {
				t.Errorf("%s: got the messages %q, want one for %s", f.File, f.Error.Fields, field)
			}
		}
		if why, ok := without[f.File]; ok {
			if f.Status != "new" {
				t.Errorf("%s: got the status %q, want %q", f.File, f.Status, "new")
			}
			expectWarnings(t, f.File, f.Warnings, f.File+":4: ")
			if got := strings.Join(f.Warnings, "\n"); !strings.Contains(got, why) {
				t.Errorf("%s: got the warning %q, want %q in it", f.File, got, why)
			}
		}
		switch f.File {
		case "b-date.md":
			if got, want := f.Error.Fields["published_at"], "b-date.md:3:"; !strings.Contains(got, want) {
				t.Errorf("%s: got the message %q, want %q in it", f.File, got, want)
			}
		case "h-lost.md":
			expectWarnings(t, f.File, f.Warnings, "h-lost.md:5: <your-name>", "h-lost.md:7: the video",
				"h-lost.md:9: the comment")
		}
	}
	if got := sum.LeftOut["picture"]; got != len(without) {
		t.Errorf("got %d pictures left out, want %d", got, len(without))
	}
	text := w.run(t, "import", in)
	text.expectCode(t, "import in words", 1)
	if want := "0 new, 0 updated, 8 unchanged, 0 conflicts, 4 refused"; !strings.Contains(text.out, want) {
		t.Errorf("import in words: got %q, want %q in it", text.out, want)
	}
	text.expectErr(t, "import in words", "SVG")
	text.expectErr(t, "import in words", "5 pictures are not shown: ")
	dry := w.run(t, "import", in, "--dry-run")
	dry.expectCode(t, "dry run", 1)
	if want := "12 checked, 4 refused\n"; dry.out != want {
		t.Errorf("dry run: got %q, want %q", dry.out, want)
	}
}

// TestExportOfWhatWasWrittenHere: a post that came from no file is exported as a file that another
// blog can import.
func TestExportOfWhatWasWrittenHere(t *testing.T) {
	w := newWorld(t)
	w.mustAuthor(t)
	w.must(t, "post", "new", "--title", "A: title #1", "--slug", "own", "--tag", "x y", "--description", "Says: little",
		"--permalink", "/own-address")
	w.must(t, "post", "new", "--title", "Später", "--at", "2199-05-01 10:30")
	w.must(t, "post", "new", "--title", "Draft", "--draft")
	out := filepath.Join(w.dir, "out")
	w.must(t, "export", out)
	other := newWorld(t)
	other.mustAuthor(t)
	if sum := mustJSON[imported](t, other, "import", out); sum.New != 3 {
		t.Errorf("import elsewhere: got %d new, want 3: %+v", sum.New, sum)
	}
	back := filepath.Join(other.dir, "out")
	other.must(t, "export", back)
	mustBeEqual(t, out, back)
	for _, slug := range []string{"own", "später", "draft"} {
		a, b := mustJSON[map[string]any](t, w, "post", "show", slug), mustJSON[map[string]any](t, other, "post", "show", slug)
		for _, field := range []string{"title", "state", "description", "body"} {
			if a[field] != b[field] {
				t.Errorf("%s of %s elsewhere: got %v, want %v", field, slug, b[field], a[field])
			}
		}
	}
}

// TestImportOfTwoFilesWithOneSlug: the second file is refused. It would overwrite the first one,
// and the first one would overwrite it in the next run.
func TestImportOfTwoFilesWithOneSlug(t *testing.T) {
	w := newWorld(t)
	w.mustAuthor(t)
	in := filepath.Join(w.dir, "in")
	mustWriteFile(t, filepath.Join(in, "a.md"), "---\ntitle: First\nslug: same\n---\nText a.\n")
	mustWriteFile(t, filepath.Join(in, "b.md"), "---\ntitle: Second\nslug: Same\n---\nText b.\n")
	for range 2 {
		o := w.run(t, "import", in, "--json")
		sum := decode[imported](t, o.out)
		o.expectCode(t, "import", 1)
		if sum.Refused != 1 {
			t.Errorf("got %d refused, want 1: %+v", sum.Refused, sum)
		}
		if len(sum.Files) < 2 {
			t.Fatalf("got the files %+v, want at least 2", sum.Files)
		}
		if got := sum.Files[1].Error.Fields["slug"]; !strings.Contains(got, "a.md") {
			t.Errorf("got the message %q for the slug, want %q in it", got, "a.md")
		}
		if got := title(t, w, "same"); got != "First" {
			t.Errorf("got the title %q, want %q", got, "First")
		}
	}
}

// TestDaysAreThoseOfTheServer: commands use the server's BLOG_TIMEZONE and not that of their own
// environment, because the server shows the days.
func TestDaysAreThoseOfTheServer(t *testing.T) {
	w := newWorld(t)
	w.mustAuthor(t)
	in, out := filepath.Join(w.dir, "in"), filepath.Join(w.dir, "out")
	file := filepath.Join(in, "a.md")
	mustWriteFile(t, file, "---\ntitle: A\npublished_at: 2024-05-01\n---\nText.\n")
	s := w.with("BLOG_TIMEZONE=Asia/Tokyo").mustServe(t)
	w.must(t, "import", in)
	w.must(t, "post", "new", "--slug", "b", file)
	w.must(t, "post", "new", "--title", "C", "--slug", "c", "--at", "2024-05-01")
	for _, slug := range []string{"a", "b", "c"} {
		if p := mustJSON[map[string]any](t, w, "post", "show", slug); p["published_at"] != "2024-04-30T15:00:00Z" {
			t.Errorf("%s: got the date %v, want %q", slug, p["published_at"], "2024-04-30T15:00:00Z")
		}
	}
	w.must(t, "export", out)
	text, err := os.ReadFile(filepath.Join(out, "a.md"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "published_at: 2024-05-01\n"; !strings.Contains(string(text), want) {
		t.Errorf("exported: got %q, want %q in it", text, want)
	}
	s.mustStop(t, syscall.SIGTERM)
	w.with("BLOG_TIMEZONE=America/New_York").must(t, "post", "new", "--title", "D", "--slug", "d", "--at", "2024-05-01")
	if p := mustJSON[map[string]any](t, w, "post", "show", "d"); p["published_at"] != "2024-05-01T04:00:00Z" {
		t.Errorf("without a server: got the date %v, want %q", p["published_at"], "2024-05-01T04:00:00Z")
	}
}
