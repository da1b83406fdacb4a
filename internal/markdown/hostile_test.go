package markdown_test

import (
	"strings"
	"testing"

	"blog/internal/markdown"
)

// hostile are sources that try to get out of the document, or to look like output of this package.
// mustHold checks what none of them may reach.
var hostile = []string{
	"<script>alert(1)</script>",
	"a <script>alert(1)</script> b",
	"<ScRiPt src=//x></sCrIpT>",
	"<scr<script>ipt>alert(1)</scr</script>ipt>",
	"<img src=x onerror=alert(1)>",
	"<img src='x' src='javascript:alert(1)'>",
	"<svg><script>alert(1)</script></svg>",
	"<svg/onload=alert(1)>",
	"<math><mi//xlink:href=\"data:x,<script>alert(1)</script>\">",
	"<iframe srcdoc='<script>alert(1)</script>'></iframe>",
	"<style>*{display:none}</style>",
	"<p style='position:fixed'>x</p>",
	"<form action=//x><input name=a><button>b</button></form>",
	"<input type=text autofocus onfocus=alert(1)>",
	"<input type=checkbox disabled>",
	"<base href=//x>",
	"<meta http-equiv=refresh content=0>",
	"<link rel=stylesheet href=//x>",
	"<a href='javascript:alert(1)'>a</a>",
	"<a href=' &#1; javascript:alert(1)'>a</a>",
	"<a href='java&#10;script:alert(1)'>a</a>",
	"[a](javascript&colon;alert(1))",
	"[a](<javascript:alert(1)>)",
	"![a](javascript:alert(1))",
	"<javascript:alert(1)>",
	"[a]: javascript:alert(1)\n\n[a]",
	"[a](data:text/html;base64,AAAA)",
	"<h2 id=nav>x</h2>",
	"<h2 id=h-x>x</h2>\n\n# x",
	"<p id=fn-fuzz:1>x</p>\n\na[^1]\n\n[^1]: b",
	"<div class=chroma tabindex=0 role=region>x</div>",
	"<span class=k>x</span>",
	"<pre tabindex=5>x</pre>",
	"<section class=footnotes role=doc-endnotes>x</section>",
	"</div></article></main></body></html>",
	"<div></p></div></section></article>x",
	"<p><div><p>x</div></p>",
	"<b><p>x</b>y</p>",
	"<a href=x><a href=y>z</a></a>",
	"[a <a href=x>b](/c)",
	"<table><tr><td><table>x</table>y</td></tr>z</table>",
	"<table><p>x<b>y</table>z",
	"<td>x</td><li>y</li><dt>z</dt>",
	"<ul><li><blockquote><li>x</ul>",
	"<details><summary>a</summary>\n\n- b\n\n</details>",
	"<pre>\n\nx</pre>",
	"<ruby>漢<rt>かん</rt></ruby>",
	"<!-- <script> --> a <!--> b -->",
	"<![CDATA[<script>alert(1)</script>]]>",
	"<?php echo '<script>'; ?>",
	"<textarea><script>alert(1)</script></textarea>",
	"<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
	"<xmp><p title='</xmp><script>alert(1)</script>'>",
	"<plaintext>x\n\ny",
	"```go\"><script>\nx\n```",
	"```\" onload=\"x\n</code></pre><script>\n```",
	"\x00\xff\xfe<\x00script>\x80",
	"&#0;&#1;&#xfffe;&#x110000;&#13;",
	"a &#13; b\r\nc\rd",
	"<p title='&#13;&#1;'>x</p>",
	"# <h2 id=x>a</h2>",
	"# [a](x) <a href=y>b",
	"[^1]: [^2]: [^3]: x\n\n[^1] [^2] [^3]",
	"```go title=\"<script>alert(1)</script>\" {1}\n<script>\n```\n\n```\"><script>:x title='\"'\n```",
	"```html {1-2}\n<a\n</mark></code><script>\n```\n\n```nosuch {2}\n</code>\n<mark>\n```",
	"> [!NOTE]<script>alert(1)</script>\n> a\n\n> [!TIP] <p>x</div></p>\n> </div></div>",
	"<div class=alert data-alert=note role=note>x</div><p class=alert-title>y</p>\n\n" +
		"<blockquote data-alert=note>z</blockquote>",
	"> [!NOTE]\n> [a]: b\n\n> [!NOTE]\n> [^1]: c\n\n> [!NOTE] [^1]: d\n> | a |\n> |---|\n\n[^1][a]",
	"a\n: b\n\n  [^1]: c\n\n: [^1]\n\n- a\n  : b\n: c\n> a\n: b\n> : c\n\na\n: - b\n: > c\n:     d\n: ```\n  e",
	"a\n---\n: b\n\n| a |\n|---|\n: b\n\n# a\n: b\n\n[a]: b\n: c",
	"## a {data-alert=note #b onclick=alert(1)}\n\n## a {#\"><script>}\n\n<h2 data-id=main>b</h2>",
	"> [^a]: x\n> [^b]: y\n\n[^a][^b]",
	"- [x] <input>\n- [ ] </li></ul>",
	"| a |\n|---|\n| </td></tr></table> |\n| <table> |",
	"<div>\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n</div></div>",
	"<q cite='javascript:x'>a</q><del cite='https://a b'>c</del>",
	"<img src=https:x.png><img src=http:/x><img src=\\\\x/y><img src=/\\x>",
	"[a](https:javascript:x) [b](http://[::1]) [c](http://%41) [d](//%2f) [e](./a:b)",
	"[#](# \"x\") [a](#%zz) [b](?a=%zz) [c](%00) [d](a%0ab)",
	"[a](vbscript:x) [b](file:///etc/passwd) [c](blob:x) [d](about:blank) [e](view-source:http://a.b) [f](intent:x)",
	"<a rel='me\" onclick=x' href=/>a</a> <a rel=me>b</a> <a rel='noopener me' href=javascript:x>c</a>",
	"http://a.b/\"onclick=x http://a.b/'><script> www.a.b/<b> a@b.c<script> http://a.b/&quot;onclick=",
	"<a href=/x>http://a.b</a> <a data-bare href=/y>http://c.d</a></a> [http://e.f](/z)",
	"http://[::1]/ http://[::1 http://%41.b http://a..b http://-a.b http://a_b.c_d http://1.2.3.4.5 http://\u202e.org",
	"http://xn--a http://xn--.org http://\u0301.org/\u0301 http://a.b/\u200b\u202e(((((((((((((((((((((",
	"a_b_c_d@e_f.g_h.i *a@b.c* _a@b.c_ __a__@b.c mailto:a@b.c xmpp:a@b.c/d javascript:a@b.c",
	"[a](///evil.example/x) ![b](///evil.example/y.png) <img src=////evil.example/z.png> " +
		"<a href='//\t/evil.example'>c</a>",
	"<a href='/&#9;/evil.example'>a</a> <a href='&#x2f;&#47;evil.example'>b</a> [c](/\\evil.example) " +
		"![d](/.//evil.example)",
	"<img src='http:\\evil.example/x.png'><a href='http:\\evil.example'>a</a><a href='https:///evil.example'>b</a>",
	"<a href='\u00a0javascript:x'>a</a><a href='\u2028javascript:x'>b</a><a href='java\u00adscript:x'>c</a>" +
		"<a href='\u0085javascript:x'>d</a><a href='feed:javascript:x'>e</a><a href='http://a.b\u3000c/'>f</a>",
	"<a href='#'>a</a> <a href='#%3Cscript%3E'>b</a> <a href='#\"onclick=x'>c</a> [d](#:~:text=x) [e](#%22onplay=x)",
	"<a href='https://a.b\\@c.d'>a</a> <a href='https://u:p@a.b@c.d/'>b</a> " +
		"<a href='tel:1&#10;2'>c</a> <a href=tel:>d</a>",
	"# a {#post}\n# a {#post}\n# a {#year}\n# a {#year}\n# a {#f}\n# a {#f}\n# a {#fn}\n# a {#fn}\n# a {#group}\n" +
		"# a {#group}",
	"# a {#__proto__}\n# a {#constructor}\n# a {#location}\n# a {#MAIN}\n# a {#x-heading}\n# a {#h-main}\n" +
		"# main\n# a {#-a}",
	"<p title=x aria-label=x aria-live=polite data-focus data-toc data-editor data-live-list hidden slot=x is=x " +
		"itemprop=x>x</p>",
	"```{.main #article .toc-box title=\"\u202ex\"}\nx\n```\n\n> [!NOTE] \u202ex\n> y",
	"<div class='summary warning' role=alert>x</div><details class=toc-box>" +
		"<summary class=label>Contents</summary></details>",
	"<video src=https://a.b/c.mp4 autoplay loop onplay=x poster=//e.f/g.png controls=x preload=auto crossorigin>a</video>",
	"<video src=javascript:x></video><audio src=data:audio/wav;base64,AAAA></audio><video src=blob:https://a.b/c></video>",
	"<video><source src=//a.b/c.mp4 onerror=x srcset=x><track src=/x default></video> ![a](//a.b/c.mp4) <source src=/x>",
	"<video src=https://a.b/c.mp4><p>a <audio src=https://a.b/c.mp3><b></video>c</audio></b></video>",
	"<a href=/x><video src=https://a.b/c.mp4></a>b</video> [![a](https://a.b/c.mp4)](/d) # ![](https://a.b/c.mp4)",
	"<table><video src=https://a.b/c.mp4><tr><audio src=https://a.b/c.mp3></table><ul><video src=https://a.b/c.mp4></ul>",
	"# ![](https://a.b/c.mp4)\n\n# <video src=https://a.b/c.mp4>\n\na",
	"<video src='https://a.b/c.mp4' aria-label='\"><script>'>![x\"y](https://a.b/c.mp4?\"onplay=x) ![](https://:1/c.mp4)",
	"<table align=center><td align=right align=left>x",
	"<ol start=99999999999><li value=x>",
	"<b><i><u><s><b><i><u><s>" + strings.Repeat("<p>x", 20),
	strings.Repeat("<div>", 300) + "x" + strings.Repeat("</div>", 300),
}

