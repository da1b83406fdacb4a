package journey_test

import (
	"strings"
	"testing"

	"blog/test/browser"
	"blog/test/cluster"
)

// TestJourneyInBrowser is the main line as people see it: an author in a window on one replica, and
// a reader in another window on another replica.
func TestJourneyInBrowser(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Env: []string{"PUBLIC_URL=http://blog.example"}})
	here, there := c.Nodes[1], c.Nodes[2]
	firstAuthor(t, c, here)
	chromium := browser.Must(t)
	author, reader := chromium.MustTab(t), chromium.MustTab(t)

	reader.MustOpen(t, there.PublicURL+"/posts")
	reader.MustPoll(t, `document.querySelector("main [data-live-topics], main[data-live-topics]") !== null`)

	author.MustOpen(t, here.PublicURL+"/login")
	fill(t, author, map[string]string{"email": email, "password": password})
	submit(t, author, `form[action="/login"]`, "")
	author.MustPoll(t, `location.pathname === "/admin"`)

	author.MustOpen(t, here.PublicURL+"/admin/posts/new")
	fill(t, author, map[string]string{
		"title": "Seen from afar", "body": "First words.\n\n## A heading\n\n```go\nfunc main() {}\n```\n", "tags": "live",
	})
	submit(t, author, `form[action="/admin/posts"]`, "publish")
	author.MustPoll(t, `location.pathname === "/posts/seen-from-afar"`)

	// Nothing happens in the reader's window but the update.
	reader.MustPoll(t,
		`[...document.querySelectorAll("main li[id^=post-]")].some(li => li.textContent.includes("Seen from afar"))`)
	reader.SaveScreenshot(t, "journey-list")

	reader.MustOpen(t, there.PublicURL+"/posts/seen-from-afar")
	reader.MustPoll(t, `document.querySelector("article h1").textContent.includes("Seen from afar")`)
	edit := browser.MustEval[string](t, author, `document.querySelector('a[href$="/edit"]').getAttribute("href")`)
	author.MustOpen(t, here.PublicURL+edit)
	fill(t, author, map[string]string{"title": "Seen from afar, changed", "slug": "seen-again"})
	submit(t, author, `form[action^="/admin/posts/"]`, "save")
	reader.MustPoll(t, `document.querySelector("article h1").textContent.includes("changed")`)
	reader.MustPoll(t, `location.pathname === "/posts/seen-again"`)
	reader.SaveScreenshot(t, "journey-post")
}

// fill sets form fields as typing does.
func fill(t *testing.T, tab *browser.Tab, values map[string]string) {
	t.Helper()
	for name, value := range values {
		quoted := strings.NewReplacer("\\", "\\\\", "\"", "\\\"", "\n", "\\n").Replace(value)
		browser.MustEval[bool](t, tab, `(() => {
			const e = document.querySelector('main [name="`+name+`"]');
			e.focus();
			e.value = "`+quoted+`";
			e.dispatchEvent(new Event("input", {bubbles: true}));
			return true;
		})()`)
	}
}

// submit presses a form's button: the one with the value do, or its only one.
func submit(t *testing.T, tab *browser.Tab, form, do string) {
	t.Helper()
	button := form + ` button`
	if do != "" {
		button = form + ` button[name=do][value=` + do + `]`
	}
	browser.MustEval[bool](t, tab,
		`(() => { setTimeout(() => document.querySelector('`+button+`').click(), 0); return true; })()`)
}
