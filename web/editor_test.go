package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"blog/internal/apperr"
	"blog/internal/posts"
	"blog/internal/repo/repotest"
)

const hostileText = "\n\n  Zwei Zeilen <b>&amp;\n\ttab \"quotes\" 'n' </textarea> 日本語 \u202e 👩\u200d👩\u200d👧\n\n"

// MustRetain fails unless the editor shows everything that was typed.
func MustRetain(tb testing.TB, a *answer, typed url.Values) {
	tb.Helper()
	retained := a.form(tb, "form.editor")
	for _, field := range []string{"title", "slug", "description", "tags", "body", "published_at"} {
		if retained.Get(field) != typed.Get(field) {
			tb.Errorf("%s: got %q, want %q as typed", field, retained.Get(field), typed.Get(field))
		}
	}
}

func TestWritingWithoutScripts(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	for _, n := range []*node{w.primary, w.replica} {
		b := MustLogin(t, n)
		stranger := MustOpen(t, n)
		form := b.Get(t, "/admin/posts/new").Must(t, http.StatusOK)
		edit := b.Post(t, "/admin/posts",
			form.with(t, "form.editor", "title", "My title", "body", "Some *words*.", "tags", "Go, two words ,,", "slug", "mine",
				"do", "save")).
			Must(t, http.StatusSeeOther).header.Get("Location")
		stranger.Get(t, "/posts/mine").Must(t, http.StatusNotFound)

		page := b.Get(t, edit).Must(t, http.StatusOK)
		page.expectText(t, ".flash", "Saved.")
		if badge := "form.editor + *, .page-head .badge"; page.text(t, badge) == "" {
			t.Errorf("after saving: got no words in %q of %s, want some", badge, page.text(t, "body"))
		}
		action := page.attr(t, "form.editor", "action")
		pre := b.Post(t, action, page.with(t, "form.editor", "body", "A **preview**.", "do", "preview")).
			Must(t, http.StatusOK)
		pre.expectText(t, ".preview .prose strong", "preview")
		pre.expectField(t, "form.editor", "body", "A **preview**.")
		pre.expectCount(t, "[data-lost]", 0)
		b.Post(t, action, pre.with(t, "form.editor", "do", "publish")).MustRedirect(t, "/posts/mine")
		read := stranger.Get(t, "/posts/mine").Must(t, http.StatusOK)
		read.expectText(t, ".prose strong", "preview")
		read.expectText(t, ".tags", "gotwo-words")
		b.Post(t, action, b.Get(t, edit).with(t, "form.editor", "do", "unpublish")).Must(t, http.StatusSeeOther)
		stranger.Get(t, "/posts/mine").Must(t, http.StatusNotFound)

		b.Post(t, action, b.Get(t, edit).with(t, "form.editor", "published_at", "2026-05-25T09:00", "do", "schedule")).
			Must(t, http.StatusSeeOther)
		scheduled := b.Get(t, edit)
		scheduled.expectText(t, ".page-head .badge", "Scheduled")
		scheduled.expectField(t, "form.editor", "published_at", "2026-05-25T09:00")
		stranger.Get(t, "/posts/mine").Must(t, http.StatusNotFound)
		// From the list the post is published at once, whatever its date.
		list := b.Get(t, "/admin").Must(t, http.StatusOK)
		row := fmt.Sprintf("form[action='%s/state']", action)
		b.Post(t, action+"/state", list.with(t, row, "do", "publish")).MustRedirect(t, "/admin")
		stranger.Get(t, "/posts/mine").Must(t, http.StatusOK)
		stale := b.Post(t, action+"/state", list.with(t, row, "do", "unpublish", "key", "")).Must(t, http.StatusConflict)
		stale.expectCount(t, ".summary[role=alert]", 1)

		confirm := b.Post(t, action, b.Get(t, edit).with(t, "form.editor", "do", "delete")).
			Must(t, http.StatusSeeOther).header.Get("Location")
		b.Post(t, confirm, b.Get(t, confirm).with(t, "main form")).MustRedirect(t, "/admin")
		stranger.Get(t, "/posts/mine").Must(t, http.StatusNotFound)
		b.Get(t, edit).Must(t, http.StatusNotFound)
		b.Get(t, confirm).Must(t, http.StatusNotFound)
	}
}

