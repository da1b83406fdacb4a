package posts_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"blog/internal/posts"
	"blog/internal/repo"
)

// mustLibrary returns a world with a few posts to search.
func mustLibrary(tb testing.TB) *world {
	tb.Helper()
	w := mustWorld(tb)
	for _, c := range []posts.Create{
		{
			Title: "Replication by hand", Slug: "replication", Description: "How rows travel",
			Body: "A primary sends what it commits. Databases are replicated, and the café's résumé is read.",
			Tags: []string{"go", "sqlite"},
		},
		{
			Title: "Gardening", Slug: "garden",
			Body: "Nothing about rows of code, only rows of tomatoes. 100% organic_food and 50% sun.", Tags: []string{"leisure"},
		},
		{Title: "東京の夏", Slug: "tokyo", Body: "今年の夏、東京で花火を見ました。SQLite の話ではありません。", Tags: []string{"旅行"}},
		{Title: "ภาษาไทย", Slug: "thai", Body: "สวัสดีชาวโลก ยินดีต้อนรับ", Description: "ไทย"},
		{Title: "Привет, мир", Slug: "privet", Body: "Реплика и первичный узел: кофе."},
		{
			Title: `Quotes "and" <tags>`, Slug: "quotes",
			Body: "The words AND, OR and NOT are words. C++ is written here: a-b-c foo:bar `x < y`.",
		},
	} {
		c.Publish = true
		must(w, c)
	}
	must(w, posts.Create{Title: "Hidden", Slug: "hidden", Body: "rows 東京 secretword"})
	return w
}

func (w *world) search(query string) posts.Results {
	w.tb.Helper()
	return view(w, func(rd repo.Reader) (posts.Results, error) { return posts.Search(w.ctx, rd, query, 1) })
}

// slugs returns the slugs of the results, best first.
func slugs(r posts.Results) string {
	var out []string
	for _, r := range r.List {
		out = append(out, r.Slug)
	}
	return strings.Join(out, " ")
}

// queries returns what each query finds.
func queries() map[string]string {
	return map[string]string{
		"replication": "replication", "REPLICATION": "replication", "replicate": "replication", "databases": "replication",
		"cafe": "replication", "resume": "replication",
		"tomatoes rows": "garden", "tomatoes AND rows": "garden", "tomatoes & rows": "garden",
		"tomatoes nothing rows zebra": "",
		"tomatoes OR primary":         "replication garden", "primary | tomatoes": "replication garden",
		"rows -tomatoes": "replication", "rows NOT tomatoes": "replication", "rows !tomatoes": "replication",
		"rows -tomatoes OR tomatoes": "replication garden", `"rows of code"`: "garden", `"code of rows"`: "",
		`rows -"of code"`: "replication",
		"replic*":         "replication", "repli": "", "tag:go": "replication", "tag:go*": "replication",
		"tags:leisure":    "garden",
		"title:gardening": "garden", "title:rows": "", "body:rows": "garden",
		"description:rows": "replication", "text:tomatoes": "garden", `title:"by hand"`: "replication",
		"-title:hand rows": "garden", "unknown:rows": "",
		"东京": "", "東京": "tokyo", "花火": "tokyo", "夏 東京": "tokyo", "東京 -夏": "", "東京 OR gardening": "tokyo garden",
		"東京 sqlite": "tokyo", "tag:旅行": "tokyo", "title:花火": "", `"夏、東京"`: "tokyo",
		"ชาวโลก": "thai", "ไทย": "thai", "description:ไทย": "thai", "привет": "privet", "РЕПЛИКА": "privet",
		"secretword": "", "hidden": "", "C++": "quotes", "a-b-c": "quotes", "foo:bar": "quotes", "AND": "",
		"and words": "quotes", `"and"`: "quotes garden replication",
		"(rows)": "garden replication", "organic_food": "garden", "100%": "garden", "東%": "", "東_": "", "花!": "tokyo",
		"花!火": "", `quotes"`: "quotes", `"quotes`: "quotes",
		"OR": "", "NOT": "", "-": "", "*": "", `""`: "", "-rows": "", "rows OR": "garden replication",
		"OR rows": "garden replication", "NOT NOT rows": "", "rows NOT": "garden replication",
		"tag:": "", `title:""`: "", "{title}": "", "title:{x} rows": "", "NEAR(rows code)": "", "^rows": "garden replication",
		"rows*tomatoes": "", "'; DROP TABLE posts; --": "",
	}
}

