package posts_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"blog/internal/apperr"
	"blog/internal/posts"
	"blog/internal/repo"
)

func titles() map[string]string {
	return map[string]string{
		"Hello, World!":                "hello-world",
		"It's 5 o’clock":               "its-5-oclock",
		"  --C++ & Go_lang.. ":         "c-go-lang",
		"Café Über Øl":                 "café-über-øl",
		"Cafe\u0301":                   "café",
		"J\u030c":                      "ǰ",
		"ΟΔΟΣ":                         "οδοσ",
		"Привет, мир":                  "привет-мир",
		"日本語のタイトル":                     "日本語のタイトル",
		"สวัสดีชาวโลก":                 "สวัสดีชาวโลก",
		"שלום עולם":                    "שלום-עולם",
		"می\u200cخواهم":                "میخواهم",
		"नमस्ते दुनिया":                "नमस्ते-दुनिया",
		"\u0301 mark first":            "mark-first",
		"a \u0301b":                    "a-b",
		"🎉🎉":                           "",
		"🎉 party 🎉":                    "party",
		"½ and ²":                      "½-and-²",
		"...":                          "",
		"":                             "",
		"soft\u00adhyphen":             "softhyphen",
		"bad \xff bytes":               "bad-bytes",
		"\u202eevil\u202c":             "evil",
		"İstanbul":                     "i̇stanbul",
		strings.Repeat("ab ", 60):      strings.Repeat("ab-", 33) + "a",
		strings.Repeat("x", 150):       strings.Repeat("x", 100),
		strings.Repeat("x", 99) + " y": strings.Repeat("x", 99),
	}
}

func TestSlugify(t *testing.T) {
	for title, want := range titles() {
		got := posts.Slugify(title)
		if got != want && title != "İstanbul" { // its lower case may have a second dot or not
			t.Errorf("%q: %q, want %q", title, got, want)
		}
	}
}

func TestCheckSlug(t *testing.T) {
	for slug, want := range map[string]string{
		"hello": "hello", " Hello ": "hello", "a_b.c-d": "a_b.c-d", "Cafe\u0301": "café", "2024": "2024", "日本": "日本",
		strings.Repeat("é", 100): strings.Repeat("é", 100),
	} {
		got, problem := posts.CheckSlug(slug)
		if got != want {
			t.Errorf("%q: got %q, want %q", slug, got, want)
		}
		if problem != "" {
			t.Errorf("%q: got the problem %q, want none", slug, problem)
		}
	}
	for _, slug := range []string{
		"", " ", "new", "NEW", "feed.xml", "a b", "a/b", "../x", "..", ".", "-a", "_a", ".a", "a.", "a-", "a..b", "a?b",
		"a#b", "a%20b",
		"\u0301a", "a\u200bb", "a\u202eb", "a\x00b", "\xff", "🎉", strings.Repeat("é", 101), `a"b`, "a<b",
	} {
		got, problem := posts.CheckSlug(slug)
		if got != "" {
			t.Errorf("%q: got %q, want no slug", slug, got)
		}
		if problem == "" {
			t.Errorf("%q: got no problem, want one", slug)
		}
	}
}

func TestCheckPermalink(t *testing.T) {
	for path, want := range map[string]string{
		"/about": "/about", "about/": "/about", " /2020/05/old-post.html ": "/2020/05/old-post.html",
		"/über/uns":   "/über/uns",
		"/u\u0308ber": "/über", "//double//": "/double", "/.well-known/x": "/.well-known/x", "/a:b": "/a:b",
	} {
		got, problem := posts.CheckPermalink(path)
		if got != want {
			t.Errorf("%q: got %q, want %q", path, got, want)
		}
		if problem != "" {
			t.Errorf("%q: got the problem %q, want none", path, problem)
		}
	}
	for _, path := range []string{
		"", "/", "///", "/posts", "/Posts/x", "/feed.xml", "/a//b", "/a/../b", "/./a", "/a?b", "/a#b", "/a%20b", `/a\b`,
		"/a b", "/a<b>",
		"/a\x00", "/a\nb", "/\xff", "/a\u202eb", "/" + strings.Repeat("x", 300), "/a\u00a0b",
	} {
		got, problem := posts.CheckPermalink(path)
		if got != "" {
			t.Errorf("%q: got %q, want no permalink", path, got)
		}
		if problem == "" {
			t.Errorf("%q: got no problem, want one", path)
		}
	}
	for _, root := range posts.ReservedRoots() {
		if _, problem := posts.CheckPermalink("/" + root + "/x"); problem == "" {
			t.Errorf("/%s/x: got no problem, want one", root)
		}
	}
}