func TestPublishingNowDoesNotWait(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	b := MustLogin(t, w.primary)
	b.Post(t, "/admin/posts", editor("title", "Later", "published_at", "2027-01-01T00:00", "do", "publish")).
		MustRedirect(t, "/posts/later")
	b.Get(t, "/posts/later").Must(t, http.StatusOK)
	b.Post(t, "/admin/posts", editor("title", "Earlier", "published_at", "2020-02-29T23:59", "do", "publish")).
		MustRedirect(t, "/posts/earlier")
	b.Get(t, "/posts/earlier").expectAttr(t, "article time", "datetime", "2020-02-29T23:59:00Z")
	for _, date := range []string{"", "2020-01-01T00:00"} {
		typed := editor("title", "When", "published_at", date, "do", "schedule")
		a := b.Post(t, "/admin/posts", typed).Must(t, http.StatusUnprocessableEntity)
		if got := a.find(t, "#f-published_at-error").Length(); got != 1 {
			t.Errorf("scheduled for %q: got %d messages on the date, want 1: %s", date, got, a.text(t, "main"))
		}
		MustRetain(t, a, typed)
	}
}

func TestSavingAScheduledPostLeavesItScheduled(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	b := MustLogin(t, w.primary)
	edit := b.Post(t, "/admin/posts", editor("published_at", "2026-06-01T10:00", "do", "schedule")).
		Must(t, http.StatusSeeOther).header.Get("Location")
	form := b.Get(t, edit)
	action := form.attr(t, "form.editor", "action")
	for _, date := range []string{"", "2026-05-01T10:00"} {
		a := b.Post(t, action, form.with(t, "form.editor", "published_at", date, "do", "save")).
			Must(t, http.StatusUnprocessableEntity)
		if got := a.find(t, "#f-published_at-error").Length(); got != 1 {
			t.Errorf("%q: got %d messages on the date, want 1: %s", date, got, a.text(t, ".summary"))
		}
	}
	b.Post(t, action, form.with(t, "form.editor", "published_at", "2026-07-01T10:00", "do", "save")).
		Must(t, http.StatusSeeOther)
	scheduled := b.Get(t, edit)
	scheduled.expectText(t, ".page-head .badge", "Scheduled")
	scheduled.expectField(t, "form.editor", "published_at", "2026-07-01T10:00")
	MustOpen(t, w.primary).Get(t, "/posts/a-title").Must(t, http.StatusNotFound)
	b.Post(t, action, b.Get(t, edit).with(t, "form.editor", "do", "publish")).MustRedirect(t, "/posts/a-title")
}

func TestAFormSentTwice(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	b := MustLogin(t, w.replica)
	form := b.Get(t, "/admin/posts/new").with(t, "form.editor", "title", "Once", "body", "Text.", "do", "publish")
	for range 3 {
		b.Post(t, "/admin/posts", form).MustRedirect(t, "/posts/once")
	}
	if n := MustCount(t, w.primary)["posts"]; n != 1 {
		t.Fatalf("got %d posts, want 1", n)
	}
	// The same form with other text.
	form.Set("body", hostileText)
	form.Set("title", "Twice")
	a := b.Post(t, "/admin/posts", form).Must(t, http.StatusConflict)
	MustRetain(t, a, form)
	again := a.form(t, "form.editor")
	if got := again.Get("key"); got == form.Get("key") {
		t.Errorf("got the key %q again, want another", got)
	}
	if again.Get("key") == "" {
		t.Errorf("got the form %v, want a key in it", again)
	}
	a.expectCount(t, "#form-summary", 1)
	again.Set("do", "publish")
	b.Post(t, "/admin/posts", again).MustRedirect(t, "/posts/twice")
	if n := MustCount(t, w.primary)["posts"]; n != 2 {
		t.Errorf("got %d posts, want 2", n)
	}
	// A key that no write may have is replaced, and nothing else is wrong.
	a = b.Post(t, "/admin/posts", editor("key", strings.Repeat("k", 300))).Must(t, http.StatusUnprocessableEntity)
	b.Post(t, "/admin/posts", a.with(t, "form.editor", "do", "save")).Must(t, http.StatusSeeOther)
}

