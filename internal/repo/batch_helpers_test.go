package repo_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// odd writes an item and does something beside it that must not reach other calls of its batch.
type odd struct {
	Item string `json:"item"`
	How  string `json:"how"`
}

func (odd) Name() string { return "items.odd" }

// retained is what the last odd of the kind "retain" has retained of its transaction.
var retained *repo.Tx // one test has it, and does not run beside others

// callerGoes ends the context of the caller of an odd of the kind "its caller goes".
var callerGoes func() // one test has it, and does not run beside others

// roleChanges changes the role in an odd of the kind "the role changes".
var roleChanges func() // one test has it, and does not run beside others

// endsAtAnItem makes a trigger that ends the transaction which inserts the item end.
const endsAtAnItem = "CREATE TRIGGER ending BEFORE INSERT ON items WHEN new.name = 'end' BEGIN SELECT " +
	"RAISE(ROLLBACK, 'over'); END"

// slowStep is how long a step takes that is slow and does not hang. Two are longer than a step may take.
const slowStep = repo.StepLimit * 11 / 20

// endless is a statement that writes, and takes many seconds where nothing interrupts it.
const endless = `
	DELETE FROM items
	WHERE (WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 30000000) SELECT MAX(n) FROM c) < 0`

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
		return 0, errors.Join(err, apperr.Errorf(apperr.Conflict, "No."))
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
		for began := time.Now(); time.Since(began) < 2*repo.SharedApplyLimit; {
			if err := tx.QueryRowContext(ctx, "SELECT 1").Scan(new(int)); err != nil {
				return 0, err
			}
		}
	case "slow, overlooked":
		for began := time.Now(); time.Since(began) < 2*repo.SharedApplyLimit; {
			_ = tx.QueryRowContext(ctx, "SELECT 1").Scan(new(int))
		}
	case "panic":
		panic("odd")
	case "end the goroutine":
		runtime.Goexit()
	case "refuse":
		return 0, apperr.Errorf(apperr.Conflict, "No.")
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
			_, err := tx.ExecContext(ctx, "INSERT INTO items (name, value) VALUES ('upkeep', ?) ON CONFLICT (name) DO UPDATE "+
				"SET value = excluded.value", fmt.Sprint(writes))
			return err
		})
	case "bad upkeep":
		tx.Upkeep("bad", func(ctx context.Context, tx *repo.Tx, _ int) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO items (name, value) VALUES ('bad', '')")
			return errors.Join(err, errors.New("bad upkeep"))
		})
	case "endless":
		_, err := tx.ExecContext(ctx, endless)
		return 0, err
	case "endless upkeep":
		tx.Upkeep("endless", func(ctx context.Context, tx *repo.Tx, _ int) error {
			if _, err := tx.ExecContext(ctx, "INSERT INTO items (name, value) VALUES ('upkeep', '')"); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, endless)
			return err
		})
	case "sleep":
		time.Sleep(slowStep)
	case "sleeping upkeep":
		tx.Upkeep("sleeping", func(context.Context, *repo.Tx, int) error { time.Sleep(slowStep); return nil })
	case "the role changes":
		roleChanges()
	case "ending upkeep", "sleep, ending upkeep":
		if o.How != "ending upkeep" {
			time.Sleep(slowStep)
		}
		tx.Upkeep("ending", func(ctx context.Context, tx *repo.Tx, _ int) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO items (name, value) VALUES ('end', '')")
			return err
		})
	}
	return id, nil
}

// piece is put as a bulk command.
type piece put

func (piece) Name() string { return "items.piece" }

func (piece) Bulk() {}

func (p piece) Apply(ctx context.Context, tx *repo.Tx) (putResult, error) {
	return put(p).Apply(ctx, tx)
}

// answer is the answer to a write of a line.
type answer struct {
	receipt repo.Receipt
	err     error
}

// line is a primary whose committer is blocked, so that the calls of a test are in one batch.
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
// is blocked.
func MustHold(t *testing.T, change ...func(*repo.Options)) *line {
	t.Helper()
	l := &line{T: t, path: filepath.Join(t.TempDir(), "blog.db"), commit: (*sql.Tx).Commit}
	o := options(t, l.path, repotest.NewNode(repotest.Primary()))
	for _, f := range change {
		f(&o)
	}
	l.r = repotest.MustOpen(t, o)
	repo.MustWrite(operator(), l.r, idle{Item: "x"}) // waits for the schema, and leaves nothing
	repotest.MustExec(t, l.path, endsAtAnItem)
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

// ask adds a command to the end of its queue.
func ask[R any](l *line, cmd repo.Command[R], opts ...repo.Option) *answer {
	l.Helper()
	return askWithin(operator(), l, cmd, opts...)
}

func askWithin[R any](ctx context.Context, l *line, cmd repo.Command[R], opts ...repo.Option) *answer {
	l.Helper()
	return l.await(func(a *answer) { _, a.receipt, a.err = repo.Do(ctx, l.r, cmd, opts...) })
}

// askOnce is ask without Forward: nobody asks again when the outcome is not known.
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

// run unblocks the committer and waits until all calls are answered.
func (l *line) run() {
	l.Helper()
	l.release()
	l.wait.Wait()
}

// succeeded checks that calls were executed, each with a row, in this order.
func (l *line) succeeded(as ...*answer) {
	l.Helper()
	last := int64(0)
	for i, a := range as {
		expectReplayed(l, fmt.Sprint("call ", i), a.receipt, a.err, false)
		if a.receipt.Seq <= last {
			l.Errorf("call %d: got row %d, want one after %d", i, a.receipt.Seq, last)
		}
		last = a.receipt.Seq
	}
}
