package main_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWritesAreTheSameWithAndWithoutServer runs one journey on the locked file and once more
// through a server. Results and refusals are the same.
func TestWritesAreTheSameWithAndWithoutServer(t *testing.T) {
	t.Run("without", func(t *testing.T) {
		w := newWorld(t)
		w.mustAuthor(t)
		journey(t, w)
	})
	t.Run("with", func(t *testing.T) {
		w := newWorld(t)
		w.mustAuthor(t)
		s := w.mustServe(t)
		journey(t, w)
		s.mustStop(t, syscall.SIGTERM)
	})
}

func journey(t *testing.T, w *world) {
	t.Helper()
	slug := makeAndEdit(t, w)
	listsHaveEverything(t, w)
	editTwice(t, w, "again")
	if cleared := mustJSON[written](t, w, "post", "edit", slug, "--no-tags"); cleared.Post.Revision != 3 {
		t.Errorf("without tags: got revision %d, want 3: %+v", cleared.Post.Revision, cleared)
	}
	if tags := mustJSON[[]map[string]any](t, w, "tag", "list"); len(tags) != 0 {
		t.Errorf("got the tags %v, want none", tags)
	}
	pinAndUnpin(t, w, slug)
	draft := mustJSON[written](t, w, "post", "unpublish", slug)
	if !draft.Post.Draft {
		t.Errorf("unpublish: got %+v, want a draft", draft)
	}
	due := mustJSON[written](t, w, "post", "publish", slug, "--at", "2199-01-02")
	if due.Post.State != "scheduled" {
		t.Errorf("publish --at: got the state %q, want %q", due.Post.State, "scheduled")
	}
	mustJSON[written](t, w, "post", "delete", slug, "--revision", "5")
	users := mustJSON[[]map[string]any](t, w, "user", "list")
	if len(users) != 1 {
		t.Fatalf("user list: got %d users, want 1: %v", len(users), users)
	}
	if got := users[0]["email"]; got != "ann@example.org" {
		t.Errorf("user list: got the address %v, want %q", got, "ann@example.org")
	}
}

// makeAndEdit makes a post and edits it, with refusals in between. The post is at its second revision then. It returns
// the post's slug.
func makeAndEdit(t *testing.T, w *world) string {
	t.Helper()
	made := mustJSON[written](t, w, "post", "new", "--title", "Über Tee", "--tag", "tea", "--tag", "Slow Things", "--key",
		"first")
	if made.Seq == 0 {
		t.Errorf("post new: got the row %d, want one", made.Seq)
	}
	if made.Cursor == "" {
		t.Errorf("post new: got the cursor %q, want one", made.Cursor)
	}
	if made.Post.Slug == "" {
		t.Errorf("post new: got the slug %q, want one", made.Post.Slug)
	}
	want := written{Seq: made.Seq, Cursor: made.Cursor, Key: "first", Post: made.Post}
	want.Post.Draft, want.Post.Revision, want.Post.State = false, 1, "published"
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("post new (-want +got):\n%s", diff)
	}
	if end := "/posts/%C3%BCber-tee"; !strings.HasSuffix(made.Post.URL, end) {
		t.Errorf("address: got %q, want it to end with %q", made.Post.URL, end)
	}
	again := mustJSON[written](t, w, "post", "new", "--title", "Über Tee", "--tag", "tea", "--tag", "Slow Things", "--key",
		"first")
	expectReplay(t, "the same key again", made, again)
	refused(t, w.run(t, "post", "new", "--title", "Other", "--key", "first", "--json"), "conflict", "key_reused")

	edited := mustJSON[written](t, w, "post", "edit", made.Post.Slug, "--tag", "b", "--tag", "a", "--title", "Tea")
	if edited.Post.Revision != 2 {
		t.Errorf("post edit: got revision %d, want 2: %+v", edited.Post.Revision, edited)
	}
	refused(t, w.run(t, "post", "edit", made.Post.Slug, "--title", "Mine", "--revision", "1", "--json"), "conflict",
		"revision")
	bad := refused(t, w.run(t, "post", "edit", made.Post.Slug, "--title", "", "--slug", "feed", "--json"), "invalid", "")
	for _, field := range []string{"title", "slug"} {
		if bad.Error.Fields[field] == "" {
			t.Errorf("got the messages %q, want one for %s", bad.Error.Fields, field)
		}
	}
	refused(t, w.run(t, "post", "publish", "nothing-here", "--json"), "not_found", "")
	return made.Post.Slug
}

