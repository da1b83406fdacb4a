package repo_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"blog/internal/apperr"
	"blog/internal/litefs"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// unseen is a node whose role changes without a word to who follows it: what begins and ends the terms has not noticed
// yet. The first term's end is over's, and its role is Unknown once lost is set.
type unseen struct {
	*repotest.Node
	over  chan struct{}
	given atomic.Bool // over, to the first term
	lost  atomic.Bool
}

func newUnseen() *unseen {
	return &unseen{Node: repotest.NewNode(repotest.Primary()), over: make(chan struct{})}
}

func (u *unseen) Changed() <-chan struct{} {
	if u.given.CompareAndSwap(false, true) {
		return u.over
	}
	return u.Node.Changed()
}

func (u *unseen) Role() litefs.Role {
	if u.lost.Load() {
		return repotest.Unknown()
	}
	return u.Node.Role()
}

// TestTheRoleWhenACallsTurnComes: calls that waited while the role was lost, or lost and won again, are not carried
// out, also where the loss has not ended the term's committer yet. They are to be asked again: another node may have
// carried them out meanwhile.
func TestTheRoleWhenACallsTurnComes(t *testing.T) {
	for name, c := range map[string]struct {
		lose   func(u *unseen)
		reason string
	}{
		"lost":               {func(u *unseen) { u.lost.Store(true) }, apperr.WrongPrimary},
		"lost and won again": {func(u *unseen) { close(u.over) }, apperr.NotNow},
	} {
		for when, rows := range map[string]int{"before the batch": 0, "inside the batch": 1} {
			t.Run(name+" "+when, func(t *testing.T) {
				u := newUnseen()
				var begun atomic.Int64
				l := MustHold(t, func(o *repo.Options) {
					o.Node = u
					o.Timed = func(s repo.Stage, _ time.Duration) {
						if s == repo.StageBegin {
							begun.Add(1)
						}
					}
				})
				begun.Store(0)
				roleChanges = func() { c.lose(u) }
				if rows == 1 {
					askOnce(l, odd{Item: "first", How: "the role changes"}, "first")
				}
				waiting := []*answer{askOnce(l, put{Item: "a"}, "a"), askOnce(l, put{Item: "b"}, "b")}
				if rows == 0 {
					roleChanges()
				}
				l.run()
				for i, a := range waiting {
					if !apperr.HasReason(a.err, c.reason) {
						t.Errorf("call %d: %v, want %s", i, a.err, c.reason)
					}
				}
				if n := MustCount(t, l.r, "SELECT COUNT(*) FROM writes"); n != rows {
					t.Errorf("%d rows, want %d", n, rows)
				}
				if n := int(begun.Load()); n != rows {
					t.Errorf("%d transactions were begun, want %d", n, rows)
				}
			})
		}
	}
}

// TestALoneWriterWaitsForNobody: by the clock of a bubble, which goes on only when everything waits, a call beside
// which none waits is answered at once.
func TestALoneWriterWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := repotest.MustOpen(t, options(t, filepath.Join(t.TempDir(), "blog.db"), repotest.NewNode(repotest.Primary())))
		ctx := repotest.As(context.Background(), repo.Operator)
		for _, item := range []string{"first", "second"} {
			began := time.Now()
			repo.MustWrite(ctx, r, put{Item: item})
			if took := time.Since(began); took != 0 {
				t.Errorf("the %s write has taken %s, want no time", item, took)
			}
		}
	})
}
