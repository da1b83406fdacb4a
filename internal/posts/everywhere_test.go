package posts_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"blog/internal/apperr"
	"blog/internal/markdown"
	"blog/internal/media"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// probe is one run of a command, on any node.
type probe struct {
	command string
	run     func(ctx context.Context, w repo.Writer) (any, error)
}

func probeOf[R any](cmd repo.Command[R], opts ...repo.Option) probe {
	return probe{cmd.Name(), func(ctx context.Context, w repo.Writer) (any, error) {
		return repo.Write(ctx, w, cmd, opts...)
	}}
}

func asSystem(p probe) probe { return p.by(repo.System) }

func (p probe) by(actor string) probe {
	run := p.run
	return probe{p.command, func(ctx context.Context, w repo.Writer) (any, error) {
		return run(repotest.As(ctx, actor), w)
	}}
}

// probes returns runs of every command: what it does and each refusal. Later ones build on earlier
// ones.
func probes(tb testing.TB, now time.Time) []probe {
	tb.Helper()
	later := now.Add(time.Hour)
	one, two, none := posts.Target{ID: 1}, posts.Target{Post: "two"}, posts.Target{ID: 99}
	return slices.Concat(
		mediaProbes(tb), createProbes(later), updateProbes(one, none), stateProbes(one, two, none, now, later),
		pinProbes(one, two, none), importProbes(posts.Target{ID: 3}), lastProbes(one),
	)
}

func createProbes(later time.Time) []probe {
	return []probe{
		probeOf(posts.Create{Title: "One", Body: "text", Tags: []string{"a"}, Publish: true}, repo.WithKey("one")),
		probeOf(posts.Create{Title: "One", Body: "text", Tags: []string{"a"}, Publish: true}, repo.WithKey("one")),
		probeOf(posts.Create{Title: "Other"}, repo.WithKey("one")),
		probeOf(posts.Create{Title: "One", Slug: "two", Publish: true, PublishedAt: &later}),
		probeOf(posts.Create{
			Title: strings.Repeat("x", 300), Slug: "admin/", Description: "\x00", Body: "\x00", Tags: []string{"a/b"},
			Permalinks: []string{"/posts"},
		}),
		probeOf(posts.Create{Title: "x", Slug: "two"}),
		probeOf(posts.Create{Title: "x", Author: "nobody"}),
		probeOf(posts.Create{Title: "x"}).by(repo.Visitor),
		probeOf(posts.Create{Title: "x"}).by("user:1"),
	}
}

func updateProbes(one, none posts.Target) []probe {
	return []probe{
		probeOf(posts.Update{Target: one, Revision: 1, Title: to("Uno"), Slug: to("uno"), Body: to("*new*")}),
		probeOf(posts.Update{Target: one, Revision: 2, Title: to("Uno")}),
		probeOf(posts.Update{Target: one, Revision: 1, Title: to("Eins")}),
		probeOf(posts.Update{Target: one, Revision: 1, Body: to("Eins")}),
		probeOf(posts.Update{Target: one, Revision: 2, Slug: to("two"), Title: to("")}),
		probeOf(posts.Update{Target: one, Revision: 2, Slug: to("two")}),
		probeOf(posts.Update{Target: one, Revision: 2, ClearDate: true}),
		probeOf(posts.Update{Target: one, Title: to("x")}),
		probeOf(posts.Update{Target: none, Revision: 1, Body: to("x")}),
		probeOf(posts.Update{Target: none, Revision: 1, Title: to("x")}),
	}
}

func stateProbes(one, two, none posts.Target, now, later time.Time) []probe {
	return []probe{
		probeOf(posts.Publish{Target: one, Revision: 1}),
		probeOf(posts.Publish{Target: one}),
		probeOf(posts.Publish{Target: one, At: &time.Time{}}),
		probeOf(posts.Publish{Target: none}),
		probeOf(posts.Release{ID: 2, Due: later}),
		asSystem(probeOf(posts.Release{ID: 2, Due: later})),
		asSystem(probeOf(posts.Release{ID: 1, Due: now})),
		asSystem(probeOf(posts.Release{ID: 99, Due: now})),
		probeOf(posts.Publish{Target: two}),
		probeOf(posts.Unpublish{Target: one, Revision: 1}),
		probeOf(posts.Unpublish{Target: one}),
		probeOf(posts.Unpublish{Target: one}),
		probeOf(posts.Unpublish{Target: none}),
	}
}

func pinProbes(one, two, none posts.Target) []probe {
	return []probe{
		probeOf(posts.Pin{Target: one, Revision: 1}),
		probeOf(posts.Pin{Target: one}),
		probeOf(posts.Pin{Target: one}),
		probeOf(posts.Pin{Target: two}),
		probeOf(posts.Pin{Target: none}),
		probeOf(posts.Unpin{Target: one, Revision: 1}),
		probeOf(posts.Unpin{Target: one}),
		probeOf(posts.Unpin{Target: one}),
		probeOf(posts.Unpin{Target: none}),
	}
}

