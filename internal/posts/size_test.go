package posts_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"blog/internal/markdown"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// mustDeleteMode opens a database in the journal mode that LiteFS needs: every commit writes the
// pages of the file itself.
func mustDeleteMode(tb testing.TB) *world {
	tb.Helper()
	w := blank(tb)
	o := w.options()
	o.LiteFS, o.Node = true, repotest.NewNode(repotest.Primary())
	r := repotest.MustOpen(tb, o)
	w.primary, w.replica = r, r
	repotest.Eventually(tb, patience, "a schema", func() bool {
		_, err := tryView(w, func(rd repo.Reader) (n int, err error) {
			err = rd.QueryRowContext(w.ctx, "SELECT COUNT(*) FROM search").Scan(&n)
			return n, err
		})
		return err == nil
	})
	w.addUser(adaEmail, adaName)
	tb.Cleanup(w.checkIndex)
	return w
}

// changed runs f and returns how many bytes of pages differ afterwards. LiteFS sends these,
// compressed, to every region.
func (w *world) changed(f func()) int {
	w.tb.Helper()
	before, err := os.ReadFile(w.path)
	if err != nil {
		w.tb.Fatal(err)
	}
	f()
	after, err := os.ReadFile(w.path)
	if err != nil {
		w.tb.Fatal(err)
	}
	const page = 4096
	n := 0
	for at := 0; at < len(after); at += page {
		if at >= len(before) || !bytes.Equal(before[at:at+page], after[at:at+page]) {
			n += page
		}
	}
	return n
}

// prose returns a text of size bytes with many different words.
func prose(seed uint64, size int) string {
	r := rand.New(rand.NewPCG(seed, 7))
	var b strings.Builder
	for b.Len() < size-200 {
		for range 12 {
			// As in a language, few words are frequent and many are rare.
			n := int(20_000 * r.Float64() * r.Float64() * r.Float64())
			fmt.Fprintf(&b, "w%sord%d ", string(rune('a'+n%26)), n)
		}
		b.WriteString("end.\n\n")
	}
	return b.String()
}

// code returns a text whose HTML is as long as it may be.
func code(size int) string {
	line := "x := f(a, 1) + \"s\"\n"
	return "```go\n" + strings.Repeat(line, size/len(line)) + "```\n"
}

// TestCommitsStaySmall: a transaction of much more than 1 MB delays the readers of every replica
// while it arrives.
func TestCommitsStaySmall(t *testing.T) {
	const limit = 1_200_000 // bytes
	w := mustDeleteMode(t)
	body, other := prose(1, posts.MaxBody), prose(2, posts.MaxBody)
	var ref posts.Ref
	report := func(what string, n int) {
		t.Helper()
		t.Logf("%-28s %8d bytes", what, n)
		if n > limit {
			t.Errorf("%s changes %d bytes, want at most %d", what, n, limit)
		}
	}
	report("create the longest", w.changed(func() {
		ref = must(w, posts.Create{Title: "Long", Body: body, Tags: []string{"a"}, Publish: true})
	}))
	report("update the longest", w.changed(func() {
		ref = must(w, posts.Update{Target: posts.Target{ID: ref.ID}, Revision: ref.Revision, Body: &other})
	}))
	report("rename the longest", w.changed(func() {
		ref = must(w, posts.Update{Target: posts.Target{ID: ref.ID}, Revision: ref.Revision, Slug: to("longer")})
	}))
	report("unpublish the longest", w.changed(func() { must(w, posts.Unpublish{Target: posts.Target{ID: ref.ID}}) }))
	report("publish the longest", w.changed(func() { must(w, posts.Publish{Target: posts.Target{ID: ref.ID}}) }))
	file := posts.Import{
		Path: "x.md", Raw: []byte("---\n" + strings.Repeat("#", 60<<10) + "\n---\n" + body), Title: "File", Slug: "file",
		Body: body, PublishedAt: to(w.clock.Now()),
	}
	report("import the longest", w.changed(func() { must(w, file) }))
	file.Body = other
	file.Raw = append([]byte("x"), file.Raw...)
	report("import it again", w.changed(func() { must(w, file) }))
	const version = markdown.Version
	report("render it again", w.changed(func() {
		again := posts.Rerender{ID: 2, Version: version}
		if _, err := repo.Write(repotest.As(w.ctx, repo.System), w.primary, again); err != nil {
			t.Error(err)
		}
	}))
	report("create short paragraphs", w.changed(func() {
		must(w, posts.Create{Title: "Short", Body: strings.Repeat("a\n\n", posts.MaxBody/3), Publish: true})
	}))
	size := posts.MaxBody
	for ; size > 1000; size = size * 9 / 10 {
		_, err := try(w, posts.Create{Title: "Code", Body: code(size), Publish: true})
		if err == nil {
			break
		}
		repotest.WantFields(t, err, "body")
	}
	report(fmt.Sprintf("create %d KB of code", size>>10), w.changed(func() {
		ref = must(w, posts.Create{Title: "Code", Body: code(size), Publish: true})
	}))
	report("delete the longest", w.changed(func() { must(w, posts.Delete{Target: posts.Target{Post: "longer"}}) }))
}

// TestIndexMergesInSmallSteps: the index merges in small steps, so that no commit has to merge
// megabytes.
func TestIndexMergesInSmallSteps(t *testing.T) {
	w := mustDeleteMode(t)
	largest, over := 0, 0
	for i := range 60 {
		n := w.changed(func() {
			must(w, posts.Create{Title: fmt.Sprint("Post ", i), Body: prose(uint64(i), 48<<10), Publish: true})
		}) // #nosec G115 -- small
		largest = max(largest, n)
		if n > 1_000_000 {
			over++
		}
	}
	t.Logf("the largest of 60 commits with 48 KB each: %d bytes, %d over 1 MB", largest, over)
	if over > 0 {
		t.Errorf("%d commits over 1 MB, the largest has %d bytes, want none", over, largest)
	}
}
