package repo_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// redate is a command that would date its row earlier; the name decides whether it may.
type redate struct{ Force bool }

func (redate) Name() string { return "items.redate" }

func (c redate) Apply(ctx context.Context, tx *repo.Tx) (string, error) {
	_, _, err := tx.Redate(ctx, c.Force)
	return repo.FormatTime(tx.Now()), err
}

type reset redate

func (reset) Name() string { return repo.ClockReset }

func (c reset) Apply(ctx context.Context, tx *repo.Tx) (string, error) {
	return redate(c).Apply(ctx, tx)
}

// heard is what Dated has received.
type heard struct {
	mu    sync.Mutex
	at    []time.Time
	reset []time.Time
}

func (h *heard) dated(at time.Time, reset bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = append(h.at, at)
	if reset {
		h.reset = append(h.reset, at)
	}
}

func (h *heard) last() (at, reset time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.at) > 0 {
		at = h.at[len(h.at)-1]
	}
	if len(h.reset) > 0 {
		reset = h.reset[len(h.reset)-1]
	}
	return at, reset
}

// TestOnlyOneCommandGoesBack: whatever the clock says, dates of rows go back by
// clock.reset alone; both nodes' clocks receive each row's date, and of that one that
// it goes back. Keys from before are still honoured.
func TestOnlyOneCommandGoesBack(t *testing.T) {
	start := time.Now().UTC().Truncate(time.Second)
	now := repotest.NewClock(start.Add(time.Hour))
	var primary, replica heard
	commands := repotest.MustRegistry(t, []repo.Registration{
		repo.Register[put](), repo.Register[redate](), repo.Register[reset](),
	})
	c := MustCluster(t, func(o *repo.Options) { o.Now, o.Dated, o.Registry = now.Now, primary.dated, commands })
	o := options(t, c.path, c.node.Beside(repotest.Replica(c.server.URL)))
	o.LiteFS, o.Dated = true, replica.dated
	repotest.MustOpen(t, o)
	put1 := func() repo.Receipt {
		_, receipt, err := repo.Do(operator(), c.primary, put{Item: "1"}, repo.WithKey("first"))
		if err != nil {
			t.Fatal(err)
		}
		return receipt
	}
	first := put1()
	now.Set(start)
	dates := func() []string {
		var out []string
		err := c.primary.View(t.Context(), func(rd repo.Reader) error {
			out = nil
			rows, err := rd.QueryContext(t.Context(), "SELECT at FROM writes ORDER BY seq")
			if err != nil {
				return err
			}
			defer func() { _ = rows.Close() }()
			for rows.Next() {
				var at string
				if err := rows.Scan(&at); err != nil {
					return err
				}
				out = append(out, at)
			}
			return rows.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if _, err := repo.Write(operator(), c.primary, redate{}); err == nil {
		t.Error("another command that dates its row earlier: got no error, want one")
	}
	MustPut(t, c.primary, "2")
	late, early := repo.FormatTime(start.Add(time.Hour)), repo.FormatTime(start)
	if diff := cmp.Diff([]string{late, late}, dates()); diff != "" {
		t.Errorf("the dates before (-want +got):\n%s", diff)
	}
	at, err := repo.Write(operator(), c.primary, reset{})
	if err != nil {
		t.Error(err)
	}
	if at != early {
		t.Errorf("reset at %s, want %s", at, early)
	}
	if diff := cmp.Diff([]string{early, early, early}, dates()); diff != "" {
		t.Errorf("the dates after (-want +got):\n%s", diff)
	}
	for name, h := range map[string]*heard{"the primary": &primary, "a replica": &replica} {
		repotest.Eventually(t, patience, name+" is told", func() bool {
			at, reset := h.last()
			return at.Equal(start) && reset.Equal(start)
		})
	}
	again := put1()
	if !again.Replayed {
		t.Errorf("the key of before: got %+v, want Replayed true", again)
	}
	if again.Cursor != first.Cursor {
		t.Errorf("the key of before: got the row %v, want %v", again.Cursor, first.Cursor)
	}
}

// TestDatedAtTheStart: Dated receives the newest date of a database before anything is
// written.
func TestDatedAtTheStart(t *testing.T) {
	c := MustCluster(t)
	MustPut(t, c.primary, "1")
	var h heard
	o := options(t, c.path, c.node)
	o.LiteFS, o.Dated = true, h.dated
	repotest.MustOpen(t, o)
	at, _ := h.last()
	if at.IsZero() {
		t.Error("Dated has received no date, want one")
	}
	if age := time.Since(at); age > time.Hour {
		t.Errorf("Dated has received %s, which is %s ago, want at most %s", at, age, time.Hour)
	}
}
