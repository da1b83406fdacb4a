package main_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// shownPost is what `blog post show` says of a post.
type shownPost struct {
	Body  string `json:"body"`
	State string `json:"state"`
}

// TestLinksToPrivateFiles: the slug of a post that is not for everybody is in no text that is, unless it stands there
// already, and the report does not say that there is no file.
func TestLinksToPrivateFiles(t *testing.T) {
	w := newWorld(t)
	w.mustAuthor(t)
	in := filepath.Join(w.dir, "in")
	const open = "---\ndate: 2019-01-01\n"
	for name, text := range map[string]string{
		"n1.md": open + "slug: plan-b\nprivate: true\n---\nText.\n", "n2.md": open + "slug: plan-c\n---\nText.\n",
		"n3.md": "---\nslug: plan-d\ndate: 2199-01-01\n---\nText.\n", "_drafts/n4.md": open + "slug: plan-e\n---\nText.\n",
		"n5.md": open + "slug: plan-f\nexpiryDate: 2019-02-01\n---\nText.\n", "sec/_index.md": "---\ndraft: true\n---\n",
		"sec/n6.md": open + "slug: plan-g\n---\nText.\n", "plan-h.md": open + "private: true\n---\nText.\n",
		"n7.md": open + "slug: plan-i\nstatus: ripe\n---\nText.\n",
		"from.md": open + "---\n[1](n1.md) [2](n2.md) [3](n3.md) [4](_drafts/n4.md) [5](n5.md) [6](sec/n6.md) [7](n7.md) " +
			"[8](plan-h.md)\n\n[[n1]]\n",
		"hid.md": open + "private: true\n---\n[1](n1.md)\n",
	} {
		mustWriteFile(t, filepath.Join(in, filepath.FromSlash(name)), text)
	}
	sum := decode[imported](t, w.run(t, "import", in, "--json").out)
	const want = "[1](n1.md) [2](</posts/plan-c>) [3](n3.md) [4](_drafts/n4.md) [5](n5.md) [6](sec/n6.md) [7](n7.md) " +
		"[8](</posts/plan-h>)\n\n[[n1]]"
	if got := mustJSON[shownPost](t, w, "post", "show", "from").Body; got != want {
		t.Errorf("got the text\n%s\nwant\n%s", got, want)
	}
	if got, want := mustJSON[shownPost](t, w, "post", "show", "hid").Body, "[1](</posts/plan-b>)"; got != want {
		t.Errorf("got the text %q of a post that is as private, want %q", got, want)
	}
	for _, f := range sum.Files {
		for _, warning := range f.Warnings {
			if strings.Contains(warning, "leads to no file") {
				t.Errorf("got the warning %q, want it to say that the post is not for everybody", warning)
			}
		}
	}
	if got := sum.LeftOut["link"]; got != 6 {
		t.Errorf("got %d links left as they are, want 6: %v", got, sum.LeftOut)
	}
}

// TestPicturesBesidePrivateFiles: a text that names a picture by nothing but its name does not get one that lies
// where nothing is for everybody.
func TestPicturesBesidePrivateFiles(t *testing.T) {
	w := newWorld(t)
	w.mustAuthor(t)
	root := filepath.Join(w.dir, "root")
	in := filepath.Join(root, "in")
	const open = "---\ndate: 2019-01-01\n---\n"
	for name, text := range map[string]string{
		"posts/a.md": open + "![](a.png) ![](b.png) ![](c.png) ![](d.png) ![](e.png) ![](f.png)\n",
		"posts/b.md": open + "![](../_drafts/a.png)\n", "bundle/index.md": "---\nprivate: true\n---\n![](c.png)\n",
		"sec/_index.md": "---\ndraft: true\n---\n", "sec/c.md": open + "![](d.png)\n", "ele/ele.json": `{"permalink": false}`,
	} {
		mustWriteFile(t, filepath.Join(in, filepath.FromSlash(name)), text)
	}
	for n, name := range []string{
		"in/_drafts/a.png", "in/x/private/b.png", "in/bundle/c.png", "in/sec/pictures/d.png", "in/ele/e.png", "in/open/f.png",
	} {
		mustPicture(t, filepath.Join(root, filepath.FromSlash(name)), uint8(n+1)) // #nosec G115 -- six
	}
	want := map[string]int{"posts/a.md": 5, "posts/b.md": 0, "bundle/index.md": 0, "sec/c.md": 0}
	for _, args := range [][]string{{"import", in}, {"import", in, "--root", root}} {
		sum := mustJSON[imported](t, w, append(args, "--dry-run")...)
		for _, f := range sum.Files {
			n := strings.Count(strings.Join(f.Warnings, "\n"), "its alternative text is shown instead")
			if n != want[f.File] {
				t.Errorf("%v: %s: got %d pictures that are not shown, want %d: %q", args[2:], f.File, n, want[f.File], f.Warnings)
			}
		}
	}
	// In an export a picture has a path.
	file := filepath.Join(w.dir, "export", "wordpress.xml")
	mustWriteFile(t, file, strings.Replace(wxrExport, "a-300x200.png", "a.png\"><img src=\"s.png", 1))
	mustPicture(t, filepath.Join(w.dir, "export", "wp-content", "uploads", "2020", "01", "a.png"), 1)
	mustPicture(t, filepath.Join(w.dir, "export", "wp-content", "uploads", "2020", "02", "s.png"), 2)
	sum := mustJSON[imported](t, w, "import", file, "--dry-run")
	if got := sum.LeftOut["picture"]; got != 1 {
		t.Errorf("got %d pictures left out of the export, want 1: %v", got, sum.LeftOut)
	}
}
