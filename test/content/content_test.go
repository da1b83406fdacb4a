// Package content_test reads the sample content as people do: it imports the content with the
// command line, and opens every page of it in a real browser.
package content_test

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"blog/internal/app"
	"blog/test/browser"
	"blog/test/cluster"
)

// serve starts a blog of its own on a plain file, with the sample content.
func serve(t *testing.T) (address string) {
	t.Helper()
	dir := t.TempDir()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	config := app.Config{
		DatabasePath: filepath.Join(dir, "blog.db"), ListenAddr: "127.0.0.1:0", PrivateAddr: "127.0.0.1:0",
		Title:       "Lamplight",
		Description: "Notes on programs, type and distance, from a blog that lives in every region at once.",
	}
	s, err := app.Open(t.Context(), config, app.Options{Logger: log, Out: io.Discard, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cluster.MustClose(t, "blog", s.Close(context.WithoutCancel(t.Context()))) })
	blog := func(stdin string, args ...string) {
		// #nosec G204 -- the test's own program
		cmd := exec.CommandContext(t.Context(), cluster.Build(t, "./cmd/blog"), args...)
		cmd.Env = append(os.Environ(), "DATABASE_PATH="+config.DatabasePath, "PRIVATE_ADDR="+s.PrivateAddr.String())
		cmd.Stdin = strings.NewReader(stdin)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("blog %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	content := filepath.Join(cluster.Root(t), "content")
	blog("correct horse battery staple", "user", "add", "ada@example.org", "--name", "Ada", "--password-file", "-")
	blog("", "import", content)
	exported := filepath.Join(dir, "exported")
	blog("", "export", exported)
	sameTree(t, content, exported)
	return "http://" + s.PublicAddr.String()
}

// sameTree checks that an export equals what was imported, byte for byte.
func sameTree(t *testing.T, want, got string) {
	t.Helper()
	there := os.DirFS(got)
	here := os.DirFS(want)
	err := fs.WalkDir(here, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		a, err := fs.ReadFile(here, path)
		if err != nil {
			return err
		}
		b, err := fs.ReadFile(there, path)
		if err != nil {
			t.Errorf("not exported: %v", err)
		} else if !bytes.Equal(a, b) {
			t.Errorf("%s was exported with other bytes", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// audit finds what no page may have, whatever its text: sideways scrolling, repeated ids, pictures
// that did not load, skipped levels of headings.
const audit = `(() => {
	const found = [];
	const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
	if (wide > 0) found.push("scrolls sideways by " + wide + " px");
	const ids = new Set();
	for (const e of document.querySelectorAll("[id]")) {
		if (ids.has(e.id)) found.push("id twice: " + e.id);
		ids.add(e.id);
	}
	for (const i of document.images) {
		i.loading = "eager";
		if (i.complete && i.naturalWidth === 0) found.push("picture not loaded: " + i.src);
	}
	let level = 0;
	for (const h of document.querySelectorAll("h1,h2,h3,h4,h5,h6")) {
		const n = Number(h.tagName[1]);
		if (n > level + 1) found.push("heading level left out before: " + h.textContent);
		level = n;
	}
	for (const a of document.querySelectorAll("a[href^='#']")) {
		const id = decodeURIComponent(a.getAttribute("href").slice(1));
		if (id && !document.getElementById(id)) found.push("link to nowhere: #" + id);
	}
	if (document.querySelectorAll("h1").length !== 1) found.push("not one h1");
	return found.join("; ");
})()`

func TestEveryPageOfTheSampleContent(t *testing.T) {
	address := serve(t)
	tab := browser.Must(t).MustTab(t)
	tab.MustSize(t, 1280, 900, "light")
	tab.MustOpen(t, address+"/posts")
	pages := []string{"/", "/posts", "/posts?page=2", "/tags", "/search?q=database"}
	for _, path := range []string{"/posts", "/posts?page=2"} {
		tab.MustOpen(t, address+path)
		links := browser.MustEval[string](t, tab,
			`[...document.querySelectorAll("main li[id^=post-] h2 a")].map(a => a.getAttribute("href")).join("\n")`)
		pages = append(pages, strings.Split(links, "\n")...)
	}
	if len(pages) < 30 {
		t.Fatalf("only %d pages: %v", len(pages), pages)
	}
	for _, size := range []struct {
		width, height int64
		scheme        string
	}{{1280, 900, "light"}, {320, 700, "dark"}} {
		tab.MustSize(t, size.width, size.height, size.scheme)
		for _, path := range pages {
			tab.MustOpen(t, address+path)
			if found := browser.MustEval[string](t, tab, audit); found != "" {
				t.Errorf("%s at %d px: %s, want none", path, size.width, found)
			}
			tab.SaveScreenshot(t, size.scheme+strings.NewReplacer("/", "_", "?", "_", "=", "_").Replace(path))
		}
	}
}

// TestPermalinks follows an address that the sample content has as a permalink.
func TestPermalinks(t *testing.T) {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, serve(t)+"/about-this-blog", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	cluster.MustClose(t, "body", res.Body.Close())
	if got := res.Header.Get("Location"); res.StatusCode != http.StatusMovedPermanently ||
		got != "/posts/how-this-blog-works" {
		t.Errorf("status %d to %q, want %d and %q", res.StatusCode, got, http.StatusMovedPermanently,
			"/posts/how-this-blog-works")
	}
}
