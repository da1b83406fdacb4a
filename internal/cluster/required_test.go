package cluster_test

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"blog/internal/cluster"
	"blog/internal/litefs"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// setOf makes the sync set one of these members that has a position, and requires one.
func (w *world) setOf(position, required string, ids ...string) litefs.SyncSet {
	w.keeper.mu.Lock()
	defer w.keeper.mu.Unlock()
	set := litefs.SyncChange{Positions: []string{position}, Required: required}
	for _, id := range ids {
		set.Members = append(set.Members, litefs.Member{ID: id, Name: id})
	}
	w.keeper.putLocked(set)
	return *w.keeper.set
}

// mustCopy puts a copy of the world's database at path.
func (w *world) mustCopy(t *testing.T, path string) {
	t.Helper()
	repotest.MustExec(t, w.path, "VACUUM INTO ?", path)
}

// mustBeTried waits until n has tried so many times to lead, in vain.
func (n *node) mustBeTried(t *testing.T, times int) {
	t.Helper()
	repotest.Eventually(t, patience, n.id+" tries to lead", func() bool {
		return strings.Count(n.log.String(), "cannot take writes") >= times
	})
}

// TestNothingFollowsFromADatabaseThatCannotBeOpened: what keeps a node from opening its database says nothing about what
// it holds. It does not lead, takes nothing out of the set, reports nothing and compares nothing; once the database can
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
					t.Errorf("it has reported %s", i.Mark)
				}
			}
			b.cluster.FailLonger(20 * time.Second)
			repotest.Eventually(t, patience, "it says why", func() bool {
				return strings.HasPrefix(b.cluster.Self().Problem, "This node's own database cannot be read")
			})
			// "" requires nothing, so that nothing but the failed look speaks against it.
			before := w.setOf(last.Cursor.String(), "", "a", "b")
			a.seat.Set(repotest.Unknown())
			w.keeper.hand(b.id)
			b.seat.Set(repotest.Primary())
			b.mustBeTried(t, 2)
			if got := w.keeper.current(); got.Index != before.Index || !slices.Equal(got.Positions, before.Positions) {
				t.Errorf("the set was %+v and is %+v", before, got)
			}
			if got, err := b.cluster.Shared(t.Context(), &before); !repo.HasReason(err, repo.CannotOpen) {
				t.Errorf("it shares %+v, %v", got, err)
			}
			if err := b.repo.Canary(t.Context()); err == nil {
				t.Error("the node is not noticed, although it keeps another one from being elected")
			}
			if told := w.keeper.said(); len(told) != 0 {
				t.Errorf("a failed look ends no election: %v", told)
			}
			if err := c.mends(folder, b.path); err != nil {
				t.Fatal(err)
			}
			w.mustCopy(t, b.path)
			repotest.Eventually(t, patience, "b leads", func() bool { return b.repo.Writing().State == repo.WriteFit })
			if got := w.keeper.current(); !slices.Contains(got.Positions, last.Cursor.String()) {
				t.Errorf("the set has lost %s: %+v", last.Cursor, got)
			}
			repotest.Eventually(t, patience, "its feed has the row", func() bool { return b.repo.Feed().Position() == last.Cursor })
		})
	}
}

// said is what the LiteFS nodes have been asked for.
func (k *keeper) said() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.told)
}

// TestWhoLacksWhatTheSetRequiresDoesNotLead, for every place in which a copy can have a position.
func TestWhoLacksWhatTheSetRequiresDoesNotLead(t *testing.T) {
	for name, c := range map[string]struct {
		prepare  func(t *testing.T, w *world, path string)
		required func(last repo.Cursor) string // nil: the newest row that was acknowledged
		leads    bool
	}{
		"it has the row":     {prepare: func(t *testing.T, w *world, path string) { t.Helper(); w.mustCopy(t, path) }, leads: true},
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
			leads:    true,
		},
		"nothing is required of an empty one": {
			prepare: func(*testing.T, *world, string) {}, required: func(repo.Cursor) string { return "" }, leads: true,
		},
		"what is required is another release's": {
			prepare:  func(t *testing.T, w *world, path string) { t.Helper(); w.mustCopy(t, path) },
			required: func(repo.Cursor) string { return "another form" }, leads: true,
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
			a.seat.Set(repotest.Unknown())
			b := w.MustNode(t, "b")
			before := w.setOf(last.Cursor.String(), required, "a", "b")
			w.keeper.hand("b")
			b.seat.Set(repotest.Primary())
			if c.leads {
				repotest.Eventually(t, patience, "b leads", func() bool { return b.repo.Writing().State == repo.WriteFit })
				if got := w.keeper.current(); got.Required != required || !slices.Contains(got.Positions, last.Cursor.String()) {
					t.Errorf("the set is %+v, want what it required and had before: %+v", got, before)
				}
				return
			}
			b.mustBeTried(t, 1)
			if got := w.keeper.current(); got.Index != before.Index {
				t.Errorf("the set was %+v and is %+v", before, got)
			}
			if want := "demote " + required + " b"; !slices.Contains(w.keeper.said(), want) {
				t.Errorf("the LiteFS node was asked %v, want %q", w.keeper.said(), want)
			}
			if _, err := os.Stat(b.path); os.IsNotExist(err) != (name == "it has no database") {
				t.Errorf("its database: %v", err)
			}
		})
	}
}

