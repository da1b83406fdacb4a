package markdown_test

import (
	"strings"
	"testing"

	"blog/internal/markdown"
)

// hostile are sources that try to get out of the document, or to look like
// what is ours. mustHold says what none of them may reach.
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
	"> [^a]: x\n> [^b]: y\n\n[^a][^b]",
	"- [x] <input>\n- [ ] </li></ul>",
	"| a |\n|---|\n| </td></tr></table> |\n| <table> |",
	"<div>\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n</div></div>",
	"<q cite='javascript:x'>a</q><del cite='https://a b'>c</del>",
	"<img src=https:x.png><img src=http:/x><img src=\\\\x/y><img src=/\\x>",
	"[a](https:javascript:x) [b](http://[::1]) [c](http://%41) [d](//%2f) [e](./a:b)",
	"[#](# \"x\") [a](#%zz) [b](?a=%zz) [c](%00) [d](a%0ab)",
	"<table align=center><td align=right align=left>x",
	"<ol start=99999999999><li value=x>",
	"<b><i><u><s><b><i><u><s>" + strings.Repeat("<p>x", 20),
	strings.Repeat("<div>", 300) + "x" + strings.Repeat("</div>", 300),
}

func TestHostile(t *testing.T) {
	for _, source := range hostile {
		doc := mustRender(t, source, markdown.Options{Prefix: "fuzz"})
		for _, word := range []string{"<script", "onerror=", "onload=", "onfocus=", "style=", "id=\"nav\""} {
			// Escaped text may hold the words; a tag may not.
			for tag := range strings.SplitSeq(doc.HTML, "<") {
				if open, _, ok := strings.Cut("<"+tag, ">"); ok && strings.Contains(strings.ToLower(open), word) {
					t.Errorf("%q gives %q", source, clip(doc.HTML))
				}
			}
		}
	}
}

// TestNothingIsForged asserts that raw HTML gets none of our names.
func TestNothingIsForged(t *testing.T) {
	source := `<div class="table" role="region" tabindex="0" aria-label="x">a</div>
<figure class="code"><span class="k">b</span></figure>
<a href="/x" class="footnote-ref" role="doc-noteref" rel="me">c</a>
<section class="footnotes">d</section><ul class="tasks"><li class="task" id="fn-post:1">e</li></ul>
<p id="h-e" class="align-right">f</p>`
	q := mustQuery(t, mustRender(t, source, markdown.Options{}))
	if n := q.Find("[class],[role],[id],[tabindex],[rel],section").Length(); n != 0 {
		t.Error(q.Html())
	}
}

func TestBrokenBytes(t *testing.T) {
	doc := mustRender(t, "\ufeffa\x00b\xffc\r\nd", markdown.Options{})
	if want := "<p dir=\"auto\">a\ufffdb\ufffdc\nd</p>\n"; doc.HTML != want {
		t.Errorf("got %q, want %q", doc.HTML, want)
	}
}
