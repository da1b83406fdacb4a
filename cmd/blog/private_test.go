package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPrivateFilesStayPrivate imports files that are not for everybody, as new posts and onto posts
// that are published, and asks for each as a reader does. The report says why each is none.
func TestPrivateFilesStayPrivate(t *testing.T) {
	w := newWorld(t)
	w.mustAuthor(t)
	in := filepath.Join(w.dir, "in")
	fronts := map[string]string{
		"published": "published: false", "status": "Status: Draft", "future": "publishDate: 2199-01-01",
		"expired": "expiryDate: 2020-01-01", "members": "visibility: members", "password": "password: hush",
	}
	for name := range fronts {
		mustWriteFile(t, filepath.Join(in, name+".md"), "---\ndate: 2019-01-01\n---\nText.\n")
	}
	if sum := mustJSON[imported](t, w, "import", in); sum.New != len(fronts) {
		t.Fatalf("got %d new, want %d: %+v", sum.New, len(fronts), sum)
	}
	for name, front := range fronts {
		for _, file := range []string{name, "new-" + name} {
			mustWriteFile(t, filepath.Join(in, file+".md"), "---\ndate: 2019-01-01\n"+front+"\n---\nText.\n")
		}
	}
	mustWriteFile(t, filepath.Join(in, "_drafts", "folder.md"), "---\ndate: 2019-01-01\n---\nText.\n")
	mustWriteFile(t, filepath.Join(in, "sec", "_index.md"), "---\ncascade: {publishDate: 2199-01-01}\n---\n")
	mustWriteFile(t, filepath.Join(in, "sec", "section.md"), "---\ndate: 2019-01-01\n---\nText.\n")
	for link, to := range map[string]string{"link.md": "sec/section.md", "link2.md": "_drafts/folder.md"} {
		if err := os.Symlink(to, filepath.Join(in, link)); err != nil {
			t.Fatal(err)
		}
	}
	mustWriteFile(t, filepath.Join(in, "unclear.md"), "---\ndate: 2019-01-01\nstatus: ripe\n---\nText.\n")
	o := w.run(t, "import", in, "--json")
	sum := decode[imported](t, o.out)
	o.expectCode(t, "import", 1)
	if sum.Updated != len(fronts) {
		t.Errorf("got %d updated, want %d: %s", sum.Updated, len(fronts), o.out)
	}
	if want := len(fronts) + 4; sum.New != want {
		t.Errorf("got %d new, want %d: %s", sum.New, want, o.out)
	}
	if sum.Refused != 1 {
		t.Errorf("got %d refused, want 1: %s", sum.Refused, o.out)
	}
	s := w.mustServe(t)
	for _, f := range sum.Files {
		if f.Status == "refused" {
			if got, want := f.Error.Fields["status"], "unclear.md:3: status: "; !strings.Contains(got, want) {
				t.Errorf("%s: got the message %q, want %q in it", f.File, got, want)
			}
			continue
		}
		if len(f.Warnings) == 0 {
			t.Errorf("%s: got no warning, want one that says why it is not public", f.File)
		}
		slug := strings.TrimSuffix(filepath.Base(f.File), ".md")
		if code := status(t, s.url+"/posts/"+slug); code != http.StatusNotFound {
			t.Errorf("%s: a reader gets %d, want %d", slug, code, http.StatusNotFound)
		}
	}
	if code := status(t, s.url+"/posts/unclear"); code != http.StatusNotFound {
		t.Errorf("what cannot be told: a reader gets %d, want %d", code, http.StatusNotFound)
	}
	for name, front := range fronts {
		file := filepath.Join(w.dir, name+".md")
		mustWriteFile(t, file, "---\ntitle: T\nslug: by-"+name+"\ndate: 2019-01-01\n"+front+"\n---\nText.\n")
		w.must(t, "post", "new", file)
		if code := status(t, s.url+"/posts/by-"+name); code != http.StatusNotFound {
			t.Errorf("post new %s: a reader gets %d, want %d", name, code, http.StatusNotFound)
		}
	}
	for name, front := range map[string]string{
		"nodate": "status: scheduled", "ripe": "status: ripe", "hid": "title: T\n---\n\ufeff---\nprivate: true",
	} {
		file := filepath.Join(w.dir, name+".md")
		text := "---\ntitle: T\nslug: by-" + name + "\n" + front + "\n---\nText.\n"
		if name == "hid" {
			text = "\n" + text
		}
		mustWriteFile(t, file, text)
		o := w.run(t, "post", "new", "--title", "T", "--slug", "by-"+name, file)
		refused := name != "nodate"
		if got := o.code != 0; got != refused {
			t.Errorf("post new %s: got exit code %d, want it refused: %t: %s", name, o.code, refused, o.err)
		}
		if refused {
			o.expectErr(t, "post new "+name, name+".md:")
		}
		if code := status(t, s.url+"/posts/by-"+name); code != http.StatusNotFound {
			t.Errorf("post new %s: a reader gets %d, want %d", name, code, http.StatusNotFound)
		}
	}
	for n, file := range []string{filepath.Join(in, "sec", "section.md"), filepath.Join(in, "link2.md")} {
		slug := fmt.Sprintf("place-%d", n)
		w.must(t, "post", "new", "--slug", slug, "--title", "T", file)
		if code := status(t, s.url+"/posts/"+slug); code != http.StatusNotFound {
			t.Errorf("post new %s: a reader gets %d, want %d", file, code, http.StatusNotFound)
		}
	}
	s.mustStop(t, syscall.SIGTERM)
}

