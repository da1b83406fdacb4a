package cluster_test

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"blog/internal/apperr"
	"blog/internal/litefs"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// setOf makes the sync set one of these members that has a position, and requires one.
func (w *world) setOf(position, required string, ids ...string) litefs.SyncSet {
	w.consul.mu.Lock()
	defer w.consul.mu.Unlock()
	set := litefs.SyncChange{Positions: []string{position}, Required: required}
	for _, id := range ids {
		set.Members = append(set.Members, litefs.Member{ID: id, Name: id})
	}
	w.consul.putLocked(set)
	return *w.consul.set
}

// mustCopy puts a copy of the world's database at path.
func (w *world) mustCopy(t *testing.T, path string) {
	t.Helper()
	repotest.MustExec(t, w.path, "VACUUM INTO ?", path)
}

// mustBeTried waits until n has tried so many times to begin a term, in vain.
func (n *node) mustBeTried(t *testing.T, times int) {
	t.Helper()
	repotest.Eventually(t, patience, n.id+" tries to begin a term", func() bool {
		return strings.Count(n.logged(), "cannot take writes") >= times
	})
}

// TestNothingFollowsFromADatabaseThatCannotBeOpened: that a node cannot open its database says nothing about what
// it holds. No term begins, nothing is removed from the set, nothing is reported or compared; once the database can
// be opened it does all that.
func TestNothingFollowsFromADatabaseThatCannotBeOpened(t *testing.T) {
	for name, c := range map[string]struct {
		breaks, mends func(folder, path string) error
	}{
		"a link to itself": {
			func(_, path string) error { return os.Symlink(path, path) },
			func(_, path string) error { return os.Remove(path) },
		},
		"a file in the place of its folder": {
			func(folder, _ string) error { return os.WriteFile(folder, []byte("x"), 0o600) },
			func(folder, _ string) error {
				if err := os.Remove(folder); err != nil {
					return err
				}
				return os.Mkdir(folder, 0o700)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := MustWorld(t)
			a := w.MustNode(t, "a")
			last := w.MustWrite(t, a, "one", repo.Alone)
			folder := t.TempDir()
			if name != "a link to itself" {
				folder = filepath.Join(folder, "folder")
			}
			w.at = filepath.Join(folder, "blog.db")
			if err := c.breaks(folder, w.at); err != nil {
				t.Fatal(err)
			}
			b := w.MustNode(t, "b")
			b.MustTry(t, 2)
			for _, i := range a.cluster.Nodes(t.Context(), nil) {
				if i.ID == b.id {
					t.Errorf("it has reported %s, want no report", i.Mark)
				}
			}
			b.cluster.FailLonger(20 * time.Second)
			repotest.Eventually(t, patience, "it says why", func() bool {
				return strings.HasPrefix(b.cluster.Self().Problem, "This node's own database cannot be read")
			})
			// "" requires nothing, so that nothing but the failed read speaks against it.
			before := w.setOf(last.Cursor.String(), "", "a", "b")
			a.role.Set(repotest.Unknown())
			w.consul.grant(b.id)
			b.role.Set(repotest.Primary())
			b.mustBeTried(t, 2)
			got := w.consul.current()
			if got.Index != before.Index {
				t.Errorf("the set has the index %d, want %d, as before", got.Index, before.Index)
			}
			if !slices.Equal(got.Positions, before.Positions) {
				t.Errorf("the set has the positions %q, want %q, as before", got.Positions, before.Positions)
			}
			if got, err := b.cluster.Shared(t.Context(), &before); !apperr.HasReason(err, apperr.CannotOpen) {
				t.Errorf("it shares %+v, %v, want the reason %v", got, err, apperr.CannotOpen)
			}
			if err := b.repo.Canary(t.Context()); err == nil {
				t.Error("the canary of a node that keeps another one from being elected: got no error, want one")
			}
			if requests := w.consul.requested(); len(requests) != 0 {
				t.Errorf("a failed read ends no election: %v, want 0 of them", requests)
			}
			if err := c.mends(folder, b.path); err != nil {
				t.Fatal(err)
			}
			w.mustCopy(t, b.path)
			repotest.Eventually(t, patience, "b leads", func() bool { return b.repo.Writing().State == repo.WriteFit })
			if got := w.consul.current(); !slices.Contains(got.Positions, last.Cursor.String()) {
				t.Errorf("the set has lost %s: %+v, want Positions with %v", last.Cursor, got, last.Cursor.String())
			}
			repotest.Eventually(t, patience, "its feed has the row", func() bool {
				return b.repo.Feed().Position() == last.Cursor
			})
		})
	}
}

// requested is what the LiteFS nodes have been asked for.
func (k *consul) requested() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.requests)
}

