package repo_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// odd writes an item and does something beside it that must not reach other calls of its batch.
type odd struct {
	Item string `json:"item"`
	How  string `json:"how"`
}

func (odd) Name() string { return "items.odd" }

// retained is what the last odd of the kind "retain" has kept of its transaction.
var retained *repo.Tx //nolint:gochecknoglobals // one test has it, and does not run beside others

// callerGoes ends the context of the caller of an odd of the kind "its caller goes".
var callerGoes func() //nolint:gochecknoglobals // one test has it, and does not run beside others

func (o odd) Apply(ctx context.Context, tx *repo.Tx) (int64, error) {
	const insert = "INSERT INTO items (name, value) VALUES (?, '') RETURNING id"
	switch o.How {
	case "unread row":
		_ = tx.QueryRowContext(ctx, insert, o.Item)
		return 0, nil
	case "unread rows":
		_, err := tx.QueryContext(ctx, insert, o.Item) //nolint:sqlclosecheck,rowserrcheck // this is the fault
		return 0, err
	case "unread rows, refused":
		_, err := tx.QueryContext(ctx, insert, o.Item) //nolint:sqlclosecheck,rowserrcheck // this is the fault
		return 0, errors.Join(err, repo.Errorf(repo.Conflict, "No."))
	}
	var id int64
	if err := tx.QueryRowContext(ctx, insert, o.Item).Scan(&id); err != nil {
		return 0, err
	}
	switch o.How {
	case "retain":
		retained = tx
	case "use retained":
		_, err := retained.ExecContext(ctx, "INSERT INTO items (name, value) VALUES ('by another', '')")
		return 0, err
	case "slow":
		for began := time.Now(); time.Since(began) < 2*repo.TurnLimit; {
			if err := tx.QueryRowContext(ctx, "SELECT 1").Scan(new(int)); err != nil {
				return 0, err
			}
		}
	case "slow, overlooked":
		for began := time.Now(); time.Since(began) < 2*repo.TurnLimit; {
			_ = tx.QueryRowContext(ctx, "SELECT 1").Scan(new(int))
		}
	case "panic":
		panic("odd")
	case "end the goroutine":
		runtime.Goexit()
	case "refuse":
		return 0, repo.Errorf(repo.Conflict, "No.")
	case "end":
		_, err := tx.ExecContext(ctx, "INSERT INTO items (name, value) VALUES ('end', '')")
		return 0, err
	case "end, overlooked":
		_, _ = tx.ExecContext(ctx, "INSERT INTO items (name, value) VALUES ('end', '')")
	case "no change":
		tx.NoChange()
	case "its caller goes":
		time.AfterFunc(20*time.Millisecond, callerGoes)
		_, err := tx.ExecContext(ctx, `
			DELETE FROM items
			WHERE (WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 3000000) SELECT MAX(n) FROM c) < 0`)
		return 0, err
	case "upkeep":
		tx.Upkeep("test", func(ctx context.Context, tx *repo.Tx, writes int) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO items (name, value) VALUES ('upkeep', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", fmt.Sprint(writes))
			return err
		})
	case "bad upkeep":
		tx.Upkeep("bad", func(ctx context.Context, tx *repo.Tx, _ int) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO items (name, value) VALUES ('bad', '')")
			return errors.Join(err, errors.New("bad upkeep"))
		})
	case "ending upkeep":
		tx.Upkeep("ending", func(ctx context.Context, tx *repo.Tx, _ int) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO items (name, value) VALUES ('end', '')")
			return err
		})
	}
	return id, nil
}

// piece is put of the bulk queue.
type piece put

func (piece) Name() string { return "items.piece" }
func (piece) Bulk()        {}

func (p piece) Apply(ctx context.Context, tx *repo.Tx) (putResult, error) {
	return put(p).Apply(ctx, tx)
}

// answer is what a write of a line gave.
type answer struct {
	receipt repo.Receipt
	err     error
}

// line is a primary whose committer is held, so that what is asked of it comes into one batch.
type line struct {
	*testing.T
	r       *repo.Repo
	path    string
	commits int
	commit  func(tx *sql.Tx) error
	release func()
	wait    sync.WaitGroup
	answers []*answer
}

