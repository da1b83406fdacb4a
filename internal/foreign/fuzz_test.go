package foreign_test

import (
	"encoding/json"
	"strings"
	"testing"

	"blog/internal/foreign"
)

// mustBeFiles reads all entries of what may be an export: each is a file that can be imported, and the
// same when it is read again.
func mustBeFiles(t *testing.T, src string) {
	t.Helper()
	x, err := foreign.Open(strings.NewReader(src), int64(len(src)), foreign.Options{
		Picture: func(p string) bool { return len(p)%2 == 0 },
	})
	if err != nil {
		return
	}
	entries := mustEntries(t, x)
	for name, again := range mustEntries(t, x) {
		if string(again.Entry.Raw) != string(entries[name].Entry.Raw) {
			t.Errorf("%s differs when it is read again", name)
		}
	}
}

// FuzzExport: any file is refused or read.
func FuzzExport(f *testing.F) {
	f.Add(wxr(item("Text.", ""), page, attachment(8, "a.png", "")))
	f.Add(ghost(f, nil))
	f.Add(`{"collections":[{"alias":"a","public":true,"posts":[{"id":"1","slug":"s","body":"# T\n\nx"}]}]}`)
	f.Add(`[{"body":"x"}]`)
	f.Fuzz(mustBeFiles)
}

// FuzzWXRText: any text of an item becomes a file.
func FuzzWXRText(f *testing.F) {
	for _, s := range []string{
		"a\n\nb", "<!-- wp:paragraph --><p>x</p><!-- /wp:paragraph -->", `[caption]<img src="a.png"> x[/caption]`,
		"[[gallery]]",
		"<pre>a\n\nb</pre>", "<table><tr><td colspan=2>a<p>b<p>c</table>", "<details><summary>a</summary>b</details>",
		"<dl><dt>a<dd>b</dl>", "<ul><li>a<ol><li>b</ul>", "https://a.example/x_y", "<iframe src=//a></iframe>", "<x-raw>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		mustBeFiles(t, wxr(item(strings.ReplaceAll(text, "]]>", ""), ""), page, attachment(8, "a.png", "")))
	})
}

// FuzzGhostText: any document of a post becomes a file.
func FuzzGhostText(f *testing.F) {
	f.Add(`{"root":{"children":[{"type":"paragraph","children":[{"type":"text","text":"a","format":3}]},{"type":"im`+
		`age","src":"x.png"}]}}`, "")
	f.Add("", `{"atoms":[["soft-return","",{}]],"cards":[["hr",{}]],"markups":[["a",["href","x"]]],"sections":[[1,"`+
		`p",[[0,[0],1,"a"],[1,[],0,0]]],[10,0]]}`)
	f.Fuzz(func(t *testing.T, lexical, mobiledoc string) {
		if !json.Valid([]byte(lexical+mobiledoc)) && len(lexical+mobiledoc) > 1000 {
			return
		}
		mustBeFiles(t, ghost(t, map[string]any{"lexical": lexical, "mobiledoc": mobiledoc}))
	})
}
