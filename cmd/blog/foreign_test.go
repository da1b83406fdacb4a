package main_test

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"blog/test/cluster"
)

// wxrExport is an export with what WordPress has: posts for everybody and for nobody, a page, a picture.
const wxrExport = `<?xml version="1.0" encoding="UTF-8"?>
<rss xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:wp="http://wordpress.org/export/1.2/"><channel>
<wp:wxr_version>1.2</wp:wxr_version><wp:base_blog_url>https://old.example</wp:base_blog_url>
<item><title>Open</title><link>https://old.example/2020/01/open/</link><wp:post_id>1</wp:post_id>
<content:encoded><![CDATA[<img src="https://old.example/wp-content/uploads/2020/01/a-300x200.png" alt="A">
<a href="https://old.example/2020/01/secret/">s</a>]]></content:encoded>
<wp:post_date_gmt>2020-01-02 03:04:05</wp:post_date_gmt>
<wp:post_name>open</wp:post_name><wp:status>publish</wp:status><wp:post_type>post</wp:post_type>
<wp:comment><wp:comment_id>1</wp:comment_id></wp:comment></item>
<item><title>Secret</title><link>https://old.example/2020/01/secret/</link><wp:post_id>2</wp:post_id>
<content:encoded>hush</content:encoded><wp:post_date_gmt>2020-01-02 03:04:05</wp:post_date_gmt>
<wp:post_name>secret</wp:post_name><wp:status>publish</wp:status><wp:post_type>post</wp:post_type>
<wp:post_password>p</wp:post_password></item>
<item><title>Private</title><link>https://old.example/private/</link><wp:post_id>3</wp:post_id>
<wp:post_date_gmt>2020-01-02 03:04:05</wp:post_date_gmt><wp:post_name>private</wp:post_name>
<wp:status>private</wp:status><wp:post_type>post</wp:post_type></item>
<item><title>Later</title><link>https://old.example/later/</link><wp:post_id>4</wp:post_id>
<wp:post_date_gmt>2199-01-02 03:04:05</wp:post_date_gmt><wp:post_name>later</wp:post_name>
<wp:status>future</wp:status><wp:post_type>post</wp:post_type></item>
<item><title>About</title><link>https://old.example/about/</link><wp:post_id>5</wp:post_id>
<wp:post_date_gmt>2020-01-02 03:04:05</wp:post_date_gmt><wp:post_name>about</wp:post_name>
<wp:status>publish</wp:status><wp:post_type>page</wp:post_type></item>
</channel></rss>
`

// ghostExport is a post for everybody, and one for members.
const ghostExport = `{"db":[{"data":{"posts":[
{"id":1,"title":"G","slug":"g","status":"published","visibility":"public","published_at":"2020-01-02T03:04:05Z",
"html":"<p><a href=\"__GHOST_URL__/members/\">m</a> <img src=\"__GHOST_URL__/content/images/g.png\"></p>"},
{"id":2,"title":"M","slug":"members","status":"published","visibility":"paid","published_at":"2020-01-02T03:04:05Z",
"html":"<p>hush</p>"}]}}]}`

// writeFreelyExport is a post of a public blog, and one of another.
const writeFreelyExport = `{"username":"ann","collections":[
{"alias":"ann","public":true,"posts":[{"id":"1","slug":"w","title":"W","body":"*w*","created":"2020-01-02T03:04:05Z"}]},
{"alias":"x","public":false,"posts":[
{"id":"2","slug":"x","title":"X","body":"hush","created":"2020-01-02T03:04:05Z"}]}]}`

