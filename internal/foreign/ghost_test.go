package foreign_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// ghost is an export of Ghost's with one post, whose fields are those given and these.
func ghost(tb testing.TB, fields map[string]any) string {
	tb.Helper()
	post := map[string]any{
		"id": "p1", "title": "Hello", "slug": "hello", "type": "post", "status": "published", "visibility": "public",
		"featured": 0, "published_at": "2020-01-02T03:04:05.000Z", "html": "<p>Text.</p>",
	}
	for name, value := range fields {
		if value == nil {
			delete(post, name)
		} else {
			post[name] = value
		}
	}
	out, err := json.Marshal(map[string]any{"db": []any{map[string]any{
		"meta": map[string]any{"version": "5.1"},
		"data": map[string]any{
			"posts": []any{map[string]any{
				"id": "p0", "title": "About", "slug": "about", "type": "page", "status": "published", "visibility": "public",
			}, post},
			"posts_authors": []any{
				map[string]any{"post_id": "p1", "author_id": "u2", "sort_order": 1},
				map[string]any{"post_id": "p1", "author_id": "u1", "sort_order": 0},
			},
			"posts_meta": []any{map[string]any{"post_id": "p1", "feature_image_alt": "An alt", "meta_description": "Meta"}},
			"posts_tags": []any{
				map[string]any{"post_id": "p1", "tag_id": 2, "sort_order": 1},
				map[string]any{"post_id": "p1", "tag_id": 1, "sort_order": 0},
				map[string]any{"post_id": "p1", "tag_id": 3, "sort_order": 2},
			},
			"tags": []any{
				map[string]any{"id": 1, "name": "News"}, map[string]any{"id": 2, "name": "Go tools"},
				map[string]any{"id": 3, "name": "#hidden", "visibility": "internal"},
			},
			"users": []any{map[string]any{"id": "u1", "name": "Bo", "email": "bo@example.org"}, map[string]any{"id": "u2",
				"name": "Al"}},
		},
	}}})
	if err != nil {
		tb.Fatal(err)
	}
	return string(out)
}

// TestGhostPost: every field of a post goes in.
func TestGhostPost(t *testing.T) {
	entries, x := mustRead(t, ghost(t, map[string]any{
		"featured": true, "custom_excerpt": "A short text", "feature_image": "__GHOST_URL__/content/images/2020/01/a.png",
	}), "content/images/2020/01/a.png")
	if want := []string{"posts/hello.md", "pages/about.md"}; !reflect.DeepEqual(x.Names(), want) {
		t.Errorf("names %v, want %v", x.Names(), want)
	}
	got := entries["posts/hello.md"]
	at := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	if got.Title != "Hello" || got.Slug != "hello" || got.PublishedAt == nil || !got.PublishedAt.Equal(at) || got.Draft ||
		!got.Pinned || got.Description != "A short text" || got.Author != "bo@example.org" || !got.Verbatim ||
		got.Body != "![An alt](/content/images/2020/01/a.png)\n\nText." ||
		!reflect.DeepEqual(got.Permalinks, []string{"/hello"}) || len(got.Tags) != 2 || got.Tags[0] != "News" ||
		got.said != "choice author, term #hidden" {
		t.Errorf("%+v, said %s", got.Fields, got.said)
	}
	if about := entries["pages/about.md"]; !about.Draft || about.said != "page" {
		t.Errorf("page: %+v, %s", about.Fields, about.said)
	}
}