func TestWhatIsWrongIsSaidByField(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	MustDo(t, w.primary, posts.Create{Title: "Taken", Slug: "taken", Publish: true})
	id := MustDo(t, w.primary, posts.Create{Title: "Edited", Slug: "edited"}).ID
	on := map[*node]*browser{w.primary: MustLogin(t, w.primary), w.replica: MustLogin(t, w.replica)}
	for name, c := range map[string]struct {
		typed  url.Values
		fields []string
	}{
		"no title": {editor("title", " "), []string{"title"}},
		"all at once": {
			editor("title", strings.Repeat("t", 201), "slug", "a/b", "description", strings.Repeat("d", 501), "tags", "a, b{",
				"body", hostileText),
			[]string{"title", "slug", "description", "tags"},
		},
		"taken":     {editor("slug", "taken", "body", hostileText), []string{"slug"}},
		"reserved":  {editor("slug", "new"), []string{"slug"}},
		"long":      {editor("body", strings.Repeat("wörter ", 40_000)), []string{"body"}},
		"no date":   {editor("published_at", "yesterday"), []string{"published_at"}},
		"no day":    {editor("published_at", "2026-02-30T10:00"), []string{"published_at"}},
		"year 3000": {editor("published_at", "3000-01-01T00:00"), []string{"published_at"}},
	} {
		for _, action := range []string{"/admin/posts", fmt.Sprintf("/admin/posts/%d", id)} {
			c.typed.Set("revision", "1")
			said := map[*node]string{}
			for n, b := range on {
				a := b.Post(t, action, c.typed).Must(t, http.StatusUnprocessableEntity)
				MustRetain(t, a, c.typed)
				for _, f := range c.fields {
					if got := a.find(t, "#f-"+f+"-error").Length(); got != 1 {
						t.Errorf("%s to %s: got %d words on %s, want 1: %s", name, action, got, f, a.text(t, ".summary"))
					}
					if got := a.attr(t, "#f-"+f, "aria-invalid"); got != "true" {
						t.Errorf("%s to %s: got aria-invalid %q of %s, want %q", name, action, got, f, "true")
					}
				}
				if got := a.find(t, ".field-error").Length(); got != len(c.fields) {
					t.Errorf("%s to %s: got %d messages, want %d: %s", name, action, got, len(c.fields), a.text(t, ".summary"))
				}
				a.expectAttr(t, "form.editor", "action", action)
				said[n] = a.text(t, ".summary")
			}
			if said[w.primary] != said[w.replica] {
				t.Errorf("%s: got %q on the replica, want %q as here", name, said[w.replica], said[w.primary])
			}
		}
	}
}

func TestTwoEditors(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	id := MustPublish(t, w.primary, "Title", "One\n\nTwo\n\nThree").ID
	edit, action := fmt.Sprintf("/admin/posts/%d/edit", id), fmt.Sprintf("/admin/posts/%d", id)
	one, two := MustLogin(t, w.primary), MustLogin(t, w.replica)
	mine, theirs := one.Get(t, edit), two.Get(t, edit)
	two.Post(t, action, theirs.with(t, "form.editor", "body", "One\n\n2\n\nThree", "do", "save")).
		Must(t, http.StatusSeeOther)
	typed := mine.with(t, "form.editor", "body", "One\n\nzwei"+hostileText+"Three", "title", "Titel", "do", "save")
	a := one.Post(t, action, typed).Must(t, http.StatusConflict)
	a.expectField(t, "form.conflict", "body", typed.Get("body"))
	a.expectField(t, "form.conflict", "title", "Titel")
	if diff := cmp.Diff("One\n\n2\n\nThree", a.find(t, ".theirs textarea").Text()); diff != "" {
		t.Errorf("theirs (-want +got):\n%s", diff)
	}
	a.expectAttr(t, ".theirs a, a[href='"+edit+"']", "href", edit)
	a.expectText(t, ".diff-theirs .diff-text", "2")
	if got := a.text(t, ".diff-mine .diff-text"); !strings.Contains(got, "zwei") {
		t.Errorf("my side of the difference: got %q, want %q in it", got, "zwei")
	}
	stored := MustLoad(t, w.primary, id)
	if diff := cmp.Diff([]string{"Title", "One\n\n2\n\nThree"}, []string{stored.Title, stored.Body}); diff != "" {
		t.Errorf("title and body before the second try (-want +got):\n%s", diff)
	}
	// Sent again, knowingly.
	one.Post(t, action, a.with(t, "form.conflict", "do", a.attr(t, "form.conflict button[name=do]", "value"))).
		Must(t, http.StatusSeeOther)
	stored = MustLoad(t, w.primary, id)
	if stored.Title != "Titel" {
		t.Errorf("sent again: got the title %q, want %q", stored.Title, "Titel")
	}
	if !strings.Contains(stored.Body, "zwei") {
		t.Errorf("sent again: got the body %q, want %q in it", stored.Body, "zwei")
	}
	// One of them deletes the post.
	typed = two.Get(t, edit).with(t, "form.editor", "body", "Still typing"+hostileText, "do", "publish")
	MustDo(t, w.primary, posts.Delete{Target: posts.Target{ID: id}})
	a = two.Post(t, action, typed).Must(t, http.StatusConflict)
	MustRetain(t, a, typed)
	a.expectAttr(t, "form.editor", "action", "/admin/posts")
	two.Post(t, "/admin/posts", a.with(t, "form.editor", "do", "publish")).MustRedirect(t, "/posts/title")
}