// listsHaveEverything checks the fields of the lists of posts and tags.
func listsHaveEverything(t *testing.T, w *world) {
	t.Helper()
	list := mustJSON[[]map[string]any](t, w, "post", "list")
	if len(list) != 1 {
		t.Fatalf("post list: got %d posts, want 1: %v", len(list), list)
	}
	for _, name := range []string{
		"slug", "title", "draft", "pinned", "published_at", "tags", "revision", "id", "state", "author",
	} {
		if _, has := list[0][name]; !has {
			t.Errorf("post list: got %v, want %s in it", list[0], name)
		}
	}
	for name, want := range map[string]any{"title": "Tea", "draft": false, "revision": 2.0} {
		if got := list[0][name]; got != want {
			t.Errorf("post list: %s: got %v, want %v", name, got, want)
		}
	}
	tags := mustJSON[[]map[string]any](t, w, "tag", "list")
	if len(tags) != 2 {
		t.Fatalf("tag list: got %d tags, want 2: %v", len(tags), tags)
	}
	for name, want := range map[string]any{"label": "a", "count": 1.0} {
		if got := tags[0][name]; got != want {
			t.Errorf("tag list: %s: got %v, want %v", name, got, want)
		}
	}
}

// pinAndUnpin pins the post and unpins it again. The post stays at its third revision.
func pinAndUnpin(t *testing.T, w *world, slug string) {
	t.Helper()
	pinned := func() any { return mustJSON[map[string]any](t, w, "post", "show", slug)["pinned"] }
	refused(t, w.run(t, "post", "pin", slug, "--revision", "1", "--json"), "conflict", "revision")
	if made := mustJSON[written](t, w, "post", "pin", slug); made.Post.Revision != 3 {
		t.Errorf("post pin: got revision %d, want 3: %+v", made.Post.Revision, made)
	}
	if got := pinned(); got != true {
		t.Errorf("post pin: got pinned %v, want true", got)
	}
	if got, want := w.run(t, "post", "list").out, "("+slug+"), pinned"; !strings.Contains(got, want) {
		t.Errorf("post list: got %q, want %q in it", got, want)
	}
	if o, begin := w.run(t, "post", "pin", slug), "Nothing to change: "; !strings.HasPrefix(o.out, begin) {
		t.Errorf("post pin, again: got %+v, want it to begin with %q", o, begin)
	}
	if made := mustJSON[written](t, w, "post", "unpin", slug); made.Post.Revision != 3 {
		t.Errorf("post unpin: got revision %d, want 3: %+v", made.Post.Revision, made)
	}
	if got := pinned(); got != false {
		t.Errorf("post unpin: got pinned %v, want false", got)
	}
}

// editTwice sends an edit twice, with one key and without a revision. The second time the post has
// another revision, and perhaps another slug, and the answer is the same.
func editTwice(t *testing.T, w *world, slug string) {
	t.Helper()
	mustJSON[written](t, w, "post", "new", "--title", "Before", "--slug", slug, "--draft")
	for _, change := range [][]string{{"--title", "After"}, {"--slug", slug + "-renamed"}} {
		args := append([]string{"post", "edit", slug, "--key", "edit" + change[0]}, change...)
		first, second := mustJSON[written](t, w, args...), mustJSON[written](t, w, args...)
		if first.Replayed {
			t.Errorf("%v: got %+v, want it carried out", args, first)
		}
		expectReplay(t, fmt.Sprint(args), first, second)
	}
	mustJSON[written](t, w, "post", "delete", slug+"-renamed")
}

// expectReplay fails unless again is the answer to first's key, which is not carried out twice.
func expectReplay(t *testing.T, what string, first, again written) {
	t.Helper()
	if !again.Replayed {
		t.Errorf("%s: got %+v, want it replayed", what, again)
	}
	if diff := cmp.Diff(first.Post, again.Post); diff != "" {
		t.Errorf("%s: the post (-want +got):\n%s", what, diff)
	}
	if again.Cursor != first.Cursor {
		t.Errorf("%s: got the cursor %q, want %q", what, again.Cursor, first.Cursor)
	}
}