// MustHold returns a primary with a trigger that ends the transaction of an item called "end", and whose committer
// is held.
func MustHold(t *testing.T, change ...func(*repo.Options)) *line {
	t.Helper()
	l := &line{T: t, path: filepath.Join(t.TempDir(), "blog.db"), commit: (*sql.Tx).Commit}
	o := options(t, l.path, repotest.NewSeat(repotest.Primary()))
	for _, f := range change {
		f(&o)
	}
	l.r = repotest.MustOpen(t, o)
	repo.MustWrite(operator(), l.r, idle{Item: "x"}) // waits for the schema, and leaves nothing
	repotest.MustExec(t, l.path, "CREATE TRIGGER ending BEFORE INSERT ON items WHEN new.name = 'end' BEGIN SELECT RAISE(ROLLBACK, 'over'); END")
	l.r.SetBatchTime(time.Hour)
	l.r.SetCommit(func(tx *sql.Tx) error { l.commits++; return l.commit(tx) })
	l.hold()
	return l
}

func (l *line) hold() {
	l.Helper()
	var err error
	if l.release, err = l.r.HoldWriter(context.Background()); err != nil {
		l.Fatal(err)
	}
}

// ask has a command wait as the last in its queue.
func ask[R any](l *line, cmd repo.Command[R], opts ...repo.Option) *answer {
	l.Helper()
	return askWithin(operator(), l, cmd, opts...)
}

func askWithin[R any](ctx context.Context, l *line, cmd repo.Command[R], opts ...repo.Option) *answer {
	l.Helper()
	return l.await(func(a *answer) { _, a.receipt, a.err = repo.Do(ctx, l.r, cmd, opts...) })
}

// askOnce is ask of the primary's end of the chain, where nobody asks again when the outcome is unknown.
func askOnce[R any](l *line, cmd repo.Command[R], key string) *answer {
	l.Helper()
	body, err := json.Marshal(cmd)
	if err != nil {
		l.Fatal(err)
	}
	return l.await(func(a *answer) {
		var reply repo.Reply
		reply, a.err = l.r.Super(operator(), cmd.Name(), key, body)
		a.receipt = repo.Receipt{Seq: reply.Cursor.Seq, Cursor: reply.Cursor, Replayed: reply.Replayed}
	})
}

func (l *line) await(do func(a *answer)) *answer {
	l.Helper()
	a, before := &answer{}, l.r.Waiting()
	l.answers = append(l.answers, a)
	l.wait.Go(func() { do(a) })
	repotest.Eventually(l, patience, "the call waits", func() bool { return l.r.Waiting() > before })
	return a
}

// run lets the committer go on until everybody has an answer.
func (l *line) run() {
	l.Helper()
	l.release()
	l.wait.Wait()
}

// succeeded checks that calls were carried out, each with a row, in this order.
func (l *line) succeeded(as ...*answer) {
	l.Helper()
	last := int64(0)
	for i, a := range as {
		if a.err != nil || a.receipt.Seq <= last || a.receipt.Replayed {
			l.Errorf("call %d: %+v, %v; want a row after %d", i, a.receipt, a.err, last)
		}
		last = a.receipt.Seq
	}
}

