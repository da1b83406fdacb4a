package foreign_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"blog/internal/foreign"
)

// wxr is a WXR file with these items.
func wxr(items ...string) string {
	return `<?xml version="1.0" encoding="UTF-8" ?>
<rss version="2.0" xmlns:excerpt="http://wordpress.org/export/1.2/excerpt/"
 xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:wp="http://wordpress.org/export/1.2/"><channel><title>T</title><link>https://old.example</link>
<wp:wxr_version>1.2</wp:wxr_version><wp:base_blog_url>https://old.example</wp:base_blog_url>
<wp:author><wp:author_login>bo</wp:author_login><wp:author_email>bo@example.org</wp:author_email></wp:author>
` + strings.Join(items, "\n") + "\n</channel></rss>\n"
}

// item is a post that is published, with further elements, which stand in place of its own.
func item(content, more string) string {
	var b strings.Builder
	for _, e := range []struct{ name, text string }{
		{"title", "Hello"}, {"link", "https://old.example/2020/01/hello/"}, {"dc:creator", "bo"},
		{"content:encoded", "<![CDATA[" + content + "]]>"}, {"wp:post_id", "7"}, {"wp:post_date", "2020-01-02 05:04:05"},
		{"wp:post_date_gmt", "2020-01-02 03:04:05"}, {"wp:post_name", "hello"}, {"wp:status", "publish"},
		{"wp:post_type", "post"},
	} {
		if !strings.Contains(more, "<"+e.name+">") && !strings.Contains(more, "<"+e.name+"/>") {
			b.WriteString("<" + e.name + ">" + e.text + "</" + e.name + ">\n")
		}
	}
	return "<item>" + b.String() + more + "</item>"
}

// meta is a key of an item with its value.
func meta(key, value string) string {
	return "<wp:postmeta><wp:meta_key>" + key + "</wp:meta_key><wp:meta_value>" + value + "</wp:meta_value></wp:postmeta>"
}

// page is one that the export has besides.
const page = `<item><title>About</title><link>https://old.example/about/</link><wp:post_id>9</wp:post_id>` +
	`<wp:post_name>about</wp:post_name><wp:status>publish</wp:status><wp:post_type>page</wp:post_type></item>`

// attachment is a picture of entry 7.
func attachment(id int, name, more string) string {
	return fmt.Sprintf(`<item><title>%s</title><link>https://old.example/2020/01/hello/att-%d/</link>
<wp:post_id>%d</wp:post_id><wp:status>inherit</wp:status><wp:post_parent>7</wp:post_parent>
<wp:post_type>attachment</wp:post_type><wp:attachment_url>https://old.example/wp-content/uploads/2020/01/%s`+
		`</wp:attachment_url>%s</item>`, name, id, id, name, more)
}

// TestWXRPost: every field of a post goes in, and what no post has is counted.
func TestWXRPost(t *testing.T) {
	src := wxr(page, item("Text.", `<wp:is_sticky>1</wp:is_sticky><excerpt:encoded><![CDATA[A <b>short</b>
 text]]></excerpt:encoded><category domain="post_tag" nicename="go"><![CDATA[Go & C]]></category>
<category domain="category" nicename="r-d"><![CDATA[R&amp;D]]></category>
<category domain="category" nicename="uncategorized">Uncategorized</category>
<category domain="post_format" nicename="aside">Aside</category>
<wp:comment><wp:comment_id>1</wp:comment_id><wp:comment_content>Hi</wp:comment_content></wp:comment>`),
		`<item><title>Menu</title><wp:post_type>nav_menu_item</wp:post_type></item>`,
		`<item><title>A thing</title><wp:status>publish</wp:status><wp:post_type>product</wp:post_type></item>`,
		`<item><title>Old</title><wp:status>trash</wp:status><wp:post_type>post</wp:post_type></item>`,
		attachment(8, "a.png", ""))
	entries, x := mustRead(t, src)
	if want := []string{"posts/hello.md", "pages/about.md"}; !reflect.DeepEqual(x.Names(), want) {
		t.Errorf("names %v, want %v", x.Names(), want)
	}
	got := entries["posts/hello.md"]
	at := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	if got.Title != "Hello" || got.Slug != "hello" || got.PublishedAt == nil || !got.PublishedAt.Equal(at) || got.Draft ||
		!got.Pinned || got.Description != "A short text" || got.Author != "bo@example.org" ||
		!reflect.DeepEqual(got.Tags, []string{"R&D", "Go & C"}) && !reflect.DeepEqual(got.Tags, []string{"r-d", "go-c"}) ||
		got.Body != "Text." || !reflect.DeepEqual(got.Permalinks, []string{"/2020/01/hello"}) || !got.Verbatim {
		t.Errorf("%+v", got.Fields)
	}
	if at := strings.Count(src[:strings.Index(src, "<item><title>Hello")], "\n") + 1; got.Line != at {
		t.Errorf("line %d", got.Line)
	}
	if about := entries["pages/about.md"]; !about.Draft || about.said != "page" ||
		!reflect.DeepEqual(about.Permalinks, []string{"/about"}) {
		t.Errorf("page: %+v, %s", about.Fields, about.said)
	}
	left := map[string]int{}
	for _, l := range x.Left {
		left[l.Kind] = l.N
	}
	if want := map[string]int{"attachment": 1, "comment": 1, "menu entry": 1, "trash": 1,
		"product": 1}; !reflect.DeepEqual(
		left, want) {
		t.Errorf("left %v, want %v", left, want)
	}
}