// TestPlacesOfFolders: what is above the files says as much when the folder is named by a link or by a dot, or
// is one below, and a section's page that cannot be read is no leave to publish.
func TestPlacesOfFolders(t *testing.T) {
	w := newWorld(t)
	w.mustAuthor(t)
	const text = "---\ndate: 2019-01-01\n---\nText.\n"
	drafts := filepath.Join(w.dir, "_drafts")
	mustWriteFile(t, filepath.Join(drafts, "one.md"), text)
	mustWriteFile(t, filepath.Join(drafts, "deep", "two.md"), text)
	link := filepath.Join(w.dir, "link")
	if err := os.Symlink(drafts, link); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{link, filepath.Join(drafts, "deep"), drafts + "/deep/../"} {
		for _, f := range mustJSON[imported](t, w, "import", dir, "--dry-run").Files {
			if f.Would != "draft" {
				t.Errorf("%s in %s: got the state %q, want %q", f.File, dir, f.Would, "draft")
			}
			if len(f.Warnings) != 1 {
				t.Errorf("%s in %s: got %d warnings, want 1: %q", f.File, dir, len(f.Warnings), f.Warnings)
			}
		}
	}
	broken := filepath.Join(w.dir, "broken")
	mustWriteFile(t, filepath.Join(broken, "_index.md"), "---\ncascade: [\n---\n")
	mustWriteFile(t, filepath.Join(broken, "a.md"), text)
	mustWriteFile(t, filepath.Join(broken, "b.md"), "---\ndate: 2019-01-01\nis_draft: false\n---\nText.\n")
	mustWriteFile(t, filepath.Join(broken, "c.md"), "---\ntitle: C\n---\nText.\n")
	sum := decode[imported](t, w.run(t, "import", broken, "--json").out)
	if sum.New != 2 {
		t.Errorf("got %d new, want 2: %+v", sum.New, sum)
	}
	if sum.Refused != 1 {
		t.Fatalf("got %d refused, want 1: %+v", sum.Refused, sum)
	}
	if got, want := sum.Files[0].Error.Fields["file"], "a.md:1: _index.md:2"; !strings.Contains(got, want) {
		t.Errorf("%s: got the message %q, want %q in it", sum.Files[0].File, got, want)
	}
}