// TestOddCallsReachNobodyElse: whatever one call of a batch does, the others are carried out, once.
func TestOddCallsReachNobodyElse(t *testing.T) {
	for how, fails := range map[string]bool{
		"unread row": false, "unread rows": false, "unread rows, refused": true, "slow": false,
		"slow, overlooked": false, "panic": true, "refuse": true, "end": true, "end, overlooked": true, "upkeep": false,
		"bad upkeep": false, "ending upkeep": false, "no change": false,
	} {
		t.Run(how, func(t *testing.T) {
			l := MustHold(t)
			first := ask(l, put{Item: "first"}, repo.WithKey("first"))
			o := ask(l, odd{Item: "odd", How: how}, repo.WithKey("odd"))
			second := ask(l, put{Item: "second"})
			replay := ask(l, put{Item: "first"}, repo.WithKey("first"))
			l.run()
			l.succeeded(first, second)
			if (o.err != nil) != fails {
				t.Errorf("the odd one: %v", o.err)
			}
			if strings.HasPrefix(how, "slow") && l.commits < 2 {
				t.Errorf("the first one waited for %s: all are in one commit", how)
			}
			if replay.err != nil || replay.receipt.Cursor != first.receipt.Cursor || !replay.receipt.Replayed {
				t.Errorf("the replay: %+v, %v; want the answer to %+v", replay.receipt, replay.err, first.receipt)
			}
			want, row := 2, !fails && how != "no change"
			if row {
				want = 3
			}
			if how == "upkeep" {
				want++
			}
			if n := MustCount(t, l.r, "SELECT COUNT(*) FROM items"); n != want {
				t.Errorf("%d items, want %d", n, want)
			}
			if n := MustCount(t, l.r, "SELECT COUNT(*) FROM writes WHERE key = 'odd'"); (n == 1) != row {
				t.Errorf("%d rows of the odd one", n)
			}
			l.hold()
			after := ask(l, put{Item: "after"})
			l.run()
			l.succeeded(second, after)
		})
	}
}

// TestRetainedTx: who keeps a Tx beyond its Apply does not write into the part of the call that runs then.
func TestRetainedTx(t *testing.T) {
	l := MustHold(t)
	first := ask(l, odd{Item: "first", How: "retain"})
	second := ask(l, odd{Item: "second", How: "use retained"})
	third := ask(l, put{Item: "third"})
	l.run()
	l.succeeded(first, third)
	if second.err == nil {
		t.Error("a Tx goes on after its Apply has returned")
	}
	if n := MustCount(t, l.r, "SELECT COUNT(*) FROM items"); n != 2 || l.commits != 1 {
		t.Errorf("%d items in %d commits, want 2 in 1", n, l.commits)
	}
}

// TestUpkeepOnceABatch: what many calls ask for is done once, and the refused ask for nothing.
func TestUpkeepOnceABatch(t *testing.T) {
	l := MustHold(t)
	for i := range 5 {
		ask(l, odd{Item: fmt.Sprint(i), How: "upkeep"})
	}
	l.run()
	l.succeeded(l.answers...)
	if n := MustCount(t, l.r, "SELECT value FROM items WHERE name = 'upkeep'"); n != 5 || l.commits != 1 {
		t.Errorf("upkeep was told of %d writes in %d commits, want 5 in 1", n, l.commits)
	}
}

// TestAnswersOfABatchThatWasNotCommitted: nothing of it is told, refusals and replays that rest on its rows included.
func TestAnswersOfABatchThatWasNotCommitted(t *testing.T) {
	undone := func(tx *sql.Tx) error { return errors.Join(tx.Rollback(), deleteFailed) }
	done := func(tx *sql.Tx) error { return errors.Join(tx.Commit(), deleteFailed) }
	for name, c := range map[string]struct {
		commit func(tx *sql.Tx) error
		free   uint64
		reason string
	}{
		"done":         {done, 1 << 30, ""},
		"undone":       {undone, 1 << 30, repo.OutcomeUnknown},
		"undone, full": {undone, 4096, repo.DiskFull},
		"SQLite is full": {func(tx *sql.Tx) error {
			return errors.Join(tx.Rollback(), sqlite3.Error{Code: sqlite3.ErrFull, ExtendedCode: sqlite3.ErrNoExtended(sqlite3.ErrFull)})
		}, 1 << 30, repo.DiskFull},
	} {
		t.Run(name, func(t *testing.T) {
			l := MustHold(t, func(o *repo.Options) { o.LiteFS = true })
			l.r.SetFree(c.free)
			before := askOnce(l, odd{Item: "before", How: "refuse"}, "before") // rests on nothing of the batch
			first := askOnce(l, put{Item: "first"}, "first")
			refused := askOnce(l, odd{Item: "x", How: "refuse"}, "x")
			reused := askOnce(l, put{Item: "other"}, "first")
			idle := askOnce(l, idle{Item: "idle"}, "idle")
			last := askOnce(l, put{Item: "last"}, "last")
			l.commit = c.commit
			l.run()
			if repo.AsError(before.err).Code != repo.Conflict {
				t.Errorf("before the first row: %v", before.err)
			}
			for i, a := range []*answer{first, refused, reused, idle, last} {
				own := []error{nil, repo.Conflict, repo.Conflict, nil, nil}[i]
				switch {
				case c.reason == "" && !errors.Is(a.err, own):
					t.Errorf("call %d: %v, want %v", i, a.err, own)
				case c.reason != "" && !repo.HasReason(a.err, c.reason):
					t.Errorf("call %d: %v, want %s", i, a.err, c.reason)
				}
			}
			want := 0
			if c.reason == "" {
				want = 2
			}
			if n := MustCount(t, l.r, "SELECT COUNT(*) FROM writes"); n != want {
				t.Errorf("%d rows, want %d", n, want)
			}
		})
	}
}

