package main_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

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
	if o := w.run(t, "import", content); o.code != 1 || !strings.Contains(o.err, "blog user add") {
		t.Errorf("without an author: %d %s", o.code, o.err)
	}
	w.mustAuthor(t)
	s := w.mustServe(t)
	first := mustJSON[imported](t, w, "import", content)
	if first.New < 20 || first.New != len(first.Files) {
		t.Errorf("first: %d new of %d", first.New, len(first.Files))
	}
	last := first.Files[len(first.Files)-1]
	if first.Seq == 0 || first.Seq != last.Seq || first.Cursor == "" || first.Cursor != last.Cursor || first.Replayed {
		t.Errorf("first: %+v", first)
	}
	if again := mustJSON[imported](t, w, "import", content, "--key", first.Key); !again.Replayed ||
		again.Seq != first.Seq || again.Cursor != first.Cursor || again.New != first.New {
		t.Errorf("the same key again: %+v", again)
	}
	before := mustJSON[map[string]any](t, w, "status")["seq"]
	second := mustJSON[imported](t, w, "import", content)
	if second.Unchanged != first.New || second.New+second.Updated+second.Conflicts+second.Refused != 0 {
		t.Errorf("second: %+v", second)
	}
	if after := mustJSON[map[string]any](t, w, "status")["seq"]; after != before {
		t.Errorf("the second import wrote: %v, then %v", before, after)
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
			t.Errorf("%s differs", name)
		}
		delete(b, name)
	}
	for name := range b {
		t.Errorf("%s is too much", name)
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
	if o.code != 1 || sum.Conflicts != 1 || sum.Updated != 1 || sum.Files[1].Status != "conflict" ||
		sum.Files[1].Error.Code != "conflict" {
		t.Errorf("exit code %d: %+v", o.code, sum)
	}
	if got := title(t, w, "one"); got != "One, here" {
		t.Errorf("overwritten: %s", got)
	}
	w.must(t, "export", out)
	text, err := os.ReadFile(filepath.Join(out, "one.md"))
	if want := "---\ntitle: One, here\npublished_at: 2024-01-02\nmood: calm # kept\n---\nText one.\n"; err != nil ||
		string(text) != want {
		t.Errorf("exported: %v: %s", err, text)
	}
	if o := w.run(t, "export", in); o.code != 1 {
		t.Errorf("export over other files: exit code %d: %s", o.code, o.out)
	}
	if text, err := os.ReadFile(one); err != nil || !strings.Contains(string(text), "One, there") {
		t.Errorf("the export has overwritten a file: %v: %s", err, text)
	}
	w.must(t, "import", in, "--force")
	if got := title(t, w, "one"); got != "One, there" {
		t.Errorf("--force: %s", got)
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
	if o.code != 1 || sum.New != 8 || sum.Refused != len(sum.Files)-8 {
		t.Errorf("exit code %d: %s", o.code, o.out)
	}
	want := map[string]string{
		"b-date.md": "published_at", "g-latin.md": "file", "i-slug.md": "slug", "linked.md": "file",
	}
	without := map[string]string{ // a picture that cannot be had never refuses the post
		"c-climb.md": "above the folder", "d-link.md": "cannot be read", "e-svg.md": "SVG", "f-html.md": "",
		"h-missing.md": "does not exist",
	}
	for _, f := range sum.Files {
		field, bad := want[f.File]
		if bad && (f.Status != "refused" || f.Error.Code != "invalid" || f.Error.Fields[field] == "") {
			t.Errorf("%s: want a message for %s: %+v", f.File, field, f)
		}
		if f.File == "b-date.md" && !strings.Contains(f.Error.Fields["published_at"], "b-date.md:3:") {
			t.Errorf("no file and line: %+v", f.Error)
		}
		if why, ok := without[f.File]; ok && (f.Status != "new" || len(f.Warnings) != 1 ||
			!strings.HasPrefix(f.Warnings[0], f.File+":4: ") || !strings.Contains(f.Warnings[0], why)) {
			t.Errorf("no word of the picture: %+v", f)
		}
		if f.File == "h-lost.md" && (len(f.Warnings) != 3 || !strings.HasPrefix(f.Warnings[0], "h-lost.md:5: <your-name>") ||
			!strings.HasPrefix(f.Warnings[1], "h-lost.md:7: the video") ||
			!strings.HasPrefix(f.Warnings[2], "h-lost.md:9: the comment")) {
			t.Errorf("what is not shown: %q", f.Warnings)
		}
	}
	if sum.LeftOut["picture"] != len(without) {
		t.Errorf("left out: %v", sum.LeftOut)
	}
	text := w.run(t, "import", in)
	if text.code != 1 || !strings.Contains(text.out, "0 new, 0 updated, 8 unchanged, 0 conflicts, 4 refused") ||
		!strings.Contains(text.err, "SVG") || !strings.Contains(text.err, "5 pictures are not shown: ") {
		t.Errorf("exit code %d: %s%s", text.code, text.out, text.err)
	}
	if o := w.run(t, "import", in, "--dry-run"); o.code != 1 || o.out != "12 checked, 4 refused\n" {
		t.Errorf("dry run: exit code %d: %s%s", o.code, o.out, o.err)
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
		t.Errorf("import elsewhere: %+v", sum)
	}
	back := filepath.Join(other.dir, "out")
	other.must(t, "export", back)
	mustBeEqual(t, out, back)
	for _, slug := range []string{"own", "später", "draft"} {
		a, b := mustJSON[map[string]any](t, w, "post", "show", slug), mustJSON[map[string]any](t, other, "post", "show", slug)
		for _, field := range []string{"title", "state", "description", "body"} {
			if a[field] != b[field] {
				t.Errorf("%s of %s: %v, then %v", field, slug, a[field], b[field])
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
		if o.code != 1 || sum.Refused != 1 || !strings.Contains(sum.Files[1].Error.Fields["slug"], "a.md") {
			t.Errorf("exit code %d: %+v", o.code, sum)
		}
		if got := title(t, w, "same"); got != "First" {
			t.Errorf("the post is %q", got)
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
			t.Errorf("%s: %v", slug, p["published_at"])
		}
	}
	w.must(t, "export", out)
	if text, err := os.ReadFile(filepath.Join(out, "a.md")); err != nil ||
		!strings.Contains(string(text), "published_at: 2024-05-01\n") {
		t.Errorf("exported: %v: %s", err, text)
	}
	s.mustStop(t, syscall.SIGTERM)
	w.with("BLOG_TIMEZONE=America/New_York").must(t, "post", "new", "--title", "D", "--slug", "d", "--at", "2024-05-01")
	if p := mustJSON[map[string]any](t, w, "post", "show", "d"); p["published_at"] != "2024-05-01T04:00:00Z" {
		t.Errorf("without a server: %v", p["published_at"])
	}
}