// TestWhatTheSetRequires: always the newest position that all its members have.
func TestWhatTheSetRequires(t *testing.T) {
	requires := func(t *testing.T, w *world, want repo.Cursor) {
		t.Helper()
		if got := w.keeper.current(); got.Required != want.String() {
			t.Errorf("the set requires %q, want %s", got.Required, want)
		}
	}
	w := MustWorld(t)
	w.apart = "b"
	a := w.MustNode(t, "a")
	if got := w.keeper.current(); got.Required != "" {
		t.Errorf("before the first row the set requires %q", got.Required)
	}
	one := w.MustWrite(t, a, "one", repo.Alone)
	b := w.MustNode(t, "b")
	w.MustSet(t, "a", "b")
	requires(t, w, one.Cursor)

	// b has not reported row 2 when it goes: alone a requires its own newest row.
	b.seat.hold(true)
	pending := w.write(t.Context(), a, "two", "two")
	repotest.Eventually(t, patience, "a has row 2", func() bool { return a.cluster.Newest() == 2 })
	requires(t, w, one.Cursor)
	w.keeper.mu.Lock()
	w.keeper.swallow = 1 // so that the set is written once more as it is
	w.keeper.mu.Unlock()
	b.cluster.Leave(t.Context())
	b.seat.Set(repotest.Unknown())
	w.MustSet(t, "a")
	two := w.MustEnd(t, pending)
	if two.err != nil {
		t.Fatal(two.err)
	}
	requires(t, w, two.receipt.Cursor)

	// Another term of one that is alone requires its newest row, too; with another member nothing new is known.
	three := w.MustWrite(t, a, "three", repo.Alone)
	a.seat.Set(repotest.Unknown())
	w.mustLead(t, a, b)
	requires(t, w, three.Cursor)
	w.keeper.mu.Lock()
	puts := slices.Clone(w.keeper.puts)
	w.keeper.mu.Unlock()
	newest := int64(0)
	for i, set := range puts {
		at, err := repo.ParseCursor(cmp.Or(set.Required, "0"))
		if err != nil || at.Seq < newest {
			t.Errorf("change %d of the set requires %q after %d, %v", i, set.Required, newest, err)
		}
		newest = at.Seq
	}
	w.setOf(one.Cursor.String(), one.Cursor.String(), "a", "c")
	a.seat.Set(repotest.Unknown())
	w.mustLead(t, a, b)
	requires(t, w, one.Cursor)
}

// TestTheLeastOfWhatMembersHave is what a set requires.
func TestTheLeastOfWhatMembersHave(t *testing.T) {
	at := func(seq int64) string { return repo.Cursor{Seq: seq, Mark: cluster.RowMark(seq)}.String() }
	for name, c := range map[string]struct {
		before  string
		newest  int64
		covered map[string]int64
		forgets int64
		members []string
		want    string
	}{
		"alone, all of it":                         {before: at(3), newest: 9, covered: map[string]int64{"s": 5}, want: at(9)},
		"alone, before the first row":              {want: ""},
		"what the standby has":                     {before: at(3), newest: 9, covered: map[string]int64{"s": 5}, members: []string{"s"}, want: at(5)},
		"what the slower standby has":              {before: at(3), newest: 9, covered: map[string]int64{"s": 7, "r": 5}, members: []string{"s", "r"}, want: at(5)},
		"not heard of in this term":                {before: at(3), newest: 9, members: []string{"s"}, want: at(3)},
		"one of two not heard of":                  {before: at(3), newest: 9, covered: map[string]int64{"s": 7}, members: []string{"s", "r"}, want: at(3)},
		"nothing was required":                     {newest: 9, members: []string{"s"}, want: ""},
		"a row that is not remembered":             {before: at(3), newest: 9, covered: map[string]int64{"s": 5}, forgets: 6, members: []string{"s"}, want: at(3)},
		"a standby that has less than it once had": {before: at(7), newest: 9, covered: map[string]int64{"s": 5}, members: []string{"s"}, want: at(7)},
	} {
		if got := cluster.Requires(c.before, c.newest, c.covered, c.forgets, c.members...); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