// TestWhoLacksWhatTheSetRequiresBeginsNoTerm, for every place in which a copy can have a position.
func TestWhoLacksWhatTheSetRequiresBeginsNoTerm(t *testing.T) {
	for name, c := range map[string]struct {
		prepare  func(t *testing.T, w *world, path string)
		required func(last repo.Cursor) string // nil: the newest row that was acknowledged
		begins   bool
	}{
		"it has the row": {prepare: func(t *testing.T, w *world, path string) { t.Helper(); w.mustCopy(t, path) },
			begins: true},
		"it has no database": {prepare: func(*testing.T, *world, string) {}},
		"its file has no byte": {prepare: func(t *testing.T, _ *world, path string) {
			t.Helper()
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		"it is behind": {prepare: func(t *testing.T, w *world, path string) {
			t.Helper()
			w.mustCopy(t, path)
			repotest.MustExec(t, path, "DELETE FROM writes WHERE seq = 2")
			repotest.MustExec(t, path, "DELETE FROM topics WHERE seq = 2")
		}},
		"it has another row": {prepare: func(t *testing.T, w *world, path string) {
			t.Helper()
			w.mustCopy(t, path)
			(&world{path: path}).rewrite(t, 2, "another")
		}},
		"the row is pruned": {
			prepare: func(t *testing.T, w *world, path string) {
				t.Helper()
				w.mustCopy(t, path)
				repotest.MustExec(t, path, "DELETE FROM writes WHERE seq = 1")
				repotest.MustExec(t, path, "DELETE FROM topics WHERE seq = 1")
			},
			required: func(repo.Cursor) string { return repo.Cursor{Seq: 1, Mark: repo.Mark{9}}.String() },
			begins:   true,
		},
		"nothing is required of an empty one": {
			prepare: func(*testing.T, *world, string) {}, required: func(repo.Cursor) string { return "" }, begins: true,
		},
		"what is required is another release's": {
			prepare:  func(t *testing.T, w *world, path string) { t.Helper(); w.mustCopy(t, path) },
			required: func(repo.Cursor) string { return "another form" }, begins: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := MustWorld(t)
			a := w.MustNode(t, "a")
			w.MustWrite(t, a, "one", repo.Alone)
			last := w.MustWrite(t, a, "two", repo.Alone)
			required := last.Cursor.String()
			if c.required != nil {
				required = c.required(last.Cursor)
			}
			w.at = filepath.Join(t.TempDir(), "blog.db")
			c.prepare(t, w, w.at)
			a.role.Set(repotest.Unknown())
			b := w.MustNode(t, "b")
			before := w.setOf(last.Cursor.String(), required, "a", "b")
			w.consul.grant("b")
			b.role.Set(repotest.Primary())
			if c.begins {
				repotest.Eventually(t, patience, "b leads", func() bool { return b.repo.Writing().State == repo.WriteFit })
				got := w.consul.current()
				if got.Required != required {
					t.Errorf("the set requires %q, want %q, as before", got.Required, required)
				}
				if want := last.Cursor.String(); !slices.Contains(got.Positions, want) {
					t.Errorf("the set has the positions %q, want %q among them", got.Positions, want)
				}
				return
			}
			b.mustBeTried(t, 1)
			if got := w.consul.current(); got.Index != before.Index {
				t.Errorf("the set was %+v and is %+v, want Index %v", before, got, before.Index)
			}
			if want := "demote " + required + " b"; !slices.Contains(w.consul.requested(), want) {
				t.Errorf("the LiteFS node was asked %v, want %q", w.consul.requested(), want)
			}
			if _, err := os.Stat(b.path); os.IsNotExist(err) != (name == "it has no database") {
				t.Errorf("its database: %v, want %v", err, name == "it has no database")
			}
		})
	}
}

// TestWhatTheSetRequires: always the newest position that all its members have.
func TestWhatTheSetRequires(t *testing.T) {
	requires := func(t *testing.T, w *world, want repo.Cursor) {
		t.Helper()
		if got := w.consul.current(); got.Required != want.String() {
			t.Errorf("the set requires %q, want %s", got.Required, want)
		}
	}
	w := MustWorld(t)
	w.apart = "b"
	a := w.MustNode(t, "a")
	if got := w.consul.current(); got.Required != "" {
		t.Errorf("before the first row the set requires %q, want none", got.Required)
	}
	one := w.MustWrite(t, a, "one", repo.Alone)
	b := w.MustNode(t, "b")
	w.MustSet(t, "a", "b")
	requires(t, w, one.Cursor)

	// b has not reported row 2 when it goes: alone a requires its own newest row.
	b.role.hold(true)
	pending := w.write(t.Context(), a, "two", "two")
	repotest.Eventually(t, patience, "a has row 2", func() bool { return a.cluster.Self().Seq == 2 })
	requires(t, w, one.Cursor)
	w.consul.mu.Lock()
	w.consul.unanswered = 1 // so that the set is written once more as it is
	w.consul.mu.Unlock()
	b.cluster.Leave(t.Context())
	b.role.Set(repotest.Unknown())
	w.MustSet(t, "a")
	two := w.MustEnd(t, pending)
	if two.err != nil {
		t.Fatal(two.err)
	}
	requires(t, w, two.receipt.Cursor)

	// Another term of one that is alone requires its newest row, too; with another member nothing new is known.
	three := w.MustWrite(t, a, "three", repo.Alone)
	a.role.Set(repotest.Unknown())
	w.mustMakePrimary(t, a, b)
	requires(t, w, three.Cursor)
	w.consul.mu.Lock()
	puts := slices.Clone(w.consul.puts)
	w.consul.mu.Unlock()
	newest := int64(0)
	for i, set := range puts {
		at, err := repo.ParseCursor(cmp.Or(set.Required, "0"))
		if err != nil {
			t.Errorf("change %d of the set requires %q, want a cursor: %v", i, set.Required, err)
		}
		if at.Seq < newest {
			t.Errorf("change %d of the set requires %q, want none before row %d", i, set.Required, newest)
		}
		newest = at.Seq
	}
	w.setOf(one.Cursor.String(), one.Cursor.String(), "a", "c")
	a.role.Set(repotest.Unknown())
	w.mustMakePrimary(t, a, b)
	requires(t, w, one.Cursor)
}