func FuzzSlug(f *testing.F) {
	for title := range titles() {
		f.Add(title)
	}
	f.Add("\u1e9e\u0345\u03b1")
	f.Add("A\u0300\u0316'\u0301B")
	f.Fuzz(func(t *testing.T, title string) {
		slug := posts.Slugify(title)
		if !utf8.ValidString(slug) {
			t.Fatalf("Slugify(%q) = %q, want UTF-8", title, slug)
		}
		if n := utf8.RuneCountInString(slug); n > 100 {
			t.Fatalf("Slugify(%q) = %q of %d characters, want at most 100", title, slug, n)
		}
		stored, problem := posts.CheckSlug(slug)
		if slug != "" && !slices.Contains(posts.ReservedSlugs(), slug) {
			if stored != slug {
				t.Fatalf("Slugify(%q) = %q, stored as %q, want it as it is", title, slug, stored)
			}
			if problem != "" {
				t.Fatalf("Slugify(%q) = %q, with the problem %q, want none", title, slug, problem)
			}
		}
		if again := posts.Slugify(slug); again != slug {
			t.Fatalf("Slugify(%q) = %q, want %q, as Slugify(%q)", slug, again, slug, title)
		}
		if stored, problem := posts.CheckSlug(title); problem == "" {
			again, problem := posts.CheckSlug(stored)
			if again != stored {
				t.Fatalf("CheckSlug(%q) = %q, want %q, as CheckSlug(%q)", stored, again, stored, title)
			}
			if problem != "" {
				t.Fatalf("CheckSlug(%q) has the problem %q, want none, as CheckSlug(%q)", stored, problem, title)
			}
		}
		if stored, problem := posts.CheckPermalink(title); problem == "" {
			again, problem := posts.CheckPermalink(stored)
			if again != stored {
				t.Fatalf("CheckPermalink(%q) = %q, want %q, as CheckPermalink(%q)", stored, again, stored, title)
			}
			if problem != "" {
				t.Fatalf("CheckPermalink(%q) has the problem %q, want none, as CheckPermalink(%q)", stored, problem, title)
			}
		}
	})
}

func TestSlugsThatCollide(t *testing.T) {
	w := mustWorld(t)
	for _, want := range []string{"same", "same-2", "same-3", "same-4", "same-5", "same-6"} {
		if ref := must(w, posts.Create{Title: "Same!"}); ref.Slug != want {
			t.Errorf("got %s, want %s", ref.Slug, want)
		}
	}
	for title, want := range map[string]string{
		"New": "post-new", "🎉": "post", "Feed.xml": "feed-xml", "Page": "post-page",
	} {
		if ref := must(w, posts.Create{Title: title}); ref.Slug != want {
			t.Errorf("%s: got %s, want %s", title, ref.Slug, want)
		}
	}
	if ref := must(w, posts.Create{Title: "🎈"}); ref.Slug != "post-2" {
		t.Errorf("got %s, want %s", ref.Slug, "post-2")
	}
}

// redirects checks where each address leads, as a page asks; "" means nowhere.
func (w *world) redirects(want map[string]string) {
	w.tb.Helper()
	for slug, to := range want {
		got, err := tryView(w, func(rd repo.Reader) (string, error) {
			if p, err := posts.BySlug(w.ctx, rd, slug); err == nil && p.Visible() {
				return p.Title, nil
			}
			moved, err := posts.Moved(w.ctx, rd, slug)
			if err != nil {
				return "", err
			}
			p, err := posts.BySlug(w.ctx, rd, moved)
			return "moved to " + p.Title, err
		})
		if got != to {
			w.tb.Errorf("%s leads to %q, want %q", slug, got, to)
		}
		if to == "" && !errors.Is(err, apperr.NotFound) {
			w.tb.Errorf("%s: got the error %v, want %v", slug, err, apperr.NotFound)
		}
		if to != "" && err != nil {
			w.tb.Errorf("%s: got the error %v, want none", slug, err)
		}
	}
}