func TestASessionThatEndsWhileWriting(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	id := MustPublish(t, w.primary, "Secret title", "Its text").ID
	for action, form := range map[string]string{
		"/admin/posts": "/admin/posts/new", fmt.Sprintf("/admin/posts/%d", id): fmt.Sprintf("/admin/posts/%d/edit", id),
	} {
		b := MustLogin(t, w.replica)
		typed := b.Get(t, form).
			with(t, "form.editor", "title", "Typed", "body", hostileText, "tags", "a, b", "description", "d", "do", "publish")
		b.Post(t, "/account/logout-all", nil).MustRedirect(t, "/login")
		a := b.Post(t, action, typed).Must(t, http.StatusUnauthorized)
		MustRetain(t, a, typed)
		a.expectAttr(t, "form.editor", "action", action)
		a.expectField(t, "form.editor", "key", typed.Get("key"))
		if a.find(t, ".summary a[href='/login']").Length() == 0 {
			t.Errorf("%s: got no link to /login in %s, want one", action, a.text(t, "body"))
		}
		if action != "/admin/posts" { // what the post is, is for its author
			a.expectText(t, ".page-head .badge", "")
		}
		a.expectWithout(t, "Secret title")
		a.expectWithout(t, "Its text")
		// The author signs in in another tab.
		b.Post(t, "/login", url.Values{"email": {email}, "password": {password}}).MustRedirect(t, "/admin")
		b.Post(t, action, a.with(t, "form.editor", "do", "publish")).Must(t, http.StatusSeeOther)
	}
	stranger := MustOpen(t, w.primary)
	for path, form := range map[string]url.Values{
		"/admin/posts": {}, "/admin/posts/1/delete": {"key": {"k"}}, "/admin/posts/1/state": {"do": {"unpublish"}},
		"/account/password": {},
	} {
		stranger.Post(t, path, form).Must(t, http.StatusUnauthorized)
	}
	stranger.Get(t, "/admin/posts/new?x=1").MustRedirect(t, "/login?next=%2Fadmin%2Fposts%2Fnew%3Fx%3D1")
}

// TestASessionThatThePrimaryNoLongerHas: the session ends on the primary after this node has read
// it and before the write.
func TestASessionThatThePrimaryNoLongerHas(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	b := MustLogin(t, w.primary)
	typed := editor("body", hostileText)
	// The primary's clock is ahead of this node's, so the session has ended there.
	repotest.MustExec(t, w.path,
		"UPDATE writes SET at = '2026-12-31T00:00:00.000Z' WHERE seq = (SELECT MAX(seq) FROM writes)")
	a := b.Post(t, "/admin/posts", typed).Must(t, http.StatusUnauthorized)
	MustRetain(t, a, typed)
}

func TestAnEditorWithoutAPrimary(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, brief)
	id := MustPublish(t, w.primary, "Title", "Text").ID
	b := MustLogin(t, w.replica)
	action := fmt.Sprintf("/admin/posts/%d", id)
	list, confirm := b.Get(t, "/admin"), b.Get(t, action+"/delete")
	typed := b.Get(t, action+"/edit").with(t, "form.editor", "body", hostileText, "do", "save")
	w.role.Set(repotest.Unknown())
	for _, to := range []string{"/admin/posts", action} {
		a := b.Post(t, to, typed).Must(t, http.StatusServiceUnavailable)
		MustRetain(t, a, typed)
		a.expectRetryAfter(t)
		a.expectField(t, "form.editor", "key", typed.Get("key"))
		a.expectCount(t, ".summary.warning", 1)
		up := b.Upload(t, to, typed, "a.png", MustPNG(t)).Must(t, http.StatusServiceUnavailable)
		MustRetain(t, up, typed)
	}
	for path, form := range map[string]url.Values{
		action + "/delete": confirm.form(t, "main form"),
		action + "/state":  list.with(t, ".admin-actions", "do", "unpublish"),
		"/login": {
			"email": {email}, "password": {password},
		}, "/logout": {}, "/account/renew": {}, "/account/logout-all": {},
		"/account/password": {"current": {password}, "password": {"a new long sentence"}},
	} {
		a := b.Post(t, path, form).Must(t, http.StatusServiceUnavailable)
		a.expectRetryAfter(t)
		if b.Cookie(t, "session") == "" {
			t.Errorf("%s: got the browser without a session, want it signed in: %q", path, a.header["Set-Cookie"])
		}
	}
	b.Get(t, "/admin").Must(t, http.StatusOK) // reads go on
	stored := MustLoad(t, w.primary, id)
	if stored.Body != "Text" {
		t.Errorf("got the body %q, want %q, as nothing is saved", stored.Body, "Text")
	}
	if !stored.Visible() {
		t.Errorf("got %+v, want it visible, as nothing is saved", stored)
	}
	if log := w.replica.log.String(); !strings.Contains(log, apperr.NoPrimary) {
		t.Errorf("got the log %s, want the reason %q in it", log, apperr.NoPrimary)
	}
}
