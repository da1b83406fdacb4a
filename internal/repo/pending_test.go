package repo_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// pendingStep is a step of a transaction that hangs in the test's hands.
type pendingStep struct{ hung, goOn chan struct{} }

func newPendingStep() *pendingStep { return &pendingStep{make(chan struct{}), make(chan struct{})} }

func (s *pendingStep) hang() { close(s.hung); <-s.goOn }

// expectFit fails unless r accepts writes and nothing has failed.
func expectFit(t *testing.T, when string, r *repo.Repo) {
	t.Helper()
	w := r.Writing()
	if w.State != repo.WriteFit {
		t.Errorf("%s: got state %s, want %s: %+v", when, w.State, repo.WriteFit, w)
	}
	if err := w.Failure(time.Now(), 0); err != nil {
		t.Errorf("%s: got %v, want no failure", when, err)
	}
}

// TestStepThatHangs, in a bubble of synctest: whichever step of a transaction does not return, nothing has failed, and
// this is seen once it has hung for longer than any step takes. When it has returned nothing is left of it.
func TestStepThatHangs(t *testing.T) {
	for name, set := range map[string]func(r *repo.Repo, s *pendingStep) (begin func(ctx context.Context)){
		"COMMIT": func(r *repo.Repo, s *pendingStep) func(ctx context.Context) {
			r.SetCommit(func(tx *sql.Tx) error { s.hang(); return tx.Commit() })
			return func(ctx context.Context) { _, _ = r.Super(ctx, "items.put", "k", []byte(`{"item":"a"}`)) }
		},
		"work between two batches": func(r *repo.Repo, s *pendingStep) func(ctx context.Context) {
			return func(ctx context.Context) { _ = r.DoOnWriter(ctx, func() error { s.hang(); return nil }) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := repotest.MustOpen(t, options(t, filepath.Join(t.TempDir(), "blog.db"), repotest.NewNode(repotest.Primary())))
				step := newPendingStep()
				begin := set(r, step)
				go begin(operator())
				<-step.hung
				began := time.Now()
				for _, c := range []struct {
					after time.Duration
					state repo.WriteState
				}{{0, repo.WriteFit}, {repo.StepLimit - 1, repo.WriteFit}, {repo.StepLimit, repo.WriteFailing}} {
					time.Sleep(time.Until(began.Add(c.after)))
					w := r.Writing()
					if !w.Pending.Equal(began) {
						t.Errorf("after %s: got a step that is pending since %s, want since %s", c.after, w.Pending, began)
					}
					if w.State != c.state {
						t.Errorf("after %s: got state %s, want %s", c.after, w.State, c.state)
					}
					if w.Failed != 0 {
						t.Errorf("after %s: got %d that have failed, want 0", c.after, w.Failed)
					}
					if failure := w.Failure(time.Now(), time.Second); (failure != nil) != (c.state == repo.WriteFailing) {
						t.Errorf("after %s: %v, want a failure: %t", c.after, failure, failure == nil)
					}
				}
				close(step.goOn)
				synctest.Wait()
				time.Sleep(time.Hour)
				expectFit(t, "an hour after it has returned", r)
				if w := r.Writing(); !w.Pending.IsZero() {
					t.Errorf("an hour after it has returned: got a step that is pending since %s, want none", w.Pending)
				}
			})
		})
	}
}

// TestSlowSteps, in a bubble of synctest: steps of which none lasts too long are no failure, also where one comes at
// once after the other, for longer than that in all.
func TestSlowSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := repotest.MustOpen(t, options(t, filepath.Join(t.TempDir(), "blog.db"), repotest.NewNode(repotest.Primary())))
		r.SetCommit(func(tx *sql.Tx) error { time.Sleep(slowStep); expectFit(t, "in COMMIT", r); return tx.Commit() })
		var all sync.WaitGroup
		for _, key := range []string{"a", "b"} {
			all.Go(func() { _, _ = r.Super(operator(), "items.put", key, []byte(`{"item":"`+key+`"}`)) })
			synctest.Wait() // the first is in its COMMIT, and the next step comes at once when that has returned
		}
		err := r.DoOnWriter(operator(), func() error { time.Sleep(slowStep); expectFit(t, "between batches", r); return nil })
		if err != nil {
			t.Error(err)
		}
		all.Wait()
		synctest.Wait()
		expectFit(t, "at the end", r)
		if n := MustCount(t, r, "SELECT COUNT(*) FROM items"); n != 2 {
			t.Errorf("%d items, want 2", n)
		}
	})
}