func TestOldSlugs(t *testing.T) {
	w := mustWorld(t)
	rev := map[int64]int64{}
	create := func(title, slug string, publish bool) posts.Target {
		ref := must(w, posts.Create{Title: title, Slug: slug, Publish: publish})
		rev[ref.ID] = ref.Revision
		return posts.Target{ID: ref.ID}
	}
	rename := func(p posts.Target, slug string) {
		t.Helper()
		rev[p.ID] = must(w, posts.Update{Target: p, Revision: rev[p.ID], Slug: &slug}).Revision
	}
	a := create("A", "a", true)
	rename(a, "b")
	rename(a, "c")
	w.redirects(map[string]string{"a": "moved to A", "b": "moved to A", "c": "A", "d": ""})
	rename(a, "a") // renamed back
	w.redirects(map[string]string{"a": "A", "b": "moved to A", "c": "moved to A"})
	rename(a, "c")

	// A draft gets a's old address. That hides no page, and renaming the draft frees the address
	// again.
	d := create("Draft", "a", false)
	w.redirects(map[string]string{"a": "moved to A"})
	rename(d, "elsewhere")
	w.redirects(map[string]string{"a": "moved to A", "elsewhere": ""})
	rename(d, "a")
	must(w, posts.Publish{Target: d})
	w.redirects(map[string]string{"a": "Draft", "c": "A"}) // the slug of an existing post comes before a redirect
	rev[d.ID] = w.post(d.ID).Revision
	rename(d, "z")
	w.redirects(map[string]string{"a": "moved to Draft", "b": "moved to A"}) // the newest visible post at that slug

	must(w, posts.Unpublish{Target: a})
	w.redirects(map[string]string{"b": "", "c": "", "a": "moved to Draft"})
	must(w, posts.Delete{Target: d})
	w.redirects(map[string]string{"a": "", "z": ""})
	// A slug made from a title never uses another post's old address.
	if ref := must(w, posts.Create{Title: "B", Publish: true}); ref.Slug != "b-2" {
		t.Errorf("got %s, want %s", ref.Slug, "b-2")
	}
	must(w, posts.Publish{Target: a})
	w.redirects(map[string]string{"b": "moved to A"})
	if got := must(w, posts.Create{Title: "B", Slug: "b", Publish: true}); got.Slug != "b" {
		t.Errorf("got %s, want %s", got.Slug, "b")
	}
	w.redirects(map[string]string{"b": "B"})
}

// TestFindByWhatSomebodyTyped: commands find a post by its slug in any letter case and composition.
// An address has to be exact.
func TestFindByWhatSomebodyTyped(t *testing.T) {
	w := mustWorld(t)
	ref := must(w, posts.Create{Title: "T", Slug: "über"})
	for _, target := range []posts.Target{{ID: ref.ID}, {Post: "über"}, {Post: "ÜBER"}, {Post: " U\u0308ber "}} {
		p, err := tryView(w, func(rd repo.Reader) (posts.Post, error) { return target.Find(w.ctx, rd) })
		if err != nil {
			t.Errorf("%+v: got the error %v, want none", target, err)
		}
		if p.ID != ref.ID {
			t.Errorf("%+v: got the post %d, want %d", target, p.ID, ref.ID)
		}
	}
	for _, target := range []posts.Target{{}, {ID: 9}, {Post: "uber"}, {Post: "\xff"}} {
		if _, err := tryView(w, func(rd repo.Reader) (posts.Post, error) {
			return target.Find(w.ctx, rd)
		}); !errors.Is(err, apperr.NotFound) {
			t.Errorf("%+v: got the error %v, want %v", target, err, apperr.NotFound)
		}
	}
	if _, err := tryView(w, func(rd repo.Reader) (posts.Post, error) {
		return posts.BySlug(w.ctx, rd, "Über")
	}); !errors.Is(err, apperr.NotFound) {
		t.Errorf("another address: got the error %v, want %v", err, apperr.NotFound)
	}
}