// TestGhostPrivacy: a post is for everybody only where Ghost says so.
func TestGhostPrivacy(t *testing.T) {
	hidden := `{"root":{"children":[{"type":"html","html":"<p>x</p>","visibility":{"web":{"nonMember":false}}}]}}`
	for name, c := range map[string]struct {
		fields map[string]any
		public bool
	}{
		"published":        {nil, true},
		"scheduled":        {map[string]any{"status": "scheduled"}, true},
		"scheduled, never": {map[string]any{"status": "scheduled", "published_at": nil}, false},
		"draft":            {map[string]any{"status": "draft"}, false},
		"sent":             {map[string]any{"status": "sent"}, false},
		"no status":        {map[string]any{"status": nil}, false},
		"members":          {map[string]any{"visibility": "members"}, false},
		"paid":             {map[string]any{"visibility": "paid"}, false},
		"tiers":            {map[string]any{"visibility": "tiers"}, false},
		"filter":           {map[string]any{"visibility": "label:vip"}, false},
		"empty":            {map[string]any{"visibility": ""}, false},
		"before members":   {map[string]any{"visibility": nil}, true},
		"a part":           {map[string]any{"lexical": hidden}, false},
		"a part, for all":  {map[string]any{"lexical": strings.Replace(hidden, "false", "true", 1)}, true},
		"a part, formerly": {map[string]any{"lexical": strings.Replace(hidden, `{"web":{"nonMember":false}}`,
			`{"showOnWeb":false}`, 1)}, false},
		"a part, strangely": {map[string]any{"lexical": strings.Replace(hidden, `false`, `"no"`, 1)}, false},
		"a part in HTML": {map[string]any{"html": `<!--kg-gated-block:begin nonMember:false ` +
			`--><p>x</p><!--kg-gated-block:end-->`}, false},
	} {
		t.Run(name, func(t *testing.T) {
			entries, _ := mustRead(t, ghost(t, c.fields))
			got := entries["posts/hello.md"]
			if got.Draft == c.public || strings.Contains(got.said, "private") == c.public {
				t.Errorf("draft %t, said %q", got.Draft, got.said)
			}
		})
	}
}