// refused checks that o is a refusal, as JSON on standard output and nothing else.
func refused(t *testing.T, o outcome, code, reason string) refusal {
	t.Helper()
	r := decode[refusal](t, o.out)
	o.expectCode(t, "refused", 1)
	o.expectNoErr(t, "refused")
	if diff := cmp.Diff([]string{code, reason}, []string{r.Error.Code, r.Error.Reason}); diff != "" {
		t.Errorf("code and reason of %s (-want +got):\n%s", o.out, diff)
	}
	expectMessages(t, "refused", r)
	return r
}

// expectMessages fails unless a refusal has a message, and messages by field, if only an empty map of them.
func expectMessages(t *testing.T, what string, r refusal) {
	t.Helper()
	if r.Error.Message == "" {
		t.Errorf("%s: got %+v, want a message", what, r)
	}
	if r.Error.Fields == nil {
		t.Errorf("%s: got %+v, want fields", what, r)
	}
}

func TestPostsComeFromFilesAndPipes(t *testing.T) {
	w := newWorld(t)
	w.mustAuthor(t)
	o := w.pipe(t, "Some *text*.\n", "post", "new", "--title", "Piped", "--draft", "-", "--json")
	o.expectCode(t, "from a pipe", 0)
	if p := decode[written](t, o.out); !p.Post.Draft {
		t.Errorf("from a pipe: got %+v, want a draft", p)
	}
	o = w.pipe(t,
		"---\ntitle: From front matter\nslug: fm\ntags: [x]\npublished_at: 2024-05-01\nmood: calm\n---\n\nText.\n", "post",
		"new", "-", "--json")
	o.expectCode(t, "with front matter", 0)
	o.expectErr(t, "with front matter", "mood")
	p := decode[written](t, o.out)
	if diff := cmp.Diff([]string{"fm", "published"}, []string{p.Post.Slug, p.Post.State}); diff != "" {
		t.Errorf("slug and state with front matter (-want +got):\n%s", diff)
	}
	shown := mustJSON[map[string]any](t, w, "post", "show", "fm")
	for name, want := range map[string]any{"body": "Text.", "published_at": "2024-05-01T00:00:00Z"} {
		if got := shown[name]; got != want {
			t.Errorf("post show: %s: got %v, want %v", name, got, want)
		}
	}
	o = w.pipe(t, "---\ntitle: [\n---\n", "post", "new", "-", "--json")
	o.expectCode(t, "bad front matter", 1)
	if got := decode[refusal](t, o.out).Error.Code; got != "invalid" {
		t.Errorf("bad front matter: got the code %q, want %q", got, "invalid")
	}
	w.run(t, "post", "new", "--title", "x", "no-such-file").expectCode(t, "a file that is not there", 1)
	o = w.run(t, "post", "new", "--title", "x", "--at", "someday")
	o.expectCode(t, "a date that is none", 1)
	o.expectErr(t, "a date that is none", "published_at")
}

func TestUsers(t *testing.T) {
	w := newWorld(t)
	o := w.run(t, "post", "new", "--title", "x")
	o.expectCode(t, "without an author", 1)
	o.expectErr(t, "without an author", "blog user add")
	o = w.pipe(t, "short\n", "user", "add", "nobody", "--name", "", "--password-file", "-", "--json")
	r := refused(t, o, "invalid", "")
	for _, f := range []string{"email", "name", "password"} {
		if r.Error.Fields[f] == "" {
			t.Errorf("got the messages %q, want one for %s", r.Error.Fields, f)
		}
	}
	w.mustAuthor(t)
	w.pipe(t, "correct horse battery\n", "user", "add", "ANN@example.org", "--name", "Ann", "--password-file", "-").
		expectCode(t, "the same address twice", 1)
	for range 2 { // the same key gives the same salt, and so the same command
		o := w.pipe(t, "another long password\n", "user", "password", "ann@example.org", "--password-file", "-", "--key",
			"reset", "--json")
		o.expectCode(t, "user password", 0)
	}
	w.run(t, "user", "logout", "ann@example.org").expectCode(t, "user logout", 0)
	refused(t, w.run(t, "user", "logout", "bob@example.org", "--json"), "not_found", "")
}