// TestSlowNeighbours, in a bubble of synctest: two steps of one batch, of which none lasts too long, are no failure.
func TestSlowNeighbours(t *testing.T) {
	// An upkeep that ends the transaction is left out of the next one, so Apply and COMMIT are neighbours there.
	for _, how := range []string{"sleep, ending upkeep", "sleeping upkeep"} {
		t.Run(how+", then COMMIT", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "blog.db")
				r := repotest.MustOpen(t, options(t, path, repotest.NewNode(repotest.Primary())))
				repo.MustWrite(operator(), r, idle{Item: "x"}) // waits for the schema, and leaves nothing
				repotest.MustExec(t, path, endsAtAnItem)
				committed := make(chan struct{})
				r.SetCommit(func(tx *sql.Tx) error { defer close(committed); time.Sleep(slowStep); return tx.Commit() })
				go func() { _, _ = r.Super(operator(), "items.odd", "k", []byte(`{"item":"a","how":"`+how+`"}`)) }()
				began := time.Now()
				for going := true; going; {
					select {
					case <-committed:
						going = false
					case <-time.After(time.Second):
					}
					if err := r.Writing().Failure(time.Now(), 0); err != nil {
						t.Errorf("after %s: got %v, want no failure", time.Since(began), err)
					}
				}
				if took := time.Since(began); took < 2*slowStep {
					t.Errorf("both steps took %s, want %s at least", took, 2*slowStep)
				}
				synctest.Wait()
			})
		})
	}
}

// TestSlowBegin, in a bubble of synctest: what a BEGIN has waited for is no part of the first Apply's time.
func TestSlowBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options(t, filepath.Join(t.TempDir(), "blog.db"), repotest.NewNode(repotest.Primary()))
		o.Timed = func(stage repo.Stage, _ time.Duration) {
			if stage == repo.StageBegin {
				time.Sleep(slowStep)
			}
		}
		r := repotest.MustOpen(t, o)
		began, done := time.Now(), make(chan struct{})
		go func() {
			defer close(done)
			_, _ = r.Super(operator(), "items.odd", "k", []byte(`{"item":"a","how":"sleep"}`))
		}()
		for going := true; going; {
			select {
			case <-done:
				going = false
			case <-time.After(time.Second):
			}
			if err := r.Writing().Failure(time.Now(), 0); err != nil {
				t.Errorf("after %s: got %v, want no failure", time.Since(began), err)
			}
		}
		if took := time.Since(began); took < 2*slowStep {
			t.Errorf("both took %s, want %s at least", took, 2*slowStep)
		}
	})
}

// TestTaskThatHangs, in a bubble of synctest: a term ends when its tasks have, and a task that reads may hang. The role
// may be this node's again by then, and no term of it can begin.
func TestTaskThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := repotest.NewNode(repotest.Primary())
		o := options(t, filepath.Join(t.TempDir(), "blog.db"), node)
		begun, step := make(chan struct{}), newPendingStep()
		var once sync.Once
		o.LiteFS, o.Tasks = true, []repo.Task{func(ctx context.Context, _ *repo.Repo) {
			once.Do(func() {
				close(begun)
				<-ctx.Done()
				step.hang()
			})
		}}
		r := repotest.MustOpen(t, o)
		<-begun
		node.Set(repotest.Unknown())
		node.Set(repotest.Primary())
		<-step.hung
		synctest.Wait()
		began := time.Now()
		time.Sleep(repo.StepLimit)
		w := r.Writing()
		if !w.Pending.Equal(began) {
			t.Errorf("got a step that is pending since %s, want since %s", w.Pending, began)
		}
		if err := w.Failure(time.Now(), 0); err == nil {
			t.Error("got no failure, want one")
		}
		close(step.goOn)
		synctest.Wait()
		time.Sleep(time.Hour)
		if w := r.Writing(); !w.Pending.IsZero() || w.State != repo.WriteFit {
			t.Errorf("after its return: %+v, want %s and nothing pending", w, repo.WriteFit)
		}
	})
}

// slowDurability is a Durability whose terms begin once goOn is closed.
type slowDurability struct {
	repotest.Assured
	begun, goOn chan struct{}
}

func (d slowDurability) BeginTerm(ctx context.Context, over <-chan struct{}) (repo.Term, error) {
	close(d.begun)
	<-d.goOn
	return d.Assured.BeginTerm(ctx, over)
}

// TestTermThatHangsAtItsBeginning, in a bubble of synctest: what may wait for Consul is allowed more time than a write.
func TestTermThatHangsAtItsBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := repotest.NewNode(repotest.Unknown())
		o := options(t, filepath.Join(t.TempDir(), "blog.db"), node)
		d := slowDurability{begun: make(chan struct{}), goOn: make(chan struct{})}
		o.LiteFS, o.Durability = true, d
		r := repotest.MustOpen(t, o)
		node.Set(repotest.Primary())
		<-d.begun
		time.Sleep(repo.TermLimit - 1)
		if err := r.Writing().Failure(time.Now(), 0); err != nil {
			t.Errorf("got %v, want no failure yet", err)
		}
		time.Sleep(time.Nanosecond)
		if err := r.Writing().Failure(time.Now(), 0); err == nil {
			t.Error("got no failure, want one")
		}
		close(d.goOn)
		synctest.Wait()
		time.Sleep(time.Hour)
		w := r.Writing()
		if !w.Pending.IsZero() {
			t.Errorf("got a step that is pending since %s, want none once the term has begun", w.Pending)
		}
		if w.State != repo.WriteFit {
			t.Errorf("got state %s, want %s", w.State, repo.WriteFit)
		}
	})
}

