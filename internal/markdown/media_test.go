package markdown_test

import (
	"strings"
	"testing"

	"blog/internal/markdown"
)

const (
	playerStart = `<video controls="" preload="none" src="https://x.y/clip.mp4"`
	playerLink  = `><a href="https://x.y/clip.mp4" rel="external noopener">`
	playerEnd   = `</a></video>`
)

// TestPlayers asserts what a video or a recording becomes: a player that loads nothing by itself, a link, or text.
func TestPlayers(t *testing.T) {
	nameless := playerStart + playerLink + "clip.mp4" + playerEnd
	for source, want := range map[string]string{
		"![](https://x.y/clip.mp4)": nameless,
		"![A *cat*](https://x.y/clip.mp4)": `<video aria-label="A cat"` + playerStart[len("<video"):] + playerLink + "A cat" +
			playerEnd,
		"![](//x.y/clip.mp4)":                                                nameless,
		"![](HTTPS://x.y/clip.mp4)":                                          nameless,
		"![][c]\n\n[c]: https://x.y/clip.mp4":                                nameless,
		"<video src=https://x.y/clip.mp4></video>":                           nameless,
		"<video autoplay controls><source src=https://x.y/clip.mp4></video>": nameless,
		"<video src=https://x.y/clip.mp4>Your browser is <b>old</b>. <a href=/x>Get it</a></video>": nameless,
		"<video src=https://x.y/clip.mp4>not closed":                                                nameless + "not closed",
		`<video src="https://x.y/clip.mp4" /> b`:                                                    nameless + " b",
		"<video><source src=c.webm><source src=https://x.y/clip.mp4></video> b":                     nameless + " b",
		`<video title="A cat" width=640 height="360" src=https://x.y/clip.mp4></video>`: `<video aria-label="A cat" ` +
			`controls="" height="360" preload="none" src="https://x.y/clip.mp4" width="640"` + playerLink + "A cat" + playerEnd,
		"<audio src=https://x.y/clip.mp4></audio>": strings.ReplaceAll(nameless, "video", "audio"),
		"![](https://x.y/a.OGG?b#c)": `<audio controls="" preload="none" src="https://x.y/a.OGG?b#c">` +
			`<a href="https://x.y/a.OGG?b#c" rel="external noopener">a.OGG</a></audio>`,
		"![a](http://x.y/clip.mp4)":               `<a href="http://x.y/clip.mp4" rel="external noopener">a</a>`,
		"<audio src=http://x.y/clip.mp3></audio>": `<a href="http://x.y/clip.mp3" rel="external noopener">clip.mp3</a>`,
		"![a](clip.mp4)":                          `<span class="missing-image">a</span>`,
		"![](b/clip.mp4)":                         `<span class="missing-image">clip.mp4</span>`,
		"<video src=/media/clip.mp4></video>":     `<span class="missing-image">clip.mp4</span>`,
		"a<video></video>":                        "a",
		"a<video src=javascript:x title=b>":       `a<span class="missing-image">b</span>`,
		"[![a](https://x.y/clip.mp4)](/there)":    `<a href="/there"><span class="missing-image">a</span></a>`,
		"[clip](https://x.y/clip.mp4)":            `<a href="https://x.y/clip.mp4" rel="external noopener">clip</a>`,
		"![a](https://x.y/clip.png)":              `<a href="https://x.y/clip.png" rel="external noopener">a</a>`,
	} {
		doc := mustRender(t, source, markdown.Options{Image: func(dest string) (string, int, int, bool) {
			t.Errorf("%q: a picture %q was asked for, want none", source, dest)
			return "", 0, 0, false
		}})
		got := strings.TrimSpace(doc.HTML)
		if got = strings.TrimSuffix(strings.TrimPrefix(got, `<p dir="auto">`), "</p>"); got != want {
			t.Errorf("%q:\n got %s\nwant %s", source, got, want)
		}
		if len(doc.Images) > 0 {
			t.Errorf("%q: got the pictures %q, want none", source, doc.Images)
		}
	}
}

// TestPlayersHideNothing: what is between the tags of a player goes only when it is a word for old browsers.
func TestPlayersHideNothing(t *testing.T) {
	for _, source := range []string{
		"<video src=https://x.y/c.mp4>\n\n## Here\n\nText.\n\n</video>",
		"<video src=https://x.y/c.mp4>\n\nText.\n\n- Here\n\n</video>",
		"a <video src=https://x.y/c.mp4> b\n\nHere</video>",
		"<audio src=https://x.y/c.mp3>\n\nHere\n\n</video>",
		"> <video src=https://x.y/c.mp4>\n\nHere\n\n</video>",
	} {
		doc := mustRender(t, source, markdown.Options{})
		if got := mustQuery(t, doc).Text(); !strings.Contains(got, "Here") {
			t.Errorf("%q: got the text %q, want Here in it", source, got)
		}
		if !strings.Contains(doc.HTML, " controls=") {
			t.Errorf("%q: got %s, want controls= in it", source, doc.HTML)
		}
	}
	doc := mustRender(t, "# ![A cat](https://x.y/c.mp4)\n\nA ![cat](https://x.y/c.mp4) meows.", markdown.Options{})
	if len(doc.Headings) != 1 {
		t.Fatalf("got the headings %+v, want one", doc.Headings)
	}
	if got := doc.Headings[0].Text; got != "A cat" {
		t.Errorf("got the heading %q, want %q", got, "A cat")
	}
	if doc.Excerpt != "A meows." {
		t.Errorf("got the excerpt %q, want %q", doc.Excerpt, "A meows.")
	}
	if want := "A cat\nA cat meows."; doc.Plain != want {
		t.Errorf("got the plain text %q, want %q", doc.Plain, want)
	}
}