// TestWXRPrivacy: a post is for everybody only where WordPress says so.
func TestWXRPrivacy(t *testing.T) {
	for name, c := range map[string]struct {
		more   string
		public bool
		said   string
	}{
		"published":       {"", true, ""},
		"scheduled":       {"<wp:status>future</wp:status>", true, ""},
		"draft":           {"<wp:status>draft</wp:status>", false, "private status"},
		"pending":         {"<wp:status>pending</wp:status>", false, "private status"},
		"private":         {"<wp:status>private</wp:status>", false, "private status"},
		"a plugin's":      {"<wp:status>archived</wp:status>", false, "private status"},
		"in another case": {"<wp:status>Publish</wp:status>", false, "private status"},
		"none":            {"<wp:status></wp:status>", false, "private status"},
		"password":        {"<wp:post_password>hush</wp:post_password>", false, "private post_password"},
		"scheduled, never": {"<wp:status>future</wp:status><wp:post_date_gmt></wp:post_date_gmt><wp:post_date/>", false,
			"private post_date"},
		"newsletter": {"<wp:postmeta><wp:meta_key>_jetpack_newsletter_access</wp:meta_key><wp:meta_value>paid_subscribers" +
			"</wp:meta_value></wp:postmeta>", false, "private _jetpack_newsletter_access"},
		"a part": {"<content:encoded>[members_only level=1]x[/members_only]</content:encoded>", false,
			"private [members_only], text [members_only]"},
		"a block": {"<content:encoded>a &lt;!-- wp:premium-content/container --&gt;x&lt;!-- " +
			"/wp:premium-content/container --&gt;" +
			"</content:encoded>", false, "private wp:premium-content/container"},
		"an attribute": {"<content:encoded>[content role=editor]x</content:encoded>", false,
			"private [content], text [content]"},
		"its value": {`<content:encoded>[x visibility="members"]x[/x]</content:encoded>`, false,
			"private [x], text [x]"},
		"for all":        {`<content:encoded>[x visibility="public"]x[/x]</content:encoded>`, true, "text [x]"},
		"a key":          {meta("_visibility", "private"), false, "private _visibility"},
		"a key's word":   {meta("my_restrict_to", "gold"), false, "private my_restrict_to"},
		"no such word":   {meta("classic-editor-remember", "block-editor") + meta("_hide_title", "1"), true, ""},
		"not restricted": {meta("paid_content", "0") + meta("_members_access_role", ""), true, ""},
		"a setting": {`<content:encoded>&lt;!-- wp:group {"membersOnly":true} --&gt;x&lt;!-- /wp:group --&gt;` +
			"</content:encoded>", false, "private wp:group"},
		"below": {"<content:encoded>a &lt;!-- wp:jetpack/paywall /--&gt; x</content:encoded>", false,
			"private wp:jetpack/paywall, lost wp:jetpack/paywall"},
		"tagged": {`<category domain="post_tag">private</category>`, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			entries, _ := mustRead(t, wxr(item("Text.", c.more)))
			if got := only(t, entries); got.Draft == c.public || got.said != c.said {
				t.Errorf("draft %t, said %q", got.Draft, got.said)
			}
		})
	}
}