// TestExportsOfOtherSystems imports what each system exports, twice, and asks for each post by its old
// address as a reader does: what was not for everybody is not.
func TestExportsOfOtherSystems(t *testing.T) {
	w := newWorld(t)
	w.mustAuthor(t)
	in := filepath.Join(w.dir, "in")
	s := w.mustServe(t)
	for name, c := range map[string]struct {
		text    string
		states  map[string]string // by entry
		leftOut map[string]int
		old     string // the address of a public post there, and the one here
		here    string
		private []string
	}{
		"wordpress.xml": {
			wxrExport, map[string]string{
				"posts/open.md": "published", "posts/secret.md": "draft", "posts/private.md": "draft",
				"posts/later.md": "scheduled",
				"pages/about.md": "draft",
			}, map[string]int{"comment": 1, "page": 1, "private": 3},
			"/2020/01/open/", "/posts/open",
			[]string{"/posts/secret", "/2020/01/secret", "/posts/private", "/posts/later", "/later", "/posts/about", "/about"},
		},
		"ghost.json": {
			ghostExport, map[string]string{"posts/g.md": "published", "posts/members.md": "draft"},
			map[string]int{"private": 1}, "/g/", "/posts/g", []string{"/posts/members", "/members"},
		},
		"writefreely.json": {
			writeFreelyExport, map[string]string{"posts/w.md": "published", "posts/x.md": "draft"},
			map[string]int{"private": 1, "choice": 2}, "/w", "/posts/w", []string{"/posts/x", "/x"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(in, name)
			mustWriteFile(t, file, c.text)
			mustPicture(t, filepath.Join(in, "wp-content", "uploads", "2020", "01", "a.png"), 1)
			mustPicture(t, filepath.Join(in, "content", "images", "g.png"), 2)
			dry := mustJSON[imported](t, w, "import", file, "--author", "Ann", "--dry-run")
			sum := mustJSON[imported](t, w, "import", file, "--author", "Ann")
			if sum.New != len(c.states) {
				t.Fatalf("got %d new, want %d: %+v", sum.New, len(c.states), sum)
			}
			if len(dry.Files) != len(c.states) {
				t.Fatalf("got %d files in the dry run, want %d: %+v", len(dry.Files), len(c.states), dry)
			}
			for n, f := range sum.Files {
				want := c.states[f.File]
				if f.Post.State != want {
					t.Errorf("%s: got the state %q, want %q", f.File, f.Post.State, want)
				}
				if got := dry.Files[n].Would; got != want {
					t.Errorf("%s: got the state %q in the dry run, want %q", f.File, got, want)
				}
				for _, warning := range f.Warnings {
					if !strings.HasPrefix(warning, name+":") {
						t.Errorf("got the warning %q, want it to begin with %q and a line", warning, name+":")
					}
					if want := ": " + f.File + ": "; !strings.Contains(warning, want) {
						t.Errorf("got the warning %q, want %q in it", warning, want)
					}
				}
			}
			for kind, n := range c.leftOut {
				if sum.LeftOut[kind] != n {
					t.Errorf("%d left out of kind %s, want %d", sum.LeftOut[kind], kind, n)
				}
			}
			if sum.LeftOut["picture"] != 0 {
				t.Errorf("got %d pictures left out, want 0: %v", sum.LeftOut["picture"], sum.LeftOut)
			}
			if again := mustJSON[imported](t, w, "import", file, "--author", "Ann"); again.Unchanged != len(c.states) {
				t.Errorf("again: got %d unchanged, want %d: %+v", again.Unchanged, len(c.states), again)
			}
			if got := redirect(t, s.url+c.old); got != c.here {
				t.Errorf("%s leads to %q, want %q", c.old, got, c.here)
			}
			for _, address := range append(c.private, c.here+"x") {
				if code := status(t, s.url+address); code != http.StatusNotFound {
					t.Errorf("%s: a reader gets %d, want %d", address, code, http.StatusNotFound)
				}
			}
		})
	}
	body := mustJSON[map[string]any](t, w, "post", "show", "open")["body"]
	if want := "![A](/wp-content/uploads/2020/01/a.png)  \n[s](/posts/secret)"; body != want {
		t.Errorf("got\n%s\nwant\n%s", body, want)
	}
	out := filepath.Join(w.dir, "out")
	w.must(t, "export", out)
	again := mustJSON[imported](t, w, "import", out, "--author", "Ann")
	if len(again.Files) != 9 {
		t.Errorf("an import of what was exported here: got %d files, want 9: %+v", len(again.Files), again)
	}
	if again.Unchanged != len(again.Files) {
		t.Errorf("an import of what was exported here: got %d unchanged, want all %d: %+v", again.Unchanged,
			len(again.Files), again)
	}
	s.mustStop(t, syscall.SIGTERM)
}

// redirect is where an address leads, without the site.
func redirect(t *testing.T, url string) string {
	t.Helper()
	for range 5 {
		req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if errClose := res.Body.Close(); errClose != nil {
			t.Error(errClose)
		}
		to, err := res.Location()
		if err != nil {
			return req.URL.Path
		}
		url = to.String()
	}
	return "in circles"
}

// TestExportsThatAreNone: what is no export is refused with its line, and a pipe is not waited for.
func TestExportsThatAreNone(t *testing.T) {
	w := newWorld(t)
	w.mustAuthor(t)
	pipe := filepath.Join(w.dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(w.dir, "half.xml")
	mustWriteFile(t, half, wxrExport[:len(wxrExport)/2])
	for file, c := range map[string]struct {
		code int
		want string
	}{
		pipe: {1, "it is not a file"}, half: {1, "half.xml:"}, filepath.Join(w.dir, "none"): {2, "no such file"},
		filepath.Join(cluster.Root(t), "README.md"): {1, "README.md:1: this is no export"},
	} {
		o := w.run(t, "import", file)
		o.expectCode(t, file, c.code)
		o.expectErr(t, file, c.want)
	}
}