func sameSet(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	seen := map[string]int{}
	for _, s := range x {
		seen[s]++
	}
	for _, s := range y {
		seen[s]--
	}
	for _, n := range seen {
		if n != 0 {
			return false
		}
	}
	return true
}

func TestSearch(t *testing.T) {
	w := mustLibrary(t)
	for query, want := range queries() {
		r := w.search(query)
		if got := slugs(r); !sameSet(got, want) {
			t.Errorf("%q finds %q, want %q in any order", query, got, want)
		}
		if r.Total != len(r.List) {
			t.Errorf("%q finds %d in all, want the %d of its page", query, r.Total, len(r.List))
		}
	}
	for _, query := range []string{"", "  "} {
		r := w.search(query)
		if r.Message != "" {
			t.Errorf("%q: got the message %q, want none", query, r.Message)
		}
		if len(r.List) != 0 {
			t.Errorf("%q: got %+v, want no posts", query, r.List)
		}
	}
	for _, query := range []string{"-rows", "OR", "*", "...", `""`, "-", "🎉"} {
		r := w.search(query)
		if r.Message == "" {
			t.Errorf("%q: got no message, want one", query)
		}
		if len(r.List) != 0 {
			t.Errorf("%q: got %+v, want no posts", query, r.List)
		}
	}
	if got := slugs(w.search("gardening OR rows")); !strings.HasPrefix(got, "garden") {
		t.Errorf("a title counts more than a text: got %q, want garden first", got)
	}
}

func marked(s []posts.Segment) string {
	var b strings.Builder
	for _, s := range s {
		if s.Hit {
			b.WriteString("[" + s.Text + "]")
		} else {
			b.WriteString(s.Text)
		}
	}
	return b.String()
}

func TestSnippets(t *testing.T) {
	w := mustLibrary(t)
	for query, want := range map[string][2]string{
		"tomatoes": {
			"Gardening", "Nothing about rows of code, only rows of [tomatoes]. 100% organic_food and 50% sun.",
		},
		"gardening":       {"[Gardening]", ""},
		"travel":          {"Replication by hand", "How rows travel"},
		"東京":              {"[東京]の夏", "今年の夏、[東京]で花火を見ました。SQLite の話ではありません。"},
		"東京 京で":           {"[東京]の夏", "今年の夏、[東京で]花火を見ました。SQLite の話ではありません。"},
		"花火 sqlite":       {"東京の夏", "今年の夏、東京で[花火]を見ました。[SQLite] の話ではありません。"},
		`"<tags>" quotes`: {`[Quotes] "and" <[tags]>`, ""},
		"description:ไทย": {"ภาษา[ไทย]", "[ไทย]"},
	} {
		r := w.search(query)
		if len(r.List) != 1 {
			t.Errorf("%q: got %+v, want one post", query, r)
			continue
		}
		title, snippet := marked(r.List[0].Title), marked(r.List[0].Snippet)
		if title != want[0] {
			t.Errorf("%q: got the title %q, want %q", query, title, want[0])
		}
		if want[1] != "" && snippet != want[1] {
			t.Errorf("%q: got the snippet %q, want %q", query, snippet, want[1])
		}
	}
	must(w, posts.Create{
		Title: "Long", Body: strings.Repeat("前置き。", 100) + "花見" + strings.Repeat("。後書き", 100), Publish: true,
	})
	r := w.search("花見")
	snippet := marked(r.List[0].Snippet)
	if n := utf8.RuneCountInString(snippet); n > 210 {
		t.Errorf("got %d characters, want at most 210: %s", n, snippet)
	}
	if !strings.Contains(snippet, "[花見]") {
		t.Errorf("got %s, want %s in it", snippet, "[花見]")
	}
	if !strings.HasPrefix(snippet, "…") {
		t.Errorf("got %s, want … at its start", snippet)
	}
	if !strings.HasSuffix(snippet, "…") {
		t.Errorf("got %s, want … at its end", snippet)
	}
	must(w, posts.Create{
		Title: "Long words", Body: strings.Repeat("word ", 5000) + "needle " + strings.Repeat("word ", 5000), Publish: true,
	})
	r = w.search("needle")
	snippet = marked(r.List[0].Snippet)
	if len(snippet) > 400 {
		t.Errorf("got %d bytes, want at most 400: %s", len(snippet), snippet)
	}
	if !strings.Contains(snippet, "[needle]") {
		t.Errorf("got %s, want %s in it", snippet, "[needle]")
	}
}