// TestGhostText: each form of a text, and each card in it, means here what it means there.
func TestGhostText(t *testing.T) {
	lexical := func(nodes string) map[string]any {
		return map[string]any{"lexical": `{"root":{"children":[` + nodes + `],"type":"root"}}`, "html": "<p>not this</p>"}
	}
	mobiledoc := func(more string) map[string]any {
		return map[string]any{"mobiledoc": `{"version":"0.3.1",` + more + `}`, "html": "<p>not this</p>"}
	}
	card := func(name, payload string) map[string]any {
		return mobiledoc(`"cards":[["` + name + `",` + payload + `]],"sections":[[10,0]]`)
	}
	const picture = "/content/images/2020/01/a.png"
	for name, c := range map[string]struct {
		fields     map[string]any
		want, said string
	}{
		"HTML": {map[string]any{"html": `<p>a <a href="__GHOST_URL__/about/#x">b</a> <img ` +
			`src="__GHOST_URL__/content/images/size/w600/2020/01/a.png"></p>`},
			"a [b](/posts/about#x) ![](" + picture + ")", ""},
		"elsewhere": {map[string]any{"html": `<p><a href="__GHOST_URL__/tag/x/">a</a> __GHOST_URL__/z</p>`},
			"[a](/tag/x/) /z", "link __GHOST_URL__/tag/x/"},
		"markdown": {map[string]any{"html": nil, "markdown": "*a* ![](__GHOST_URL__/content/images/2020/01/a.png)"},
			"*a* ![](" + picture + ")", ""},
		"bookmark in HTML": {map[string]any{"html": `<figure class="kg-card kg-bookmark-card"><a ` +
			`class="kg-bookmark-container" href="https://a.example/"><div class="kg-bookmark-content"><div ` +
			`class="kg-bookmark-title">T</div><div>d</div></div></a></figure>`},
			"[T](https://a.example/)", ""},
		"text": {lexical(`{"type":"paragraph","children":[{"type":"extended-text","text":"a ","format":0},
			{"type":"text","text":"b","format":1},
			{"type":"text","text":" c","format":2},{"type":"linebreak"},{"type":"text","text":"d","format":16},
			{"type":"text","text":"2","format":64}]}`),
			"a **b** *c*  \n`d`<sup>2</sup>", ""},
		"headings": {lexical(`{"type":"extended-heading","tag":"h3","children":[{"type":"text","text":"H"}]},{"type":"` +
			`quote","children":[{"type":"text","text":"Q"}]},{"type":"horizontalrule"}`),
			"### H\n\n> Q\n\n---", ""},
		"list": {lexical(`{"type":"list","listType":"number","start":3,"children":[{"type":"listitem","children":[{"ty` +
			`pe":"text","text":"a"}]},{"type":"listitem","children":[{"type":"link","url":"__GHOST_URL__/about/","childre` +
			`n":[{"type":"text","text":"b"}]}]}]}`),
			"3. a\n4. [b](/posts/about)", ""},
		"image": {lexical(`{"type":"image","src":"__GHOST_URL__/content/images/2020/01/a.png","alt":"A","caption":"<b>` +
			`C</b>"}`),
			`<figure><img src="` + picture + `" alt="A"><figcaption><b>C</b></figcaption></figure>`, ""},
		"gallery": {lexical(`{"type":"gallery","images":[{"src":"__GHOST_URL__/content/images/2020/01/a.png"},{"src":` +
			`"https://x.example/y.png","alt":"Y"}]}`), "![](" + picture + ")\n\n![Y](https://x.example/y.png)",
			"picture https://x.example/y.png"},
		"code": {lexical(`{"type":"codeblock","code":"if a < b {\n\n}","language":"go"}`),
			"```go\nif a < b {\n\n}\n```", ""},
		"html": {lexical(`{"type":"html","html":"<div>a<script>x()</script></div>"}`), "a", "lost <script>"},
		"md":   {lexical(`{"type":"markdown","markdown":"# M\n\n* a_b_c"}`), "# M\n\n* a_b_c", ""},
		"bookmark": {lexical(`{"type":"bookmark","url":"https://a.example/","metadata":{"title":"T","description":"d ` +
			`<x>"}}`), "[T](https://a.example/)\n\nd &lt;x&gt;", ""},
		"embed": {lexical(`{"type":"embed","url":"https://a.example/v","html":"<iframe ` +
			`src='https://a.example/e'></iframe>"}`), "[https://a.example/v](https://a.example/v)", ""},
		"callout": {lexical(`{"type":"callout","calloutEmoji":"💡","calloutText":"<p>Mind <em>it</em></p>"}`),
			"> 💡\n> \n> Mind *it*", ""},
		"toggle": {lexical(`{"type":"toggle","heading":"More","content":"<p>In <b>it</b></p>"}`),
			"<details><summary>More</summary>\n\nIn **it**\n\n</details>", ""},
		"video": {lexical(`{"type":"video","src":"https://a.example/v.mp4","fileName":"v.mp4"}`),
			`<video src="https://a.example/v.mp4" title="v.mp4"></video>`, ""},
		"file": {lexical(`{"type":"file","src":"https://a.example/f.pdf","fileTitle":"F"}`),
			"[F](https://a.example/f.pdf)", ""},
		"unknown": {lexical(`{"type":"hologram","children":[{"type":"text","text":"a"}]}`), "a", "lost hologram"},
		"email":   {lexical(`{"type":"email","html":"<p>secret</p>"}`), "", "lost email"},
		"broken":  {map[string]any{"lexical": "{nope", "html": "<p>This</p>"}, "This", ""},
		"bare":    {map[string]any{"lexical": "{nope", "html": nil}, "", "lost body"},
		"markers": {mobiledoc(`"atoms":[["soft-return","",{}]],"markups":[["strong"],["a",["href","https://a.example/"]],
			["script"]],"sections":[
			[1,"p",[[0,[],0,"a "],[0,[0],1,"b"],[1,[],0,0],[0,[1],1,"c"],[0,[2],1,"<d>"]]],[1,"h2",[[0,[],0,"H"]]],
			[3,"ol",[[[0,[],0,"x"]],[[0,[],0,"y"]]]],[2,"https://x.example/i.png"]]`),
			"a **b**  \n[c](https://a.example/)&lt;d&gt;\n\n## H\n\n1. x\n2. y\n\n![i.png](https://x.example/i.png)",
			"picture https://x.example/i.png"},
		"mobile markdown": {card("card-markdown", `{"markdown":"**m**"}`), "**m**", ""},
		"mobile image": {card("image", `{"src":"__GHOST_URL__/content/images/2020/01/a.png"}`), "![](" + picture + ")",
			""},
		"mobile html": {card("html", `{"html":"<p>a</p>"}`), "a", ""},
		"mobile hr":   {card("hr", `{}`), "---", ""},
		"mobile bad": {mobiledoc(`"cards":[[]],"sections":[[10,0],[10,-1],[10,9],[1],[3,"ol","x"],[],[1,"p",[[0,[` +
			`7,-1],9,"t"]]]]`), "t", ""},
	} {
		t.Run(name, func(t *testing.T) {
			entries, _ := mustRead(t, ghost(t, c.fields), "content/images/2020/01/a.png")
			got := entries["posts/hello.md"]
			said := strings.TrimPrefix(strings.TrimPrefix(got.said, "choice author, term #hidden"), ", ")
			if got.Body != c.want || said != c.said {
				t.Errorf("got\n%s\nsaid %q, want\n%s\nsaid %q", got.Body, said, c.want, c.said)
			}
		})
	}
}

