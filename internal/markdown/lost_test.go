package markdown_test

import (
	"fmt"
	"strings"
	"testing"

	"blog/internal/markdown"
)

// TestWarnings asserts that what disappears is said, with its line.
func TestWarnings(t *testing.T) {
	for _, c := range [][2]string{
		{"a\n\n<!-- b\n\nc\n\nd", "3: the comment that begins here (<!--) does not end"},
		{"a <!-- b\nc --> d\n\n<!-- e -->", ""},
		{"a <!-- b", ""}, // is shown as text
		{"<div>\n<!-- b\nc\n\nd", "2: the comment that begins here"},
		{"> a\n>\n> <!-- b\n\nc", "3: the comment that begins here"},
		{"- a\n\n  <!-- b\n\n  c\n\nd", "3: the comment that begins here"},
		{"a\n\n<iframe src=\"https://x.y\"></iframe>", "3: <iframe> and what is in it are not shown"},
		{"<script>\nalert(1)\n</script>", "1: <script> and what is in it are not shown"},
		{"<style>\np {}\n\n# b", "1: <style> and what is in it are not shown"},
		{
			"a\nuse <your-name> here, <YOUR-NAME>",
			"2: <your-name> is no element of HTML and is left out; write \\<your-name> to show it",
		},
		{"Vec<String> and a<b>c</b>", "1: <string> is no element"},
		{
			"a <center>b</center>\n\n<form>\n<input>",
			"1: <center> is left out; text in it stays|3: <form> is left|4: <input> is left",
		},
		{"<object data=x>\n<p>y</p></object>", "1: <object> and what"},
		{"![a](clip.mp4)\n![](/b.mp3)", "1: the video \"clip.mp4\" is not played, because only|2: the audio \"/b.mp3\" is"},
		{"a\n\n![](http://x.y/c.mp4) ![](https://x.y/c.mp4)", "3: the video at \"http://x.y/c.mp4\" is a link"},
		{"<video src=c.mp4></video>\n\n<audio>\na", "1: the video \"c.mp4\" is not played|3: <audio> has no address"},
		{"<video controls>\n<source src=c.mp4>\n<source src=https://x.y/c.mp4>\nNo.\n</video>", ""},
		{"<video src=javascript:x>", "1: the video at \"javascript:x\" is not shown"},
		{"a <video src=https://x.y/c.mp4></video> [![a](http://x.y/c.mp4)](/d)", ""},
		{"<video><track></video>\n<source src=x>", "1: <track> is left|1: <video> has no|2: <source> is left"},
		{"<svg><path/></svg>", "1: <svg> is left|1: <path> is no element"},
		{"<div>\n\n<blink>x</blink>\n\n</div>", "3: <blink> is no element"},
		{"<div class=\"x>\n\ntext", "1: the tag \"<div class=\\\"x>\" does not end"},
		{"[a](javascript:x) and\n[b](foo:bar)", "1: the link to \"javascript:x\" leads nowhere|2: the link to \"foo:bar\""},
		{"[a][b]\n\n[b]: data:x", "1: the link to \"data:x\""},
		{"`<iframe>` and\n\n    <script>\n\n\\<b> <https://a.b>", ""},
		{"a <b>b</b> <span class=x>c</span> <br> <img src=a.png alt=b>", ""},
		{"<details>\n<summary>a</summary>\n\nb\n\n</details>", ""},
		{"<div>\n<x\u202ey>", "2: <x\ufffdy> is no element"},
		{"<p>\r\n<xyz>\r<uvw>", "2: <xyz> is no|3: <uvw> is no"},
	} {
		source, want := c[0], c[1]
		var got []string
		for _, w := range mustRender(t, source, markdown.Options{}).Warnings {
			got = append(got, fmt.Sprintf("%d: %s", w.Line, w.Text))
		}
		ok := len(got) == 0 && want == ""
		if parts := strings.Split(want, "|"); want != "" && len(got) == len(parts) {
			ok = true
			for i, part := range parts {
				ok = ok && strings.HasPrefix(got[i], part)
			}
		}
		if !ok {
			t.Errorf("%q:\n got %q\nwant %q", source, got, want)
		}
	}
	many := mustRender(t, strings.Repeat("<x-y>\n\n", 100), markdown.Options{}).Warnings
	if len(many) != 51 {
		t.Fatalf("got %d warnings, want 51", len(many))
	}
	if got := many[50].Text; got != "and 50 more" {
		t.Errorf("got the last warning %q, want %q", got, "and 50 more")
	}
	if got := many[49].Line; got != 99 {
		t.Errorf("got the last warning but one in line %d, want 99", got)
	}
	got := markdown.New(markdown.Words{}).Warnings("a\n<x-y>")
	if len(got) != 1 {
		t.Fatalf("without rendering: got %+v, want one warning", got)
	}
	if got[0].Line != 2 {
		t.Errorf("without rendering: got line %d, want 2", got[0].Line)
	}
}