// TestWXRDates: the time in UTC counts, and what is none is none.
func TestWXRDates(t *testing.T) {
	for name, c := range map[string]struct{ more, want string }{
		"UTC":   {"", "2020-01-02T03:04:05Z"},
		"local": {"<wp:post_date_gmt>0000-00-00 00:00:00</wp:post_date_gmt>", "2020-01-02T03:04:05Z"},
		"pubDate": {"<wp:post_date_gmt/><wp:post_date/><pubDate>Fri, 03 Jan 2020 01:00:00 +0100</pubDate>",
			"2020-01-03T00:00:00Z"},
		"none": {"<wp:post_date_gmt/><wp:post_date>0000-00-00 00:00:00</wp:post_date><pubDate>Mon, 30 Nov -0001 " +
			"00:00:00 +0000</pubDate>", ""},
		"too early": {"<wp:post_date_gmt>1066-10-14 09:00:00</wp:post_date_gmt>", ""},
	} {
		t.Run(name, func(t *testing.T) {
			entries, _ := mustRead(t, wxr(item("Text.", c.more)))
			got := ""
			if at := only(t, entries).PublishedAt; at != nil {
				got = at.Format(time.RFC3339)
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestWXRNames: titles become text, and each entry has a slug of its own.
func TestWXRNames(t *testing.T) {
	for name, c := range map[string]struct{ more, title, slug string }{
		"markup":    {"<title>With &lt;em&gt;marks&lt;/em&gt; &amp;amp; more</title>", "With marks & more", "hello"},
		"CDATA":     {"<title><![CDATA[A ]]]]><![CDATA[> <i>b</i>]]></title>", "A ]]> b", "hello"},
		"empty":     {"<title> </title>", "Text.", "hello"},
		"encoded":   {"<wp:post_name>%d9%85%d8%b1%d8%ad%d8%a8%d8%a7</wp:post_name>", "Hello", "مرحبا"},
		"no slug":   {"<wp:post_name></wp:post_name>", "Hello", "hello"},
		"nothing":   {"<wp:post_name></wp:post_name><title></title>", "Text.", "post-7"},
		"ours":      {"<wp:post_name>feed</wp:post_name>", "Hello", "feed-7"},
		"bidi":      {"<title>a\u202eb\u2066c</title>", "abc", "hello"},
		"an entity": {"<title>x &unknown; &hellip; &nbsp;y</title>", "x &unknown; … y", "hello"},
		"very long": {"<title>" + strings.Repeat("long ", 100) + "</title>", strings.TrimSpace(strings.Repeat("long ",
			39)) + "…", "hello"},
		"bad signs":  {"<title>a\x0bb\xff\x00c</title>", "a b? c", "hello"},
		"upper case": {"<wp:post_name>Hello-World</wp:post_name>", "Hello", "hello-world"},
	} {
		t.Run(name, func(t *testing.T) {
			entries, _ := mustRead(t, wxr(item("Text.", c.more)))
			if got := only(t, entries); got.Title != c.title || got.Slug != c.slug {
				t.Errorf("got %q, %q, want %q, %q", got.Title, got.Slug, c.title, c.slug)
			}
		})
	}
	twice := item("One.", "<wp:post_id>1</wp:post_id>")
	entries, x := mustRead(t, wxr(twice, item("Two.", "<wp:post_id>2</wp:post_id>"), item("Page.",
		"<wp:post_type>page</wp:post_type><wp:post_id>3</wp:post_id>")))
	if want := []string{"posts/hello.md", "posts/hello-2.md", "pages/hello-3.md"}; !reflect.DeepEqual(x.Names(), want) ||
		entries["posts/hello-2.md"].Body != "Two." {
		t.Errorf("names %v, want %v", x.Names(), want)
	}
}

// TestWXRText: the text means here what it means there.
func TestWXRText(t *testing.T) {
	for name, c := range map[string]struct{ text, want, said string }{
		"paragraphs": {"One\ntwo\n\nThree <em>four</em>", "One  \ntwo\n\nThree *four*", ""},
		"CRLF":       {"One\r\n\r\nTwo", "One\n\nTwo", ""},
		"more":       {"One<!--more Go on-->two\n\n<!--nextpage-->\n\nThree", "One\n\ntwo\n\nThree", ""},
		"pre":        {"a\n\n<pre>x\n\n\ty</pre>\nb", "a\n\n```\nx\n\n\ty\n```\n\nb", ""},
		"blocks": {"<!-- wp:paragraph {\"a\":1} -->\n<p>One</p>\n<!-- /wp:paragraph -->\n\n<!-- wp:heading " +
			"-->\n<h2>H</h2>\n" +
			"<!-- /wp:heading -->", "One\n\n## H", ""},
		"dynamic block": {"<!-- wp:paragraph --><p>a</p><!-- /wp:paragraph --><!-- wp:latest-posts {\"n\":5} /-->", "a",
			"lost wp:latest-posts"},
		"classic beside blocks": {"One\n\ntwo\n\n<!-- wp:paragraph -->\n<p>Three</p>\n<!-- /wp:paragraph -->",
			"One\n\ntwo\n\nThree", ""},
		"code block": {`<!-- wp:code --><pre class="wp-block-code"><code lang="go">a &lt; b

[gallery]</code></pre><!-- /wp:code -->`, "```\na < b\n\n[gallery]\n```", ""},
		"caption": {`[caption id="a" align="left" width="3"]<a href="https://x.example/"><img ` +
			`src="https://x.example/a.png" ` +
			`alt="A"></a> Words of <em>it</em>[/caption]`,
			`<figure><a href="https://x.example/"><img src="https://x.example/a.png" alt="A"></a><figcaption>Words of ` +
				`<em>it</em></figcaption></figure>`, "picture https://x.example/a.png"},
		"embed": {"[embed]https://www.youtube.com/watch?v=a_b_c[/embed]",
			"[https://www.youtube.com/watch?v=a\\_b\\_c](https://www.youtube.com/watch?v=a_b_c)", ""},
		"bare address": {"See https://a.example/x_y_z. Or", "See <https://a.example/x_y_z>. Or", ""},
		"iframe": {`<iframe src="https://www.youtube.com/embed/abcdefg"></iframe>`,
			"[YouTube: abcdefg](https://www.youtube.com/watch?v=abcdefg)", "lost <iframe>"},
		"audio": {`[audio mp3="https://a.example/s.mp3"]`, `<audio src="https://a.example/s.mp3"></audio>`, ""},
		"video": {`<figure class="wp-block-video"><video controls src="https://a.example/v.mp4"></video>` +
			`<figcaption>C</figcaption></figure>`, "<video src=\"https://a.example/v.mp4\"></video>\n\nC", ""},
		"insecure": {`<video><source src="http://a.example/v.mp4"></video>`,
			"[v.mp4](http://a.example/v.mp4)", "lost <video>"},
		"unknown": {`a [contact-form-7 id="3"] b [sic] c`, `a \[contact-form-7 id="3"] b \[sic] c`,
			"text [contact-form-7]"},
		"escaped": {"Write [[gallery]] so", "Write \\[gallery] so", ""},
		"source": {"[sourcecode language=\"go\"]\nif a < b {\n\n}\n[/sourcecode]", "```go\nif a < b {\n\n}\n```",
			""},
		"script": {"a<script>alert(1)</script> b", "a\n\nb", "lost <script>"},
		"signs": {"2 * 3 * 4 and _x_ &lt;b&gt; {{< y >}} [[z]]",
			"2 * 3 * 4 and \\_x_ &lt;b&gt; {{&lt; y &gt;}} \\[\\[z]]", ""},
		"right to left": {"<p dir=\"rtl\">שלום עולם</p>", "שלום עולם", ""},
		"raw":           {"<x-raw>a</x-raw><x-raw-block></x-raw-block>b", "ab", ""},
		"sup":           {"x<sup>2</sup>", "x<sup>2</sup>", ""},
		"entry": {`<a href="http://www.old.example/about/#us">a</a> <a href="/?p=9">b</a>`,
			"[a](/posts/about#us) [b](/posts/about)", ""},
		"gone": {`<a href="https://old.example/never/">a</a>`, "[a](https://old.example/never/)",
			"link https://old.example/never/"},
		"wide table": {`<table><tr><td colspan="9999999">a</td></tr></table>`,
			`<table><tr><td colspan="9999999">a</td></tr></table>`, ""},
		"table":            {"<table><tr><th>A</th></tr><tr><td>b</td></tr></table>", "| A |\n|---|\n| b |", ""},
		"picture in text":  {`<img src="data:image/png;base64,AAAA" alt="dot">`, "dot", "lost <img>"},
		"unclosed comment": {"a <!-- wp:paragraph b", "a", ""},
	} {
		t.Run(name, func(t *testing.T) {
			entries, _ := mustRead(t, wxr(item(c.text, ""), page))
			got := entries["posts/hello.md"]
			if got.Body != c.want || got.said != c.said {
				t.Errorf("got\n%s\nsaid %q, want\n%s\nsaid %q", got.Body, got.said, c.want, c.said)
			}
		})
	}
}

// TestWXRPictures: pictures are found in the folder of what was uploaded, in any size; what is not
// there has its address.
func TestWXRPictures(t *testing.T) {
	const at = "https://old.example/wp-content/uploads/2020/01/"
	files := []string{attachment(8, "a.png", "<wp:postmeta><wp:meta_key>_wp_attachment_image_alt</wp:meta_key>"+
		"<wp:meta_value>An A</wp:meta_value></wp:postmeta><wp:menu_order>2</wp:menu_order>"),
		attachment(10, "b c.jpg", "<excerpt:encoded>Words</excerpt:encoded><wp:menu_order>1</wp:menu_order>"),
		attachment(11, "d.pdf", "")}
	const a, b = "![An A](/wp-content/uploads/2020/01/a.png)",
		`<figure><img src="/wp-content/uploads/2020/01/b%20c.jpg" alt=""><figcaption>Words</figcaption></figure>`
	thumbnail := `<wp:postmeta><wp:meta_key>_thumbnail_id</wp:meta_key><wp:meta_value>8</wp:meta_value></wp:postmeta>`
	for name, c := range map[string]struct{ text, more, want, said string }{
		"full": {`<img src="` + at + `a.png" alt="x">`, "", "![x](/wp-content/uploads/2020/01/a.png)", ""},
		"smaller": {`<img src="` + at + `a-300x200.png" srcset="y 2x">`, "",
			"![](/wp-content/uploads/2020/01/a.png)", ""},
		"elsewhere": {`<img src="https://i0.wp.com/old.example/wp-content/uploads/2020/01/a.png">`, "",
			"![](/wp-content/uploads/2020/01/a.png)", ""},
		"late": {`<img src="data:image/gif;base64,AA" data-src="` + at + `a.png">`, "",
			"![](/wp-content/uploads/2020/01/a.png)", ""},
		"linked": {`<a href="` + at + `a.png"><img src="` + at + `a-1x1.png"></a>`, "",
			"[![](/wp-content/uploads/2020/01/a.png)](/wp-content/uploads/2020/01/a.png)", ""},
		"its page": {`<a href="https://old.example/2020/01/hello/att-8/">a</a>`, "",
			"[a](/wp-content/uploads/2020/01/a.png)", ""},
		"not there":      {`<img src="` + at + `z.png">`, "", "![z.png](" + at + "z.png)", "picture " + at + "z.png"},
		"file":           {`<a href="` + at + `d.pdf">d</a>`, "", "[d](" + at + "d.pdf)", "link " + at + "d.pdf"},
		"featured":       {"Text.", thumbnail, a + "\n\nText.", ""},
		"featured twice": {`<img src="` + at + `a.png">`, thumbnail, "![](/wp-content/uploads/2020/01/a.png)", ""},
		"gallery":        {`[gallery ids="8,10,99"]`, "", a + "\n\n" + b, "lost [gallery]"},
		"its own":        {`[gallery columns="2"]`, "", b + "\n\n" + a, ""},
		"block": {`<!-- wp:gallery --><ul class="blocks-gallery-grid"><li><figure><img ` +
			`src="` + at + `a.png"></figure></li></ul>` +
			"<!-- /wp:gallery -->", "", "![](/wp-content/uploads/2020/01/a.png)", ""},
	} {
		t.Run(name, func(t *testing.T) {
			entries, _ := mustRead(t, wxr(append(files, item(c.text, c.more))...), "wp-content/uploads/2020/01/a.png",
				"wp-content/uploads/2020/01/b c.jpg")
			if got := only(t, entries); got.Body != c.want || got.said != c.said {
				t.Errorf("got\n%s\nsaid %q, want\n%s\nsaid %q", got.Body, got.said, c.want, c.said)
			}
		})
	}
}

// TestOpenRefuses: what is no export, or not a whole one, is refused with its line.
func TestOpenRefuses(t *testing.T) {
	whole := wxr(item("Text.", ""))
	for name, c := range map[string]struct{ src, want string }{
		"empty":  {"", "line 1: this is no export"},
		"text":   {"hello", "line 1: this is no export"},
		"HTML":   {"<html><body>\n</body></html>", "this is no export"},
		"a feed": {"<rss><channel><item><title>x</title></item></channel></rss>", "this is no export"},
		"half":   {whole[:len(whole)-100], "the file ends in the middle"},
		"CDATA": {"<rss><wp:wxr_version>1</wp:wxr_version>\n<item><title><![CDATA[x",
			"line 2: the file ends in the middle"},
		"Latin-1":  {strings.Replace(whole, "UTF-8", "ISO-8859-1", 1), "ISO-8859-1"},
		"too long": {wxr(item(strings.Repeat("x", 17<<20), "")), "is longer than 16 MB"},
		"JSON":     {`{"a": 1}`, "this is no export"},
		"long JSON": {`{"posts":` + "\n" + `[{"body":"` + strings.Repeat("x", 17<<20) + `"}]}`,
			"line 2: one entry is longer than 16 MB"},
		"open element":    {wxr("\n<item><wp:comment>"+page, page), "has no end"},
		"item in an item": {wxr("<item>" + page), "an item begins in another one"},
		"half JSON":       {"{\"db\":\n[{\"data\":{\"posts\":[{\"id\":1}", "line 2: the file ends in the middle"},
		"bad JSON":        {"{\"db\":\n[nope]}", "line 2: this is not JSON"},
		"deep JSON":       {`{"db":` + strings.Repeat("[", 20_000), "this is not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := foreign.Open(strings.NewReader(c.src), int64(len(c.src)), foreign.Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestManySigns: a text of nothing but signs of Markdown costs no more than one of letters.
func TestManySigns(t *testing.T) {
	for _, signs := range []string{
		"[", "]", "![", "*", "_", "__a", "#", "# ", "-", "- ", "=", "1", "1. ", "~", "`", "|", ">", "> ", "\\",
		" ", "<br>", "\n", "+ ",
		"https://a.b/", "&", "(", "a[b](",
	} {
		entries, _ := mustRead(t, wxr(item(strings.Repeat(signs, 150_000/len(signs)), "")))
		only(t, entries)
	}
}

// TestHostileWXR: what is meant to cost much costs little, and nothing is expanded.
func TestHostileWXR(t *testing.T) {
	bomb := strings.Replace(wxr(item("Text.", "<title>&lol;</title>")), "<rss", `<!DOCTYPE lolz [<!ENTITY a "ha">
<!ENTITY lol "&a;&a;&a;&a;">]><rss`, 1)
	for name, src := range map[string]string{
		"entities":    bomb,
		"nested":      wxr(item(strings.Repeat("<div><b>", 50_000)+"deep", "")),
		"brackets":    wxr(item(strings.Repeat("[caption]", 100_000), "")),
		"one end":     wxr(item(strings.Repeat("[a]", 100_000)+"[/a]", "")),
		"open":        wxr(item(strings.Repeat("[a b=", 100_000), "")),
		"comments":    wxr(item(strings.Repeat("<!-- wp:a ", 100_000), "")),
		"quotes":      wxr(item(strings.Repeat("<blockquote>\n\n", 400)+"x", "")),
		"pre":         wxr(item(strings.Repeat("<pre>", 100_000), "")),
		"tags":        wxr(item("Text.", strings.Repeat(`<category domain="post_tag">x</category>`, 100_000))),
		"lists":       wxr(item(strings.Repeat("<ul><li>", 200)+"x", "")),
		"stars":       wxr(item(strings.Repeat("*_`", 100_000), "")),
		"missing end": wxr("<item><title>x</item>" + item("Text.", "")),
		"own parent":  wxr(attachment(7, "a.png", "<wp:post_parent>7</wp:post_parent>"), item("[gallery]", "")),
		"tables":      wxr(item(strings.Repeat("<table><tr><td>", 100), "")),
		"long":        wxr(item(strings.Repeat("<p>word [x]</p>", 300_000), "")),
	} {
		t.Run(name, func(t *testing.T) {
			x, err := foreign.Open(strings.NewReader(src), int64(len(src)), foreign.Options{})
			if err != nil {
				return // it is refused
			}
			for n, e := range mustEntries(t, x) {
				if strings.Contains(string(e.Entry.Raw), "hahaha") {
					t.Errorf("%s: an entity was expanded", n)
				}
			}
		})
	}
}