// TestOldGhost: versions before this one have numbers for ids and truths, dates in other forms, a column
// for pages, and say how addresses are made.
func TestOldGhost(t *testing.T) {
	entries, _ := mustRead(t, `{"meta":{},"data":{"settings":[{"key":"permalinks","value":"/:year/:month/:slug/"}],
		"posts":[{"id":1,"title":"T","slug":"t","status":"published","page":0,"featured":1,"published_at":1577934245000,
		"author_id":1,"html":"<p>a</p>"},{"id":2,"title":"P","slug":"p","status":"published","page":1,"html":""}],
		"users":[{"id":1,"name":"Bo"}]}}`)
	got := entries["posts/t.md"]
	if got.Draft || got.PublishedAt == nil || got.PublishedAt.Format(time.RFC3339) != "2020-01-02T03:04:05Z" ||
		!got.Pinned || got.Author != "Bo" || !reflect.DeepEqual(got.Permalinks, []string{"/2020/01/t"}) {
		t.Errorf("%+v", got.Fields)
	}
	if page := entries["pages/p.md"]; !page.Draft {
		t.Errorf("page: %+v", page.Fields)
	}
}

// TestHostileGhost: what is nested without end, or has no end, costs little.
func TestHostileGhost(t *testing.T) {
	for name, fields := range map[string]map[string]any{
		"nested": {"lexical": `{"root":{"children":[` + strings.Repeat(`{"type":"quote","children":[`, 3000) +
			strings.Repeat("]}", 3000) + "]}}"},
		"too deep": {"lexical": `{"root":{"children":[` + strings.Repeat(`{"children":[`, 50_000)},
		"markups": {"mobiledoc": fmt.Sprintf(`{"markups":[["b"]],"sections":[[1,"p",[[0,[%s0],0,"x"]]]]}`,
			strings.Repeat("0,", 100_000))},
		"numbers": {"lexical": `{"root":{"children":[{"type":"text","text":5,"format":"1e999"},{"type":7},null,[],"x"]}}`},
		"kinds":   {"title": []int{1}, "slug": map[string]int{"a": 1}, "status": 5, "html": true, "published_at": "never"},
	} {
		t.Run(name, func(t *testing.T) {
			_, x := mustRead(t, ghost(t, fields))
			if len(x.Names()) != 2 {
				t.Errorf("%v", x.Names())
			}
		})
	}
}