func TestSearchPages(t *testing.T) {
	w := mustWorld(t)
	for i := range posts.SearchPage + 3 {
		must(w, posts.Create{Title: fmt.Sprintf("Common %d", i), Body: "共通", Publish: true})
	}
	for _, query := range []string{"common", "共通"} {
		found := map[string]bool{}
		for page, want := range map[int]int{-1: 20, 0: 20, 1: 20, 2: 3, 3: 0, 1 << 62: 20} {
			r := view(w, func(rd repo.Reader) (posts.Results, error) { return posts.Search(w.ctx, rd, query, page) })
			if page == 1<<62 {
				continue // any result is right, as long as it is no error
			}
			if len(r.List) != want {
				t.Errorf("page %d of %s: got %d posts, want %d", page, query, len(r.List), want)
			}
			if r.Total != 23 {
				t.Errorf("page %d of %s: got %d posts in all, want 23", page, query, r.Total)
			}
			if page == 1 || page == 2 {
				for _, r := range r.List {
					found[r.Slug] = true
				}
			}
		}
		if len(found) != 23 {
			t.Errorf("%s: got %d posts on both pages, want 23", query, len(found))
		}
	}
}

func FuzzSearch(f *testing.F) {
	for query := range queries() {
		f.Add(query)
	}
	for _, query := range []string{
		"\x00", "\xff\xfe", "a\x00b*", `"` + strings.Repeat(`"`, 99), strings.Repeat("a ", 500),
		strings.Repeat("NOT ", 50) + "x", strings.Repeat("(", 99), "title:title:title:x",
		"\u0345", "ᏸ", "𖿰 x", "-𖿰 x", "\U0001e900", "title:\U0001e900* OR \U0001e900", "x NOT \U0001e900", "\ue000", "東\x00京",
		"😀東", "a:b:c", "- - -", `-"`, `title:"`,
	} {
		f.Add(query)
	}
	w := mustLibrary(f)
	f.Fuzz(func(t *testing.T, query string) {
		var r posts.Results
		err := w.replica.View(context.Background(), func(rd repo.Reader) (err error) {
			r, err = posts.Search(context.Background(), rd, query, 1)
			return err
		})
		if err != nil {
			t.Fatalf("%q: %v", query, err)
		}
		for _, r := range r.List {
			text := marked(r.Title) + marked(r.Snippet)
			if strings.ContainsAny(text, "\x00\x02\x03") {
				t.Fatalf("%q: got %q, want no control characters", query, text)
			}
			if !utf8.ValidString(text) {
				t.Fatalf("%q: got %q, want UTF-8", query, text)
			}
			if strings.Contains(text, "secretword") {
				t.Fatalf("%q: got %q, want no word of a hidden post", query, text)
			}
			if r.Slug == "hidden" {
				t.Fatalf("%q: got the post %q, want only visible ones", query, r.Slug)
			}
		}
	})
}
