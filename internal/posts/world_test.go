package posts_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"blog/internal/accounts"
	"blog/internal/media"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// world is a primary and a replica in one process, on one file, with one author.
type world struct {
	tb      testing.TB
	path    string
	node    *repotest.Node // of the replica
	clock   *repotest.Clock
	primary *repo.Repo
	replica *repo.Repo
	ctx     context.Context
}

// patience is how long a test waits for something that has to happen.
const patience = 20 * time.Second

const (
	adaEmail = "ada@example.org"
	adaName  = "Ada Lovelace"
)

// mustWorld returns a world with one author. At the end of the test it checks that the search index
// agrees with the posts.
func mustWorld(tb testing.TB) *world {
	tb.Helper()
	w := mustEmpty(tb)
	w.addUser(adaEmail, adaName)
	return w
}

func mustEmpty(tb testing.TB) *world {
	tb.Helper()
	w := blank(tb)
	w.primary, w.replica, w.node = repotest.MustPair(tb, w.options())
	tb.Cleanup(w.checkIndex)
	return w
}

// blank returns a world without a node.
func blank(tb testing.TB) *world {
	tb.Helper()
	return &world{
		tb: tb, path: filepath.Join(tb.TempDir(), "blog.db"), ctx: repotest.As(tb.Context(), repo.Operator),
		// Calls have real deadlines, so the clock starts at the real time.
		clock: repotest.NewClock(time.Now().UTC().Truncate(time.Second)),
	}
}

// options returns the options of every node.
func (w *world) options() repo.Options {
	return repo.Options{Path: w.path, Registry: registry(w.tb), Now: w.clock.Now, Authorize: accounts.Authorize}
}

func registry(tb testing.TB) *repo.Registry {
	tb.Helper()
	return repotest.MustRegistry(tb, posts.Commands(), accounts.Commands(), media.Commands(), []repo.Registration{
		repo.Register[late[posts.Rerender]](), repo.Register[late[posts.Import]](), repo.Register[late[posts.Update]](),
		repo.Register[releaseBefore](),
	})
}

func (w *world) addUser(email, name string) {
	w.tb.Helper()
	w.exec("INSERT INTO users (email, name, password_hash, created_at) VALUES (?, ?, 'x', '2026-01-01T00:00:00.000Z')",
		email, name)
}

// exec changes the database without a command, for what no command does.
func (w *world) exec(query string, args ...any) {
	w.tb.Helper()
	repotest.MustExec(w.tb, w.path, query, args...)
}

// checkIndex compares the search index with the visible posts, row by row and value by value.
func (w *world) checkIndex() {
	w.tb.Helper()
	w.exec("INSERT INTO search (search, rank) VALUES ('integrity-check', 1)")
}

// view runs a query on the replica.
func view[T any](w *world, query func(rd repo.Reader) (T, error)) T {
	w.tb.Helper()
	v, err := tryView(w, query)
	if err != nil {
		w.tb.Fatal(err)
	}
	return v
}

func tryView[T any](w *world, query func(rd repo.Reader) (T, error)) (v T, err error) {
	w.tb.Helper()
	err = w.replica.View(w.ctx, func(rd repo.Reader) error {
		v, err = query(rd)
		return err
	})
	return v, err
}

func (w *world) count(query string, args ...any) int {
	w.tb.Helper()
	return view(w, func(rd repo.Reader) (n int, err error) {
		err = rd.QueryRowContext(w.ctx, query, args...).Scan(&n)
		return n, err
	})
}

// rows returns how many writes there were.
func (w *world) rows() int { return w.count("SELECT COUNT(*) FROM writes") }

// wantRows checks how many writes there were.
func (w *world) wantRows(when string, want int) {
	w.tb.Helper()
	if got := w.rows(); got != want {
		w.tb.Errorf("%s: got %d writes, want %d", when, got, want)
	}
}

// unchanged returns the result of a command that has nothing to change in the post of ref.
func unchanged(ref posts.Ref) posts.Ref {
	ref.Unchanged = true
	return ref
}

// post returns a post by id.
func (w *world) post(id int64) posts.Post {
	w.tb.Helper()
	return view(w, func(rd repo.Reader) (posts.Post, error) { return posts.ByID(w.ctx, rd, id) })
}

// touched returns the topics of the newest write, each as "topic subject", sorted.
func (w *world) touched() []string {
	w.tb.Helper()
	newest := view(w, func(rd repo.Reader) (string, error) {
		var s string
		err := rd.QueryRowContext(w.ctx, `
			SELECT COALESCE(group_concat(trim((value ->> 't') || ' ' || COALESCE(value ->> 's', '')), ', '), '')
			FROM (
				SELECT value
				FROM json_each((SELECT topics FROM writes ORDER BY seq DESC LIMIT 1))
				ORDER BY value ->> 't'
			)`).Scan(&s)
		return s, err
	})
	if newest == "" {
		return nil
	}
	out := strings.Split(newest, ", ")
	slices.Sort(out)
	return out
}

// must runs a command on the replica.
func must[R any](w *world, cmd repo.Command[R], opts ...repo.Option) R {
	w.tb.Helper()
	r, err := repo.Write(w.ctx, w.replica, cmd, opts...)
	if err != nil {
		w.tb.Fatal(err)
	}
	return r
}

// try runs a command on the replica and returns its error.
func try[R any](w *world, cmd repo.Command[R], opts ...repo.Option) (R, error) {
	w.tb.Helper()
	return repo.Write(w.ctx, w.replica, cmd, opts...)
}

func to[T any](v T) *T { return &v }

// late is a command that calls a hook between its Prepare and its Apply. The context of a write on
// the primary has the hook.
type late[C interface {
	repo.Command[posts.Ref]
	repo.Preparer[posts.Ref]
}] struct {
	Inner C `json:"inner"`
}

func (l late[C]) Name() string { return "late." + l.Inner.Name() }

func (l late[C]) Apply(ctx context.Context, tx *repo.Tx) (posts.Ref, error) {
	return l.Inner.Apply(ctx, tx)
}

func (l late[C]) Prepare(ctx context.Context, v repo.Viewer) (repo.Command[posts.Ref], error) {
	cmd, err := l.Inner.Prepare(ctx, v)
	if f, ok := ctx.Value(hookKey{}).(func()); ok && err == nil {
		f()
	}
	return cmd, err
}

type hookKey struct{}

func hook(ctx context.Context, f func()) context.Context {
	return context.WithValue(ctx, hookKey{}, f)
}
