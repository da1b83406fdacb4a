package main_test

import (
	"strings"
	"syscall"
	"testing"
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
		t.Errorf("without tags: %+v", cleared)
	}
	if tags := mustJSON[[]map[string]any](t, w, "tag", "list"); len(tags) != 0 {
		t.Errorf("tags are left: %v", tags)
	}
	pinAndUnpin(t, w, slug)
	draft := mustJSON[written](t, w, "post", "unpublish", slug)
	if !draft.Post.Draft {
		t.Errorf("unpublish: %+v", draft)
	}
	due := mustJSON[written](t, w, "post", "publish", slug, "--at", "2199-01-02")
	if due.Post.State != "scheduled" {
		t.Errorf("publish --at: %+v", due)
	}
	mustJSON[written](t, w, "post", "delete", slug, "--revision", "5")
	if users := mustJSON[[]map[string]any](t, w, "user", "list"); len(users) != 1 ||
		users[0]["email"] != "ann@example.org" {
		t.Errorf("user list: %v", users)
	}
}

// makeAndEdit makes a post and edits it, with refusals in between. The post is at its second revision then. It returns
// the post's slug.
func makeAndEdit(t *testing.T, w *world) string {
	t.Helper()
	made := mustJSON[written](t, w, "post", "new", "--title", "Über Tee", "--tag", "tea", "--tag", "Slow Things", "--key",
		"first")
	if made.Seq == 0 || made.Cursor == "" || made.Key != "first" || made.Replayed || made.Post.Slug == "" ||
		made.Post.Draft || made.Post.Revision != 1 || made.Post.State != "published" {
		t.Errorf("post new: %+v", made)
	}
	if !strings.HasSuffix(made.Post.URL, "/posts/%C3%BCber-tee") {
		t.Errorf("address: %s", made.Post.URL)
	}
	again := mustJSON[written](t, w, "post", "new", "--title", "Über Tee", "--tag", "tea", "--tag", "Slow Things", "--key",
		"first")
	if !again.Replayed || again.Post != made.Post || again.Cursor != made.Cursor {
		t.Errorf("the same key again: %+v", again)
	}
	refused(t, w.run(t, "post", "new", "--title", "Other", "--key", "first", "--json"), "conflict", "key_reused")

	edited := mustJSON[written](t, w, "post", "edit", made.Post.Slug, "--tag", "b", "--tag", "a", "--title", "Tea")
	if edited.Post.Revision != 2 {
		t.Errorf("post edit: %+v", edited)
	}
	refused(t, w.run(t, "post", "edit", made.Post.Slug, "--title", "Mine", "--revision", "1", "--json"), "conflict",
		"revision")
	bad := refused(t, w.run(t, "post", "edit", made.Post.Slug, "--title", "", "--slug", "feed", "--json"), "invalid", "")
	if bad.Error.Fields["title"] == "" || bad.Error.Fields["slug"] == "" {
		t.Errorf("fields: %+v", bad)
	}
	refused(t, w.run(t, "post", "publish", "nothing-here", "--json"), "not_found", "")
	return made.Post.Slug
}

// listsHaveEverything checks the fields of the lists of posts and tags.
func listsHaveEverything(t *testing.T, w *world) {
	t.Helper()
	list := mustJSON[[]map[string]any](t, w, "post", "list")
	if len(list) != 1 {
		t.Fatalf("post list: %v", list)
	}
	for _, name := range []string{
		"slug", "title", "draft", "pinned", "published_at", "tags", "revision", "id", "state", "author",
	} {
		if _, has := list[0][name]; !has {
			t.Errorf("post list has no %s", name)
		}
	}
	if list[0]["title"] != "Tea" || list[0]["draft"] != false || list[0]["revision"] != 2.0 {
		t.Errorf("post list: %v", list)
	}
	if tags := mustJSON[[]map[string]any](t, w, "tag", "list"); len(tags) != 2 || tags[0]["label"] != "a" ||
		tags[0]["count"] != 1.0 {
		t.Errorf("tag list: %v", tags)
	}
}

