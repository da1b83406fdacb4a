package main_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// mustPicture writes a picture of one grey.
func mustPicture(t *testing.T, name string, grey uint8) {
	t.Helper()
	picture := image.NewGray(image.Rect(0, 0, 2, 2))
	picture.SetGray(0, 0, color.Gray{Y: grey})
	var data bytes.Buffer
	if err := png.Encode(&data, picture); err != nil {
		t.Fatal(err)
	}
	mustWriteFile(t, name, data.String())
}

// TestFoldersOfOtherSystems: every Markdown file of a site goes in, what is no post of its system is
// named, and pictures are found where the system serves them from.
func TestFoldersOfOtherSystems(t *testing.T) {
	w := newWorld(t)
	w.mustAuthor(t)
	site := filepath.Join(w.dir, "site")
	in := filepath.Join(site, "blog")
	for name, text := range map[string]string{
		"a.markdown": "---\ntitle: A\n---\n![](/images/one.png) ![](images/two.jpg) " +
			"[![](three.png)](three.png)\n",
		"b.mkd": "+++\ntitle = 'B'\ndate = 2024-01-01\n+++\n![](../up.png) " +
			"![](Gru\u0308n.PNG) ![](gone.png)\n",
		"c.mdown":                 "{\"title\": \"C\", \"published\": true}\n",
		"d.MDX":                   "---\ntitle: D\n---\nText.\n",
		"content/posts/_index.md": "---\ntitle: Posts\ncascade: {draft: true}\n---\n",
		"content/posts/deep/g.md": "---\ndate: 2024-01-01\n---\n",
		"content/posts/h.md":      "---\ndate: 2024-01-01\ndraft: false\n---\n",
		"notes/notes.json":        "{\"published\": false}", "notes/i.md": "---\ndate: 2024-01-01\n---\n",
		"README.md": "# About this folder\n", "readme/readme.md": "---\ntitle: A post\n---\n",
		"node_modules/x/y.md": "# no\n", "_drafts/e.md": "---\ndate: 2024-01-01\nlayout: post\n---\n",
		"_posts/2024-01-02-f.md": "---\nauthor: Nobody\n---\n", "archetypes/default.md": "---\ntitle: \"{{ .Name }}\"\n---\n",
		"old.html": "<p>", "_layouts/x.md": "x",
	} {
		mustWriteFile(t, filepath.Join(in, name), text)
	}
	mustPicture(t, filepath.Join(in, "static", "images", "one.png"), 1)
	mustPicture(t, filepath.Join(in, "assets", "images", "two.png"), 2)
	mustPicture(t, filepath.Join(in, "three.png"), 3)
	mustPicture(t, filepath.Join(site, "up.png"), 4)
	mustPicture(t, filepath.Join(in, "gr\u00fcn.png"), 5)
	if err := syscall.Mkfifo(filepath.Join(in, "pipe.md"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"import", in, "--root", site, "--author", "Ann"}
	dry := mustJSON[imported](t, w, append(args, "--dry-run")...)
	sum := mustJSON[imported](t, w, args...)
	want := map[string]string{
		"a.markdown": "draft", "b.mkd": "published", "c.mdown": "published", "d.MDX": "draft", "readme/readme.md": "draft",
		"_drafts/e.md": "draft", "_posts/2024-01-02-f.md": "published",
		"content/posts/deep/g.md": "draft", "content/posts/h.md": "published", "notes/i.md": "draft",
	}
	if sum.New != len(want) {
		t.Errorf("got %d new, want %d: %+v", sum.New, len(want), sum)
	}
	if len(dry.Files) != len(want) {
		t.Fatalf("got %d files in the dry run, want %d: %+v", len(dry.Files), len(want), dry)
	}
	for n, f := range sum.Files {
		if f.Post.State != want[f.File] {
			t.Errorf("%s: got the state %q, want %q", f.File, f.Post.State, want[f.File])
		}
		if got := dry.Files[n].Would; got != want[f.File] {
			t.Errorf("%s: got the state %q in the dry run, want %q", f.File, got, want[f.File])
		}
	}
	left := map[string]bool{}
	for _, f := range sum.LeftFiles {
		left[f.File] = f.Reason != ""
	}
	for _, name := range []string{
		"README.md", "node_modules", "archetypes", "old.html", "_layouts", "content/posts/_index.md", "pipe.md",
	} {
		if !left[name] {
			t.Errorf("got the left files %v, want %s among them", sum.LeftFiles, name)
		}
	}
	if got := sum.LeftOut["file"]; got != len(left) {
		t.Errorf("got %d files left out, want %d: %v", got, len(left), sum.LeftOut)
	}
	if got := sum.LeftOut["picture"]; got != 1 {
		t.Errorf("got %d pictures left out, want 1: %v", got, sum.LeftOut)
	}
	if got := dry.LeftOut["picture"]; got != 1 {
		t.Errorf("got %d pictures left out in the dry run, want 1: %v", got, dry.LeftOut)
	}
}

// TestTextsOfOtherSystems: links lead to the posts of files, also of those that come later, shortcodes
// are translated or named, and files of one name in several folders all go in.
func TestTextsOfOtherSystems(t *testing.T) {
	w := newWorld(t)
	w.mustAuthor(t)
	in := filepath.Join(w.dir, "in")
	for name, text := range map[string]string{
		"a.md": "---\ntitle: A\n---\n[z](sub/z.md#top) [gone](gone.md)\n\n{{< youtube id1 >}} {{< odd >}}\n\n" +
			"[d]({% post_url 2024-01-02-d %}) [[Z]] ![[p.png]] ==m==\n",
		"sub/z.md":               "---\nslug: last\ndraft: true\n---\n[a](../a.md)\n",
		"_posts/2024-01-02-d.md": "---\nlayout: post\nodd: 1\n---\n{% comment %}secret{% endcomment %}\n",
		"verbatim.md":            "---\nverbatim: true\ntitle: V\n---\n{{< youtube id1 >}}\n",
		"de/about.md":            "---\naliases: [/old]\n---\n# Über\n",
		"en/about.md":            "---\naliases: [/old, /tags/x]\ndate: 2199-01-01\n---\n# About\n",
	} {
		mustWriteFile(t, filepath.Join(in, name), text)
	}
	mustPicture(t, filepath.Join(in, "pictures", "p.png"), 9)
	sum := mustJSON[imported](t, w, "import", in)
	if sum.New != 6 {
		t.Errorf("got %d new, want 6: %+v", sum.New, sum.Files)
	}
	for kind, want := range map[string]int{
		"text": 2, "link": 1, "key": 2, "picture": 0, "choice": 1, "address": 2, "private": 1,
	} {
		if got := sum.LeftOut[kind]; got != want {
			t.Errorf("got %d left out of kind %s, want %d: %+v", got, kind, want, sum.Files)
		}
	}
	for slug, want := range map[string]string{
		"a": "[z](</posts/last#top>) [gone](gone.md)\n\n[YouTube: id1](https://www.youtube.com/watch?v=id1) {{< odd >}}\n\n" +
			"[d](/posts/d) [Z](</posts/last>) ![](<p.png>) <mark>m</mark>",
		"last": "[a](</posts/a>)", "d": "", "verbatim": "{{< youtube id1 >}}", "about": "", "en-about": "",
	} {
		if got := mustJSON[map[string]any](t, w, "post", "show", slug)["body"]; got != want {
			t.Errorf("%s: got\n%q, want\n%q", slug, got, want)
		}
	}
	if again := mustJSON[imported](t, w, "import", in); again.Unchanged != 6 {
		t.Errorf("again: got %d unchanged, want 6: %+v", again.Unchanged, again)
	}
	out := filepath.Join(w.dir, "out")
	w.must(t, "post", "edit", "verbatim", "--title", "W")
	w.must(t, "export", out)
	other := newWorld(t)
	other.mustAuthor(t)
	other.must(t, "import", out)
	if got := mustJSON[map[string]any](t, other, "post", "show", "verbatim")["body"]; got != "{{< youtube id1 >}}" {
		t.Errorf("elsewhere: got %q, want %q", got, "{{< youtube id1 >}}")
	}
}

// TestLinesAreTheAuthors: what is said of a text has the line of the author's file, whatever is translated
// above it, and nothing is said twice.
func TestLinesAreTheAuthors(t *testing.T) {
	w := newWorld(t)
	w.mustAuthor(t)
	in := filepath.Join(w.dir, "in")
	for name, text := range map[string]string{
		"a.md": "---\ntitle: A\n---\n\n{% comment %}\nsecret\n{% endcomment %}\n\n{{< figure src=\"a%20b.png\"\n  " +
			"caption=\"C\" >}}\n\n<odd-one>\n\n![](b.png)\n",
		"b.mdx": "---\ntitle: B\n---\nimport X from './x'\nimport Y from './y'\n\n<X>in</X> {/* no\nno */}\n\n" +
			"<video-x>\n\n[see](gone.png)\n",
	} {
		mustWriteFile(t, filepath.Join(in, name), text)
	}
	want := map[string][]string{
		"a.md":  {"5: comment: ", "9: a b.png: ", "12: <odd-one> ", "14: b.png: "},
		"b.mdx": {"4: import: ", "7: <X>: ", "7: {/* */}: ", "10: <video-x> ", "12: gone.png: "},
	}
	for _, f := range mustJSON[imported](t, w, "import", in).Files {
		slices.SortStableFunc(f.Warnings, func(a, b string) int { return lineIn(a) - lineIn(b) })
		if len(f.Warnings) != len(want[f.File]) {
			t.Errorf("%s: got the warnings %q, want %q", f.File, f.Warnings, want[f.File])
			continue
		}
		for n, warning := range f.Warnings {
			if !strings.HasPrefix(warning, f.File+":"+want[f.File][n]) {
				t.Errorf("%q, want %q", warning, want[f.File][n])
			}
		}
	}
}

// lineIn is the line that a warning names.
func lineIn(warning string) int {
	n, _ := strconv.Atoi(strings.Split(warning, ":")[1])
	return n
}