func importProbes(three posts.Target) []probe {
	file := posts.Import{Path: "f.md", Raw: []byte("raw"), Title: "File", Slug: "file", Body: "text"}
	changed, forced := file, file
	changed.Raw, changed.Body = []byte("raw 2"), "text 2"
	forced.Raw, forced.Body, forced.Force = []byte("raw 3"), "text 3", true
	return []probe{
		probeOf(file),
		probeOf(file),
		probeOf(posts.Update{Target: three, Revision: 1, Title: to("Edited")}),
		probeOf(changed),
		probeOf(forced),
		probeOf(posts.Import{Path: "../x", Raw: make([]byte, 1<<20), Title: "\x01", Slug: "/", Tags: []string{"\xff"}}),
		probeOf(posts.Import{Path: "y.md", Title: "y", Slug: "y", Author: "nobody"}),
	}
}

// lastProbes renders the post one again and then deletes it.
func lastProbes(one posts.Target) []probe {
	return []probe{
		asSystem(probeOf(posts.Rerender{ID: 1, Version: markdown.Version})),
		asSystem(probeOf(posts.Rerender{ID: 99, Version: markdown.Version})),
		asSystem(probeOf(posts.Rerender{ID: 1, Version: 99})),
		probeOf(posts.Rerender{ID: 1, Version: markdown.Version}),
		probeOf(posts.Delete{Target: one, Revision: 1}),
		probeOf(posts.Delete{Target: one}),
		probeOf(posts.Delete{Target: one}),
	}
}

func mediaProbes(tb testing.TB) []probe {
	tb.Helper()
	put := mustPut(tb, mustPNG(tb, 5))
	wrong := put
	wrong.Type = "text/html"
	return []probe{
		probeOf(wrong),
		probeOf(put),
		probeOf(put),
		probeOf(media.Put{Hash: "x", Size: 1 << 30}),
		probeOf(media.Put{Hash: put.Hash, Size: 10, Chunks: 2, N: 5}),
		probeOf(media.Put{Hash: put.Hash, Size: 10, Chunks: 1, N: 5, Data: []byte("x")}),
		probeOf(media.Put{Hash: put.Hash, Size: 10, Chunks: 1, Data: []byte("x")}),
		probeOf(media.Sweep{Hash: put.Hash}),
		asSystem(probeOf(media.Sweep{Hash: put.Hash})),
	}
}

// TestEveryCommandIsTheSameOnEveryNode runs the same commands in two worlds, on the primary of one
// and on the replica of the other, and compares values and errors.
func TestEveryCommandIsTheSameOnEveryNode(t *testing.T) {
	here, there := mustWorld(t), mustWorld(t)
	there.clock.Set(here.clock.Now())
	seen := map[string]bool{}
	refused := map[string]bool{}
	for i, p := range probes(t, here.clock.Now()) {
		got, err := p.run(here.ctx, here.primary)
		forwarded, ferr := p.run(there.ctx, there.replica)
		if a, b := outcome(got, err), outcome(forwarded, ferr); a != b {
			t.Errorf("%d %s:\n here %s\nthere %s", i, p.command, a, b)
		}
		seen[p.command] = seen[p.command] || err == nil
		refused[p.command] = refused[p.command] || err != nil
	}
	for _, name := range registry(t).Names() {
		ofThisTest := strings.HasPrefix(name, "posts.") || strings.HasPrefix(name, "media.")
		if ofThisTest && name != "posts.release" && !seen[name] {
			t.Errorf("%s was never carried out, want it at least once", name)
		}
		if ofThisTest && !refused[name] {
			t.Errorf("%s was never refused, want it at least once", name)
		}
	}
	if a, b := here.dump(), there.dump(); a != b {
		t.Errorf("the databases differ:\n%s\n%s", a, b)
	}
}

func outcome(v any, err error) string {
	if err == nil {
		return fmt.Sprintf("%+v", v)
	}
	e := apperr.From(err)
	return fmt.Sprintf("%s %s %q %q %d", e.Code, e.Reason, e.Message, e.Fields, e.RetryAfter)
}

// dump returns the rows of the tables, without random values.
func (w *world) dump() string {
	w.tb.Helper()
	return view(w, func(rd repo.Reader) (string, error) {
		var b strings.Builder
		for _, query := range []string{
			"SELECT id || slug || title || state || COALESCE(published_at, '') || updated_at || revision || html FROM posts " +
				"ORDER BY id",
			"SELECT position || ' ' || post_id FROM pins ORDER BY position",
			"SELECT slug || post_id FROM old_slugs ORDER BY slug",
			"SELECT post_id || path || revision || pinned FROM imports ORDER BY post_id",
			"SELECT hash || type || complete FROM media ORDER BY hash",
			"SELECT seq || name || actor || topics || result FROM writes ORDER BY seq",
		} {
			var s string
			q := "SELECT COALESCE(group_concat(v, char(10)), '') FROM (" + strings.Replace(query, " FROM", " AS v FROM", 1) + ")"
			if err := rd.QueryRowContext(w.ctx, q).Scan(&s); err != nil {
				return "", err
			}
			b.WriteString(s + "\n\n")
		}
		return b.String(), nil
	})
}