// pinAndUnpin pins the post and unpins it again. The post stays at its third revision.
func pinAndUnpin(t *testing.T, w *world, slug string) {
	t.Helper()
	pinned := func() any { return mustJSON[map[string]any](t, w, "post", "show", slug)["pinned"] }
	refused(t, w.run(t, "post", "pin", slug, "--revision", "1", "--json"), "conflict", "revision")
	if made := mustJSON[written](t, w, "post", "pin", slug); made.Post.Revision != 3 || pinned() != true {
		t.Errorf("post pin: %+v", made)
	}
	if o := w.run(t, "post", "list"); !strings.Contains(o.out, "("+slug+"), pinned") {
		t.Errorf("post list: %s", o.out)
	}
	if o := w.run(t, "post", "pin", slug); !strings.HasPrefix(o.out, "Nothing to change: ") {
		t.Errorf("post pin, again: %+v", o)
	}
	if made := mustJSON[written](t, w, "post", "unpin", slug); made.Post.Revision != 3 || pinned() != false {
		t.Errorf("post unpin: %+v", made)
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
		if first.Replayed || !second.Replayed || second.Post != first.Post || second.Cursor != first.Cursor {
			t.Errorf("%v: %+v, then %+v", args, first, second)
		}
	}
	mustJSON[written](t, w, "post", "delete", slug+"-renamed")
}

// refused checks that o is a refusal, as JSON on standard output and nothing else.
func refused(t *testing.T, o outcome, code, reason string) refusal {
	t.Helper()
	r := decode[refusal](t, o.out)
	if o.code != 1 || r.Error.Code != code || r.Error.Reason != reason || r.Error.Message == "" || r.Error.Fields == nil ||
		o.err != "" {
		t.Errorf("want %s %s, exit code 1; got %d: %s%s", code, reason, o.code, o.out, o.err)
	}
	return r
}

func TestPostsComeFromFilesAndPipes(t *testing.T) {
	w := newWorld(t)
	w.mustAuthor(t)
	o := w.pipe(t, "Some *text*.\n", "post", "new", "--title", "Piped", "--draft", "-", "--json")
	if p := decode[written](t, o.out); o.code != 0 || !p.Post.Draft {
		t.Errorf("from a pipe: %+v %s", p, o.err)
	}
	o = w.pipe(t,
		"---\ntitle: From front matter\nslug: fm\ntags: [x]\npublished_at: 2024-05-01\nmood: calm\n---\n\nText.\n", "post",
		"new", "-", "--json")
	if p := decode[written](t, o.out); o.code != 0 || p.Post.Slug != "fm" || p.Post.State != "published" ||
		!strings.Contains(o.err, "mood") {
		t.Errorf("with front matter: %+v %s", p, o.err)
	}
	shown := mustJSON[map[string]any](t, w, "post", "show", "fm")
	if shown["body"] != "Text." || shown["published_at"] != "2024-05-01T00:00:00Z" {
		t.Errorf("post show: %v", shown)
	}
	if o := w.pipe(t, "---\ntitle: [\n---\n", "post", "new", "-", "--json"); o.code != 1 ||
		decode[refusal](t, o.out).Error.Code != "invalid" {
		t.Errorf("bad front matter: %d %s", o.code, o.out)
	}
	if o := w.run(t, "post", "new", "--title", "x", "no-such-file"); o.code != 1 {
		t.Errorf("a file that is not there: %d %s", o.code, o.err)
	}
	if o := w.run(t, "post", "new", "--title", "x", "--at", "someday"); o.code != 1 ||
		!strings.Contains(o.err, "published_at") {
		t.Errorf("a date that is none: %d %s", o.code, o.err)
	}
}

func TestUsers(t *testing.T) {
	w := newWorld(t)
	if o := w.run(t, "post", "new", "--title", "x"); o.code != 1 || !strings.Contains(o.err, "blog user add") {
		t.Errorf("without an author: %d %s", o.code, o.err)
	}
	o := w.pipe(t, "short\n", "user", "add", "nobody", "--name", "", "--password-file", "-", "--json")
	r := refused(t, o, "invalid", "")
	for _, f := range []string{"email", "name", "password"} {
		if r.Error.Fields[f] == "" {
			t.Errorf("no message for %s: %+v", f, r)
		}
	}
	w.mustAuthor(t)
	if o := w.pipe(t, "correct horse battery\n", "user", "add", "ANN@example.org", "--name", "Ann", "--password-file",
		"-"); o.code != 1 {
		t.Errorf("the same address twice: %d", o.code)
	}
	for range 2 { // the same key gives the same salt, and so the same command
		o := w.pipe(t, "another long password\n", "user", "password", "ann@example.org", "--password-file", "-", "--key",
			"reset", "--json")
		if o.code != 0 {
			t.Errorf("user password: %d %s%s", o.code, o.out, o.err)
		}
	}
	if o := w.run(t, "user", "logout", "ann@example.org"); o.code != 0 {
		t.Errorf("user logout: %s", o.err)
	}
	refused(t, w.run(t, "user", "logout", "bob@example.org", "--json"), "not_found", "")
}
