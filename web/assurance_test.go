package web_test

import (
	"net/http"
	"net/url"
	"strconv"
	"testing"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// TestAnswersSayTheirAssurance: answers to writes have their assurance, on the primary and,
// forwarded, on a replica.
func TestAnswersSayTheirAssurance(t *testing.T) {
	t.Parallel()
	for _, want := range []repo.Assurance{repo.Two, repo.Alone} {
		w := MustWorldWith(t, repotest.Assured(want))
		b := MustLogin(t, w.primary)
		for _, n := range []*node{w.primary, w.replica} {
			answer := b.On(n).Post(t, "/admin/posts", editor("do", "publish")).Must(t, http.StatusSeeOther).header
			if assurance := answer.Get("X-Durability"); assurance != string(want) {
				t.Errorf("the answer says that it rests on %q, want %s", assurance, want)
			}
		}
	}
}

// TestRefusalsSayTheirAssurance: refusals by the primary have their assurance, on whatever page
// they are shown. A refusal by this node rests on nothing.
func TestRefusalsSayTheirAssurance(t *testing.T) {
	t.Parallel()
	w := MustWorldWith(t, repotest.Assured(repo.Alone), brief)
	ref := MustPublish(t, w.primary, "Taken", "Text")
	post := adminURL(ref.ID)
	author := MustLogin(t, w.primary)
	for _, n := range []*node{w.primary, w.replica} {
		b := author.On(n)
		for name, x := range map[string]struct {
			path      string
			form      url.Values
			status    int
			assurance string
		}{
			"a slug that is taken": {"/admin/posts", editor("slug", "taken"), http.StatusUnprocessableEntity, "alone"},
			"an old revision":      {post, editor("revision", "99"), http.StatusConflict, "alone"},
			"from the list": {
				post + "/state", url.Values{"do": {"unpublish"}, "revision": {"99"}, "key": {"k"}}, http.StatusConflict, "alone",
			},
			"a deletion": {
				post + "/delete", url.Values{"revision": {"99"}, "key": {"k"}}, http.StatusConflict, "alone",
			},
			"an error page": {
				adminURL(1<<40) + "/delete", url.Values{"revision": {"1"}, "key": {"k"}}, http.StatusNotFound, "alone",
			},
			"a date that is none": {"/admin/posts", editor("published_at", "never"), http.StatusUnprocessableEntity, ""},
			"a wrong password":    {"/login", url.Values{"email": {email}, "password": {"wrong"}}, http.StatusUnauthorized, ""},
		} {
			if got := b.Post(t, x.path, x.form).Must(t, x.status).header.Get("X-Durability"); got != x.assurance {
				t.Errorf("%s: the refusal says that it rests on %q, want %q", name, got, x.assurance)
			}
		}
		// Each chunk of a picture is a write.
		picture := func(form url.Values, status int) string {
			return b.Upload(t, "/admin/posts", form, "a.png", MustPNG(t)).Must(t, status).header.Get("X-Durability")
		}
		if got := picture(editor("do", "upload"), http.StatusOK); got != "alone" {
			t.Errorf("a picture rests on %q, want %q", got, "alone")
		}
		if got := picture(editor("slug", "taken"), http.StatusUnprocessableEntity); got != "alone" {
			t.Errorf("a picture with a refused post rests on %q, want %q", got, "alone")
		}
	}
	w.role.Set(repotest.Unknown())
	b := author.On(w.replica)
	if got := b.Post(t, post+"/delete", url.Values{"revision": {"1"}, "key": {"k"}}).
		Must(t, http.StatusServiceUnavailable).header.Get("X-Durability"); got != "" {
		t.Errorf("without a primary an answer rests on %q, want nothing", got)
	}
}

func adminURL(id int64) string { return "/admin/posts/" + strconv.FormatInt(id, 10) }
