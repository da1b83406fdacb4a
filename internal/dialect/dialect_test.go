package dialect_test

import (
	"strconv"
	"strings"
	"testing"

	"blog/internal/dialect"
	"blog/internal/markdown"
)

// posts are the files to which links lead.
func posts(ref string) (string, bool) {
	address, ok := map[string]string{
		"a.md": "/posts/a", "../b/index.md": "/posts/b", "/blog/c.md": "/posts/c", "2024-01-02-d": "/posts/d",
		"_posts/2024-01-02-d.md": "/posts/d", "My Note": "/posts/my-note", "@/e.md": "/posts/e", "f": "/posts/f",
	}[ref]
	return address, ok
}

// TestText has each input with its right answer, and the names of what is said of it.
func TestText(t *testing.T) {
	for _, c := range []struct{ in, want, said string }{
		// Hugo
		{`{{< figure src="a.png" alt="An [A]" >}}`, `![An \[A\]](<a.png>)`, ""},
		{`{{< figure src="/i/a.png" title="T" caption="C & D" >}}`,
			`<figure><img src="/i/a.png" alt="C &amp; D"><figcaption>C &amp; D</figcaption></figure>`, ""},
		{`{{<figure src="a.png" link="https://x.example/">}}`,
			`<figure><a href="https://x.example/"><img src="a.png" alt=""></a></figure>`, ""},
		{`{{< youtube w7Ft2ymGmfc >}}`, `[YouTube: w7Ft2ymGmfc](https://www.youtube.com/watch?v=w7Ft2ymGmfc)`, ""},
		{`{{< youtube id="w7Ft" autoplay="true" >}}`, `[YouTube: w7Ft](https://www.youtube.com/watch?v=w7Ft)`, ""},
		{`{{< youtube "a b)" >}}`, `{{< youtube "a b)" >}}`, "1:youtube"},
		{`{{< gist spf13 7896402 >}}`, `[Gist: 7896402](https://gist.github.com/spf13/7896402)`, ""},
		{`{{< vimeo 146022717 >}}`, `[Vimeo: 146022717](https://vimeo.com/146022717)`, ""},
		{`{{< x user="Go" id="12" >}}`, `[Post: 12](https://x.com/Go/status/12)`, ""},
		{`[x]({{< ref "a.md#top" >}})`, `[x](/posts/a#top)`, ""},
		{`[x]({{% relref "/blog/c.md" %}}) [y]({{< ref "none.md" >}})`,
			`[x](/posts/c) [y]({{< ref "none.md" >}})`, "1:ref"},
		{"{{< highlight go \"linenos=true\" >}}\nfunc f() {}\n{{< /highlight >}}\n", "```go\nfunc f() {}\n```\n", ""},
		{"Text {{% highlight html %}}```{{% /highlight %}}", "Text \n\n````html\n```\n````", ""},
		{"{{< details summary=\"S\" >}}\nin\n{{< /details >}}", "<details><summary>S</summary>\n\n\nin\n\n\n</details>", ""},
		{"a\n\n{{< css.inline >}}\n<style></style>\n{{< /css.inline >}}",
			"a\n\n{{< css.inline >}}\n<style></style>\n{{< /css.inline >}}", "3:css.inline"},
		{"`{{</* ref \"a.md\" */>}}` {{</* x */>}}", "`{{< ref \"a.md\" >}}` {{< x >}}", ""},
		{"```\n{{</* figure src=\"x\" */>}}\n{{< figure src=\"x\" >}}\n```\n",
			"```\n{{< figure src=\"x\" >}}\n{{< figure src=\"x\" >}}\n```\n", ""},
		{"a{{< comment >}}secret {{< x >}}{{< /comment >}}b", "ab", "1:comment"},
		{`{{ youtube(id="x1", class="w") }} {{ other(a=1) }}`,
			`[YouTube: x1](https://www.youtube.com/watch?v=x1) {{ other(a=1) }}`, "1:{{ other(a=1) }}"},
		{"{{< open", "{{< open", ""},
		// Jekyll, Hexo
		{"{% highlight ruby linenos %}\ndef x\nend\n{% endhighlight %}", "```ruby\ndef x\nend\n```", ""},
		{"{%- codeblock lang:js -%}\nx\n{% endcodeblock %}", "```js\nx\n```", ""},
		{"{% raw %}{{ x }} {% y %}{% endraw %}", "{{ x }} {% y %}", ""},
		{"```\n{% raw %}{{ x }}{% endraw %}\n```", "```\n{{ x }}\n```", ""},
		{"a{% comment %}secret{% endcomment %}b", "ab", "1:comment"},
		{`{% include figure.html src="a.png" caption="C" %}`,
			`<figure><img src="a.png" alt="C"><figcaption>C</figcaption></figure>`, ""},
		{`{% include figure image_path="/a.png" alt="A" %}`, `![A](</a.png>)`, ""},
		{"{% include toc.html %}\n{% include youtube.html id=\"x1\" %}",
			"{% include toc.html %}\n[YouTube: x1](https://www.youtube.com/watch?v=x1)", "1:include toc"},
		{"[x]({% post_url 2024-01-02-d %}) [y]({{ site.baseurl }}{% link _posts/2024-01-02-d.md %}#z)",
			"[x](/posts/d) [y](/posts/d#z)", ""},
		{`![]({{ "/img/a.png" | relative_url }}) ![]({{ site.url }}/b.png)`, `![](/img/a.png) ![](/b.png)`, ""},
		{"one\n{{ page.title }} {% if x %}y{% endif %}", "one\n{{ page.title }} {% if x %}y{% endif %}",
			"2:{{ page.title }} 2:if"},
		{"[x]({% link\n_posts/2024-01-02-d.md %}) {%\tsome\nthing %}", "[x](/posts/d) {%\tsome\nthing %}", "2:some"},
		{"{% asset_img a.png An A %}", "![An](<a.png>)", ""},
		{"text\n{: .note #id}\nmore", "text\nmore", "2:{: .note #id}"},
		// Links between files
		{"[x](a.md) [y](../b/index.md#h \"T\") [z](<a.md>) ![p](a.md)",
			"[x](</posts/a>) [y](</posts/b#h> \"T\") [z](</posts/a>) ![p](</posts/a>)", ""},
		{"[x](https://a.md) [y](#a.md) [z](mailto:a@b.md) [gone](gone.md)",
			"[x](https://a.md) [y](#a.md) [z](mailto:a@b.md) [gone](gone.md)", "1:gone.md"},
		{"[x][1] [e](@/e.md)\n\n[1]: a.md \"T\"\n[2]: https://x.example",
			"[x][1] [e](</posts/e>)\n\n[1]: </posts/a> \"T\"\n" +
				"[2]: https://x.example", ""},
		{"`[x](a.md)` \\[x](b.txt)\n\n    code\n", "`[x](a.md)` \\[x](b.txt)\n\n    code\n", ""},
		// Obsidian
		{"[[My Note]] [[My Note|this]] [[My Note#Some Part]] [[#Here]]",
			"[My Note](</posts/my-note>) [this](</posts/my-note>) [My Note > Some Part](</posts/my-note#some-part>) " +
				"[Here](<#here>)", ""},
		{"![[a b.png]] ![[c.JPG|300]] ![[d.webp|A tree]]", "![](<a b.png>) ![](<c.JPG>) ![A tree](<d.webp>)", ""},
		{"if [[ -f x ]] and [[unknown]] a[[0]]", "if [[ -f x ]] and [[unknown]] a[[0]]", ""},
		{"==a mark== a==b==c ==no\nmark== `==x==` ===", "<mark>a mark</mark> a==b==c ==no\nmark== `==x==` ===", ""},
		{"100%% sure, 50%% not", "100%% sure, 50%% not", ""},
		{"<!-- [[My Note]] -->\\==x==", "<!-- [[My Note]] -->\\==x==", ""},
	} {
		translated := dialect.Text(c.in, dialect.Options{Link: posts})
		got, notes := translated.Text, translated.Notes
		if got != c.want {
			t.Errorf("%q became\n%q, want\n%q", c.in, got, c.want)
		}
		if s := named(notes); s != c.said {
			t.Errorf("%q: said %q, want %q", c.in, s, c.said)
		}
		if again := dialect.Text(got, dialect.Options{Link: posts}).Text; again != got && !strings.Contains(c.in, "/*") &&
			!strings.Contains(c.in, "raw") {
			t.Errorf("%q: twice it is\n%q", c.in, again)
		}
	}
}