// TestMigrationThatHangs, in a bubble of synctest: it is seen, as what hangs at a term's beginning is.
func TestMigrationThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := repotest.NewNode(repotest.Unknown())
		o := options(t, filepath.Join(t.TempDir(), "blog.db"), node)
		step := newPendingStep()
		o.LiteFS, o.Logger = true, slog.New(slog.NewTextHandler(&hangingLog{step: step, at: "msg=migrated"}, nil))
		r := repotest.MustOpen(t, o)
		node.Set(repotest.Primary())
		<-step.hung
		began := time.Now()
		w := r.Writing()
		if !w.Pending.Equal(began) {
			t.Errorf("got a step that is pending since %s, want since %s", w.Pending, began)
		}
		time.Sleep(repo.MigrationLimit)
		if err := r.Writing().Failure(time.Now(), 0); err == nil {
			t.Error("got no failure, want one")
		}
		close(step.goOn)
		synctest.Wait()
		time.Sleep(time.Hour)
		if w := r.Writing(); !w.Pending.IsZero() {
			t.Errorf("got a step that is pending since %s, want none once the term has begun", w.Pending)
		}
	})
}

// hangingClose is a connector that connects to nothing, and whose Close hangs once.
type hangingClose struct{ step *pendingStep }

func (hangingClose) Connect(context.Context) (driver.Conn, error) { return nil, errInjected }
func (hangingClose) Driver() driver.Driver                        { return nil }
func (c hangingClose) Close() error                               { c.step.hang(); return nil }

// TestCloseThatHangs, in a bubble of synctest: the connection of a term that could not begin may hang when it is
// closed.
func TestCloseThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := repotest.NewNode(repotest.Unknown())
		o := options(t, filepath.Join(t.TempDir(), "blog.db"), node)
		o.LiteFS = true
		r := repotest.MustOpen(t, o)
		step := newPendingStep()
		r.SetOpenWriter(func(open repo.OpenWriter) repo.OpenWriter {
			first := true
			return func(ctx context.Context, path, journal string) (*sql.DB, error) {
				if first { // one goroutine opens it
					first = false
					return sql.OpenDB(hangingClose{step}), nil
				}
				return open(ctx, path, journal)
			}
		})
		node.Set(repotest.Primary())
		<-step.hung
		time.Sleep(repo.StepLimit)
		if err := r.Writing().Failure(time.Now(), 0); err == nil {
			t.Errorf("got %+v and no failure, want one", r.Writing())
		}
		close(step.goOn)
		time.Sleep(time.Hour)
		synctest.Wait()
		if w := r.Writing(); !w.Pending.IsZero() {
			t.Errorf("got a step that is pending since %s, want none once another term has begun", w.Pending)
		}
	})
}

// hangingLog hangs at the first line that has a text in it. The line that a migration writes is the one place of it
// that a test can hold.
type hangingLog struct {
	step *pendingStep
	at   string
	once sync.Once
}

func (l *hangingLog) Write(p []byte) (int, error) {
	if strings.Contains(string(p), l.at) {
		l.once.Do(l.step.hang)
	}
	return len(p), nil
}

// TestWriterThatHangsAtItsOpening, in a bubble of synctest: a disk may hang before there is a transaction.
func TestWriterThatHangsAtItsOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := repotest.NewNode(repotest.Unknown())
		o := options(t, filepath.Join(t.TempDir(), "blog.db"), node)
		o.LiteFS = true
		r := repotest.MustOpen(t, o)
		step := newPendingStep()
		first := true
		r.SetOpenWriter(func(repo.OpenWriter) repo.OpenWriter {
			return func(context.Context, string, string) (*sql.DB, error) {
				if first { // one goroutine opens it
					first = false
					step.hang()
				}
				return nil, errors.New("it has returned")
			}
		})
		node.Set(repotest.Primary())
		<-step.hung
		time.Sleep(repo.StepLimit - 1)
		if w := r.Writing(); w.State != repo.WriteNotYet {
			t.Errorf("%+v, want %s", w, repo.WriteNotYet)
		}
		time.Sleep(time.Nanosecond)
		w := r.Writing()
		if w.State != repo.WriteFailing {
			t.Errorf("while it hangs: got state %s, want %s", w.State, repo.WriteFailing)
		}
		if !w.Hangs(time.Now(), 0) {
			t.Errorf("while it hangs: got %+v, want a step that hangs", w)
		}
		close(step.goOn)
		time.Sleep(time.Minute)
		synctest.Wait()
		w = r.Writing()
		if w.Hangs(time.Now(), 0) {
			t.Errorf("after its return: got %+v, want no step that hangs", w)
		}
		if !w.Pending.IsZero() {
			t.Errorf("after its return: got a step that is pending since %s, want none", w.Pending)
		}
		if w.State != repo.WriteFailing { // it cannot be opened
			t.Errorf("after its return: got state %s, want %s", w.State, repo.WriteFailing)
		}
	})
}
