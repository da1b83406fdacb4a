package compose_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/test/cluster"
	"blog/test/compose"
)

// TestAnswerInAPage: each answer to a form means one outcome.
func TestAnswerInAPage(t *testing.T) {
	at := repo.Cursor{Seq: 9, Mark: repo.Mark{9}}
	written := http.Header{"Set-Cookie": {"position=x.y; Path=/", "written=" + at.String() + ".signature; Path=/"},
		"X-Durability": {"two"}}
	edit := compose.Write{Key: "k", Kind: compose.Edit, Post: "p", Expected: 4}
	deletion := compose.Write{Key: "k", Kind: compose.Delete, Post: "p", Expected: 4}
	upload := compose.Write{Key: "k", Kind: compose.Upload, Picture: "f00"}
	for name, c := range map[string]struct {
		w      compose.Write
		status int
		header http.Header
		body   string
		want   compose.Answer
	}{
		"saved": {edit, 303, written, "",
			compose.Answer{Outcome: compose.OK, Revision: 5, Cursor: at.String(), Seq: 9, Assurance: "two", Slug: "p"}},
		"again": {edit, 303, nil, "", compose.Answer{Outcome: compose.OK, Revision: 5, Slug: "p"}},
		"deleted": {deletion, 303, written, "",
			compose.Answer{Outcome: compose.OK, Revision: 4, Cursor: at.String(), Seq: 9, Assurance: "two", Slug: "p"}},
		"stored":      {upload, 200, nil, "![](/media/f00/a.png)", compose.Answer{Outcome: compose.OK}},
		"not stored":  {upload, 200, nil, "", compose.Answer{Outcome: compose.Refused}},
		"conflict":    {edit, 409, nil, "Somebody has saved", compose.Answer{Outcome: compose.Conflict}},
		"gone":        {edit, 409, nil, "This post was deleted meanwhile.", compose.Answer{Outcome: compose.NotFound}},
		"gone before": {deletion, 404, nil, "", compose.Answer{Outcome: compose.NotFound}},
		"key used": {edit, 409, nil, "This form was saved before, with something else in it.",
			compose.Answer{Outcome: compose.KeyUsed}},
		"not now":    {edit, 503, nil, "", compose.Answer{Outcome: compose.Unknown}},
		"signed out": {edit, 401, nil, "", compose.Answer{Outcome: compose.Refused, Code: apperr.Unauthorized}},
		"invalid":    {edit, 422, nil, "", compose.Answer{Outcome: compose.Refused}},
	} {
		got := c.w.AnswerIn(c.status, c.header, c.body)
		got.Message = ""
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// TestFromEditor: the editor's form is sent, and a change of the state is to the other state.
func TestFromEditor(t *testing.T) {
	const page = `<form data-editor="1"><input name="revision" value="7"><input name="key" value="x">
		<input name="tags" value="t">
		<textarea name="body">Text</textarea><input name="published_at" value="2026-01-02T03:04">
		<input name="image" type="file">`
	form := url.Values{"tags": {"mine"}}
	w := compose.Write{Kind: compose.Publish}
	if !w.FromEditor(page+`<button name="do" value="unpublish"></button></form>`, form) || w.Expected != 7 ||
		w.Kind != compose.Unpublish || form.Get("do") != "unpublish" {
		t.Errorf("%+v %v", w, form)
	}
	for name, want := range map[string]string{"body": "Text", "published_at": "2026-01-02T03:04", "tags": "mine",
		"revision": "7"} {
		if got := form.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	w = compose.Write{Kind: compose.Publish}
	if !w.FromEditor(page+"</form>", form) {
		t.Errorf("got no form of a draft's editor, want one: %+v", w)
	}
	if w.Kind != compose.Publish {
		t.Errorf("got a write of kind %s, want %s", w.Kind, compose.Publish)
	}
	if got := form.Get("do"); got != "publish" {
		t.Errorf("got do=%s, want publish", got)
	}
	if w.FromEditor("<h1>Not found</h1>", url.Values{}) {
		t.Error("a page without a form is one")
	}
}

// TestFormsAvoidNodes: no form goes to a node where another node's cookies are not valid, not even
// from there.
func TestFormsAvoidNodes(t *testing.T) {
	s, fra1, fra2, iad1, nrt1 := people()
	s.Avoid(nrt1, iad1, fra2)
	r := compose.NewReader("r", nrt1, s)
	for range 40 {
		if n := r.AnyNode(fra1, fra2, iad1, nrt1); n != fra1 {
			t.Fatalf("a form goes to %s", n.Name)
		}
	}
}

// TestSessionIn: what the site's answers say about a session.
func TestSessionIn(t *testing.T) {
	for name, c := range map[string]struct {
		kind         compose.SessionKind
		status       int
		stale        int64
		location     string
		alive, known bool
	}{
		"a page":                {compose.Page, 200, 0, "", true, true},
		"sent to sign in":       {compose.Page, 303, 0, "/login?next=%2Faccount", false, true},
		"behind":                {compose.Page, 303, 7, "/login", false, false},
		"on its way":            {compose.Page, 503, 7, "", false, false},
		"a write of nothing":    {compose.Signed, 404, 0, "", true, true},
		"a write, refused":      {compose.Signed, 401, 0, "", false, true},
		"signed out":            {compose.Logout, 303, 0, "/", false, true},
		"signed out, not known": {compose.Logout, 503, 0, "", false, false},
	} {
		if alive, known := compose.SessionIn(c.kind, c.status, c.stale, c.location); alive != c.alive || known != c.known {
			t.Errorf("%s: alive %t, known %t, want %t and %t", name, alive, known, c.alive, c.known)
		}
	}
}

// TestFormsEndBeforeTheChecks: no reader writes with a form once the forms are closed.
func TestFormsEndBeforeTheChecks(t *testing.T) {
	s := compose.NewStorm()
	if s.Enter() {
		t.Fatal("a reader writes before the storm has begun")
	}
	s.OpenForms(true)
	if !s.Enter() {
		t.Fatal("a reader may not write")
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		s.OpenForms(false)
	}()
	cluster.Poll(t, 20*time.Second, "the forms are about to be closed", func(context.Context) error {
		if s.Enter() {
			s.Leave()
			return errors.New("not yet")
		}
		return nil
	})
	select {
	case <-closed:
		t.Error("the forms are closed while a reader writes")
	default:
	}
	s.Leave()
	<-closed
	if s.Enter() {
		t.Error("a reader writes after the end")
	}
}