func named(notes []dialect.Note) string {
	var out []string
	for _, n := range notes {
		out = append(out, strconv.Itoa(n.Line)+":"+n.What)
	}
	return strings.Join(out, " ")
}

func TestVaultAndMDX(t *testing.T) {
	for _, c := range []struct {
		in, want, said string
		opt            dialect.Options
	}{
		{"a %%secret%% b\n%%\nall\nof it\n%%\nc", "a  b\n\nc", "1:%% 2:%%", dialect.Options{Vault: true}},
		{"a %%open\nsecret", "a ", "1:%%", dialect.Options{Vault: true}},
		{"[[Nowhere]] ![[Else|E]]", "Nowhere E", "1:Nowhere 1:Else", dialect.Options{Vault: true}},
		{"import X from './x'\nimport Y from 'y'\n\nText\n<X a={1}>in</X>\n{/* secret */}", "\n\nText\n<X a={1}>in</X>\n",
			"1:import 5:<X> 5:{…} 6:{/* */}", dialect.Options{MDX: true}},
		{"export const a = 1", "", "1:export", dialect.Options{MDX: true}},
		{"import X from 'y'", "import X from 'y'", "", dialect.Options{}},
	} {
		translated := dialect.Text(c.in, c.opt)
		got, notes := translated.Text, translated.Notes
		if got != c.want || named(notes) != c.said {
			t.Errorf("%q became\n%q, want\n%q; said %q", c.in, got, c.want, named(notes))
		}
	}
}