// TestPrivateTextsWithoutFrontMatter: who names a file means to publish it, but for what the file, its place or its
// folder says, as an import would have it. What no import reads as front matter is no leave to publish either.
func TestPrivateTextsWithoutFrontMatter(t *testing.T) {
	w := newWorld(t)
	w.mustAuthor(t)
	s := w.mustServe(t)
	at := func(parts ...string) string { return filepath.Join(append([]string{w.dir}, parts...)...) }
	for name, text := range map[string]string{
		"_drafts/plain.md": "Text.\n", "drafts/plain.md": "Text.\n", "x/two.draft.md": "Text.\n",
		"x/marked.md": "A\n<!--members-only-->\nB\n", "x/open.md": "Text.\n",
		"sec/_index.md": "---\ndraft: true\n---\n", "sec/below.md": "Text.\n",
		"ele/ele.json": `{"permalink": false}`, "ele/data.md": "Text.\n",
		"x/nikola.md": ".. status: draft\n\nText.\n", "x/pelican.md": "Title: T\nStatus: hidden\n\nText.\n",
		"x/above.md":       "<!-- (c) -->\n---\npublished: false\n---\nText.\n",
		"broken/_index.md": "---\ncascade: [\n---\n", "broken/below.md": "Text.\n",
		"x/later.md": "Date: 2199-01-01\n\nText.\n",
	} {
		mustWriteFile(t, at(filepath.FromSlash(name)), text)
	}
	for link, to := range map[string]string{"x/in.md": "../_drafts/plain.md", "_drafts/out.md": "../x/open.md"} {
		if err := os.Symlink(to, at(filepath.FromSlash(link))); err != nil {
			t.Fatal(err)
		}
	}
	for n, c := range []struct{ file, state string }{
		{at("_drafts", "plain.md"), "draft"}, {"_drafts/plain.md", "draft"}, {at("drafts", "plain.md"), "draft"},
		{"drafts/plain.md", "draft"}, {"x/two.draft.md", "draft"}, {"x/marked.md", "draft"}, {"sec/below.md", "draft"},
		{"ele/data.md", "draft"}, {"x/in.md", "draft"}, {"_drafts/out.md", "draft"}, {at("_drafts", "out.md"), "draft"},
		{"x/open.md", "published"}, {at("x", "open.md"), "published"},
		{"x/nikola.md", ""}, {"x/pelican.md", ""}, {"x/above.md", ""}, {"x/later.md", ""}, {"broken/below.md", ""},
	} {
		slug := fmt.Sprintf("text-%d", n)
		o := w.run(t, "post", "new", "--title", "T", "--slug", slug, c.file, "--json")
		if c.state == "" {
			if o.code == 0 {
				t.Errorf("%s: got exit code 0, want it refused: %s", c.file, o.out)
			}
			if got := decode[refusal](t, o.out).Error.Fields; len(got) != 1 {
				t.Errorf("%s: got the fields %v, want one with the file and its line", c.file, got)
			}
		} else if got := decode[written](t, o.out).Post.State; got != c.state {
			t.Errorf("%s: got the state %q, want %q: %s", c.file, got, c.state, o.err)
		}
		want := http.StatusNotFound
		if c.state == "published" {
			want = http.StatusOK
		}
		if code := status(t, s.url+"/posts/"+slug); code != want {
			t.Errorf("%s: a reader gets %d, want %d", c.file, code, want)
		}
	}
	for _, name := range []string{"x/pelican.md", "x/later.md"} {
		w.must(t, "post", "new", "--draft", "--title", "T", name)
	}
	for n, text := range []string{"Status: draft\n\nText.\n", "A\n<!-- paywall -->\nB\n"} {
		slug := fmt.Sprintf("pipe-%d", n)
		w.pipe(t, text, "post", "new", "--title", "T", "--slug", slug, "-")
		if code := status(t, s.url+"/posts/"+slug); code != http.StatusNotFound {
			t.Errorf("%q: a reader gets %d, want %d", text, code, http.StatusNotFound)
		}
	}
	s.mustStop(t, syscall.SIGTERM)
}

// status is what a reader's request is answered with.
func status(t *testing.T, url string) int {
	t.Helper()
	code, _ := fetch(t, url)
	return code
}