func TestHostile(t *testing.T) {
	for _, source := range hostile {
		doc := mustRender(t, source, markdown.Options{Prefix: "fuzz"})
		for _, word := range []string{"<script", "onerror=", "onload=", "onfocus=", "style=", "id=\"nav\""} {
			// Escaped text may contain these words, but a tag may not.
			for tag := range strings.SplitSeq(doc.HTML, "<") {
				if open, _, ok := strings.Cut("<"+tag, ">"); ok && strings.Contains(strings.ToLower(open), word) {
					t.Errorf("%q gives %q, want no %s in a tag", source, clip(doc.HTML), word)
				}
			}
		}
	}
}

// TestNothingIsForged: raw HTML gets none of the names that only this package may write.
func TestNothingIsForged(t *testing.T) {
	source := `<div class="table" role="region" tabindex="0" aria-label="x">a</div>
<figure class="code"><span class="k">b</span></figure>
<a href="/x" class="footnote-ref" role="doc-noteref" rel="nofollow external">c</a>
<section class="footnotes">d</section><ul class="tasks"><li class="task" id="fn-post:1">e</li></ul>
<p id="h-e" class="align-right">f</p>
<div class="alert" data-alert="note" role="note"><p class="alert-title">g</p></div>`
	doc := mustRender(t, source, markdown.Options{})
	const forged = "[class],[role],[id],[tabindex],[rel],[data-alert],section"
	if n := mustQuery(t, doc).Find(forged).Length(); n != 0 {
		t.Errorf("got %d of %s, want none, in %s", n, forged, doc.HTML)
	}
}

func TestBrokenBytes(t *testing.T) {
	doc := mustRender(t, "\ufeffa\x00b\xffc\r\nd", markdown.Options{})
	if want := "<p dir=\"auto\">a\ufffdb\ufffdc\nd</p>\n"; doc.HTML != want {
		t.Errorf("got %q, want %q", doc.HTML, want)
	}
}