// TestLines: a line of what was translated is known by the author's line. Each text has a word END, whose line
// is asked for.
func TestLines(t *testing.T) {
	for _, c := range []struct {
		in        string
		at, comes int
	}{
		{"a\nb\nEND", 3, 3},
		{"{% comment %}\nx\ny\n{% endcomment %}\nEND", 2, 5},
		{"{% comment %}\nx\n{% endcomment %}END", 1, 3},
		{"import X from 'x'\nimport Y from 'y'\n\nEND", 3, 4},
		{"{: .note}\n\nEND", 2, 3},
		{"%%\nx\n%%\n\nEND", 3, 5},
		{"{{< figure src=\"a.png\"\n  alt=\"A\"\n>}}\nEND", 2, 4},
		{"{{< details summary=\"S\" >}}\nin\n{{< /details >}}\nEND", 8, 4},
		{"x {{< highlight go >}}\ncode\n\n{{< /highlight >}}\nEND", 6, 5},
		{"{% highlight go %}\n\n\ncode\n\n{% endhighlight %}\nEND", 4, 7},
		{"```\n{% raw %}\n{{ x }}\n{% endraw %}\n```\nEND", 6, 6},
	} {
		got := dialect.Text(c.in, dialect.Options{Vault: true, MDX: true, Link: posts})
		before, _, _ := strings.Cut(got.Text, "END")
		if at := 1 + strings.Count(before, "\n"); at != c.at || got.Line(at) != c.comes {
			t.Errorf("%q: line %d comes from %d, want %d from %d\n%s", c.in, at, got.Line(at), c.at, c.comes, got.Text)
		}
	}
	if line := (dialect.Translation{}).Line(3); line != 1 {
		t.Errorf("of nothing: line %d", line)
	}
}

// TestRendered: what a translation writes is what the renderer shows.
func TestRendered(t *testing.T) {
	for in, want := range map[string]string{
		`{{< figure src="a.png" caption="C" >}}`: `>C</figcaption>`,
		"==x==":                                  "<mark>x</mark>",
		"{{< details summary=\"S\" >}}\n*in*\n{{< /details >}}": "<em>in</em>",
		"[x](a.md)": `href="/posts/a"`,
	} {
		text := dialect.Text(in, dialect.Options{Link: posts}).Text
		doc, err := markdown.New(markdown.Words{}).Render(text, markdown.Options{})
		if err != nil || !strings.Contains(doc.HTML, want) {
			t.Errorf("%q: %v: %s", in, err, doc.HTML)
		}
	}
}

// FuzzText: nothing panics or is repeated for ever, and plain text is left alone.
func FuzzText(f *testing.F) {
	for _, s := range []string{"{{< a", "{% b %}", "[[c]]", "==d==", "%%", "```\n", "[x](y", "{{</* */>}}", "<X",
		"\\", "{:"} {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, text string, all bool) {
		translated := dialect.Text(text, dialect.Options{Vault: all, MDX: all, Link: posts})
		got, notes := translated.Text, translated.Notes
		if !strings.ContainsAny(text, "`\\<{[!]=%") && !strings.Contains(text, "import ") &&
			!strings.Contains(text, "export ") && !strings.Contains(text, "~~~") && got != text {
			t.Errorf("%q became %q", text, got)
		}
		last := 1
		for n := range 2 + strings.Count(got, "\n") {
			line := translated.Line(n + 1)
			if line < last || line > 1+strings.Count(text, "\n") {
				t.Errorf("%q became %q, whose line %d comes from %d", text, got, n+1, line)
			}
			last = line
		}
		for _, n := range notes {
			if n.Line < 1 || n.Line > 1+strings.Count(text, "\n") || n.What == "" {
				t.Errorf("%q: %+v", text, n)
			}
		}
	})
}