// TestCallerThatHasGone: a call whose caller does not wait any more is taken out of the line; nothing was done.
func TestCallerThatHasGone(t *testing.T) {
	l := MustHold(t)
	ctx, leave := context.WithCancel(operator())
	gone := askWithin(ctx, l, put{Item: "gone"})
	stays := ask(l, put{Item: "stays"})
	leave()
	repotest.Eventually(t, patience, "one has gone", func() bool { return l.r.Waiting() == 1 })
	l.run()
	l.succeeded(stays)
	if !errors.Is(gone.err, repo.Unavailable) || repo.HasReason(gone.err, repo.OutcomeUnknown) {
		t.Errorf("who has gone: %v", gone.err)
	}
	if n := MustCount(t, l.r, "SELECT COUNT(*) FROM writes"); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

// TestCallerThatGoesInsideAStatement ends neither the statement, nor with it the transaction: the others of the batch do
// not run again.
func TestCallerThatGoesInsideAStatement(t *testing.T) {
	j := &repotest.Journal{}
	l := MustHold(t, func(o *repo.Options) { o.Logger = j.JSON() })
	ctx, leave := context.WithCancel(operator())
	callerGoes = leave
	first := ask(l, put{Item: "first"})
	gone := askWithin(ctx, l, odd{Item: "gone", How: "its caller goes"})
	l.run()
	l.succeeded(first)
	if gone.err == nil {
		t.Error("the call whose caller has gone is carried out")
	}
	if text := j.String(); strings.Contains(text, "has ended by itself") {
		t.Errorf("the caller has ended the transaction:\n%s", text)
	}
}

// TestPoisonedCallFailsNobodyTwice: a call that ends the transaction runs alone from then on.
func TestPoisonedCallFailsNobodyTwice(t *testing.T) {
	l := MustHold(t)
	var good []*answer
	for i := range 20 {
		if i%5 == 4 {
			ask(l, odd{Item: fmt.Sprint("odd ", i), How: "end"})
			continue
		}
		good = append(good, ask(l, put{Item: fmt.Sprint(i)}))
	}
	l.run()
	l.succeeded(good...)
	if n := MustCount(t, l.r, "SELECT COUNT(*) FROM writes"); n != len(good) {
		t.Errorf("%d rows, want %d", n, len(good))
	}
}

// TestPruningIsBounded: a batch of many writes removes no more old rows than a commit may have pages.
func TestPruningIsBounded(t *testing.T) {
	l := MustHold(t)
	const old = 10_500 // and the newest 10,000 stay
	repotest.MustExec(t, l.path, `
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO writes (key, digest, mark, name, actor, topics, result, at)
		SELECT 'old ' || i, x'', randomblob(32), 'items.put', 'operator', '[]', 'null', '2020-01-01T00:00:00.000Z' FROM n`, old)
	for i := range 40 {
		ask(l, put{Item: fmt.Sprint(i)})
	}
	l.run()
	l.succeeded(l.answers...)
	if n := MustCount(t, l.r, "SELECT COUNT(*) FROM writes"); n != old+40-repo.PruneMost || l.commits != 1 {
		t.Errorf("%d rows after %d commits, want %d after 1", n, l.commits, old+40-repo.PruneMost)
	}
}

// TestLargeBulkCallGetsItsTurn: one that leaves others no half of a batch is not passed over for ever.
func TestLargeBulkCallGetsItsTurn(t *testing.T) {
	l := MustHold(t)
	large := ask(l, piece{Item: "large", Value: strings.Repeat("x", repo.MaxBatchBytes-20<<10)})
	var puts []*answer
	for i := range 3 * repo.MaxBatchCalls {
		puts = append(puts, ask(l, put{Item: fmt.Sprint(i)}))
	}
	l.run()
	l.succeeded(puts...)
	if at, second := large.receipt.Seq, puts[repo.MaxBatchCalls].receipt.Seq; large.err != nil || at > second {
		t.Errorf("the large one is row %d, %v; want it before row %d, in the second batch", at, large.err, second)
	}
}

// TestBulkCallsDoNotFillABatch: where the next of the others does not fit, bulk calls do not take its place.
func TestBulkCallsDoNotFillABatch(t *testing.T) {
	l := MustHold(t)
	var pieces []*answer
	for i := range 8 {
		pieces = append(pieces, ask(l, piece{Item: fmt.Sprint("piece ", i), Value: strings.Repeat("x", 60<<10)}))
	}
	small := ask(l, put{Item: "small"})
	large := ask(l, put{Item: "large", Value: strings.Repeat("x", 160<<10)})
	l.run()
	l.succeeded(small, large)
	l.succeeded(pieces...)
	if at, fifth := large.receipt.Seq, pieces[4].receipt.Seq; at > fifth {
		t.Errorf("the large put is row %d, behind the fifth piece's %d", at, fifth)
	}
}

// TestCommitThatHangs holds nobody whose time is up.
func TestCommitThatHangs(t *testing.T) {
	l := MustHold(t)
	hung, goOn := make(chan struct{}), make(chan struct{})
	l.commit = func(tx *sql.Tx) error { close(hung); <-goOn; return tx.Commit() }
	ctx, leave := context.WithCancel(operator())
	for i := range 3 {
		askWithin(ctx, l, put{Item: fmt.Sprint(i)})
	}
	l.release()
	<-hung
	leave()
	answered := make(chan struct{})
	go func() { l.wait.Wait(); close(answered) }()
	select {
	case <-answered:
	case <-time.After(patience):
		close(goOn)
		t.Fatal("the callers wait for a COMMIT although their time is up")
	}
	for i, a := range l.answers {
		if !repo.HasReason(a.err, repo.OutcomeUnknown) {
			t.Errorf("call %d: %v, want %s", i, a.err, repo.OutcomeUnknown)
		}
	}
	l.commit = (*sql.Tx).Commit
	close(goOn)
	repo.MustWrite(operator(), l.r, put{Item: "after"})
	if n := MustCount(t, l.r, "SELECT COUNT(*) FROM items"); n != 4 {
		t.Errorf("%d items, want 4", n)
	}
}

// TestTransactionLeftOpen: what a failure has left open on the connection costs no call.
func TestTransactionLeftOpen(t *testing.T) {
	c := MustCluster(t)
	if err := c.primary.ExecOnWriter(t.Context(), "BEGIN"); err != nil {
		t.Fatal(err)
	}
	repo.MustWrite(operator(), c.primary, put{Item: "a"})
}

// TestApplyThatEndsItsGoroutine leaves nobody waiting.
func TestApplyThatEndsItsGoroutine(t *testing.T) {
	l := MustHold(t)
	ctx, leave := context.WithCancel(operator())
	gone := askWithin(ctx, l, odd{Item: "gone", How: "end the goroutine"})
	behind := askWithin(ctx, l, put{Item: "behind"})
	l.release()
	repotest.Eventually(t, patience, "nobody waits for the committer", func() bool { return l.r.Waiting() == 0 })
	leave()
	l.wait.Wait()
	if gone.err == nil || behind.err == nil {
		t.Errorf("got %v and %v", gone.err, behind.err)
	}
}
