package web_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestWhatIsNotShown: the preview and the editor say what of a text readers do not see.
func TestWhatIsNotShown(t *testing.T) {
	t.Parallel()
	n := MustWorld(t).primary
	b := MustLogin(t, n)
	const body = "Use <your-name>.\n\n<iframe src=x></iframe>\n\n<!-- a note\n\nThe remainder."
	form := b.Get(t, "/admin/posts/new").Must(t, http.StatusOK)
	pre := b.Post(t, "/admin/posts", form.with(t, "form.editor", "title", "Lost", "body", body, "do", "preview")).
		Must(t, http.StatusOK)
	edit := b.Post(t, "/admin/posts", pre.with(t, "form.editor", "do", "save")).Must(t, http.StatusSeeOther).
		header.Get("Location")
	for name, page := range map[string]*answer{"preview": pre, "editor": b.Get(t, edit).Must(t, http.StatusOK)} {
		said := page.find(t, "[data-lost] li")
		for i, want := range []string{"Line 1: <your-name>", "Line 3: <iframe>", "Line 5: the comment"} {
			if !strings.HasPrefix(strings.Join(strings.Fields(said.Eq(i).Text()), " "), want) {
				t.Errorf("the %s says %q, want %q", name, said.Eq(i).Text(), want)
			}
		}
	}
	// A stranger's text is not read for it.
	lost := MustOpen(t, n).Post(t, "/admin/posts", pre.with(t, "form.editor", "do", "save"))
	lost.expectCount(t, "[data-lost]", 0) // a stranger's text is not read
}

// TestLinksAndPlayersStay: the preview and the post have links to other programs, the relation "me", and
// players that the policy of pages allows; what is not played is said.
func TestLinksAndPlayersStay(t *testing.T) {
	t.Parallel()
	n := MustWorld(t).primary
	b := MustLogin(t, n)
	const body = `[a](tel:+49-30-1234) [b](sms:+4930) [c](xmpp:a@b.c?join) [d](matrix:r/room:b.c) ` +
		`<a rel="nofollow me" href="https://b.c/@d">e</a>` + "\n\n![f](https://b.c/clip.mp4)\n\n" +
		`<audio><source src="https://b.c/a.mp3"></audio>` + "\n\n![g](clip.mp4) ![h](http://b.c/clip.webm)"
	form := b.Get(t, "/admin/posts/new").Must(t, http.StatusOK)
	pre := b.Post(t, "/admin/posts", form.with(t, "form.editor", "title", "Links", "body", body, "do", "preview")).
		Must(t, http.StatusOK)
	b.Post(t, "/admin/posts", pre.with(t, "form.editor", "do", "publish")).MustRedirect(t, "/posts/links")
	read := MustOpen(t, n).Get(t, "/posts/links").Must(t, http.StatusOK)
	for name, page := range map[string]*answer{"preview": pre, "post": read} {
		for _, selector := range []string{
			`a[href="tel:+49-30-1234"]`, `a[href="sms:+4930"]`, `a[href="xmpp:a@b.c?join"]`, `a[href="matrix:r/room:b.c"]`,
			`a[href="https://b.c/@d"][rel="me external noopener"]`,
			`video[controls][preload=none][src="https://b.c/clip.mp4"][aria-label=f] > a`,
			`audio[controls][preload=none][src="https://b.c/a.mp3"] > a`, `.missing-image`, `a[href="http://b.c/clip.webm"]`,
		} {
			if got := page.find(t, ".prose "+selector).Length(); got != 1 {
				t.Errorf("the %s: got %d of %s, want 1: %s", name, got, selector, page.text(t, ".prose"))
			}
		}
		if policy := page.header.Get("Content-Security-Policy"); !strings.Contains(policy, "; media-src https:;") {
			t.Errorf("the policy of the %s: got %q, want media from https in it", name, policy)
		}
	}
	for _, want := range []string{
		"Line 7: the video \"clip.mp4\" is not played", "Line 7: the video at \"http://b.c/clip.webm\" is a link",
	} {
		if got := pre.text(t, "[data-lost]"); !strings.Contains(got, want) {
			t.Errorf("said: got %q, want %q in it", got, want)
		}
	}
}
