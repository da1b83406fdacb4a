package power_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3" // the driver

	"blog/internal/apperr"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/test/cluster"
)

const patience = 60 * time.Second

// addAuthor makes the author that every post needs, by the command of an operator.
func addAuthor(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.Stdin = strings.NewReader("correct horse battery staple\n")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("add an author: %v: %s", err, text)
	}
}

// author returns the arguments of that command.
func author() []string {
	return []string{"user", "add", "ann@example.org", "--name", "Ann", "--password-file", "/dev/stdin"}
}

// ledger has what was asked for and what was acknowledged, by key. A post's title is its key.
type ledger struct {
	mu      sync.Mutex
	asked   map[string]bool
	acked   map[string]repo.Receipt
	writers int // so far; each has keys of its own
}

func newLedger() *ledger { return &ledger{asked: map[string]bool{}, acked: map[string]repo.Receipt{}} }

// write asks for one post and notes the answer.
func (l *ledger) write(ctx context.Context, c *repo.Client, key string) error {
	l.mu.Lock()
	l.asked[key] = true
	l.mu.Unlock()
	ctx = repo.As(ctx, repo.Actor{Name: repo.Operator})
	_, receipt, err := repo.Do(ctx, c, posts.Create{Title: key, Body: "Text of " + key, Publish: true}, repo.WithKey(key))
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if before, ok := l.acked[key]; ok && before.Seq != receipt.Seq {
		return fmt.Errorf("%s was acknowledged as %d, and is now %d", key, before.Seq, receipt.Seq)
	}
	l.acked[key] = receipt
	return nil
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// begin starts a writer for each client. The returned function ends them.
func (l *ledger) begin(t *testing.T, clients ...*repo.Client) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for _, c := range clients {
		l.writers++
		name := fmt.Sprintf("w%d", l.writers)
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				err := l.write(ctx, c, fmt.Sprintf("%s-%d", name, n))
				if err == nil {
					continue
				}
				if errors.Is(err, apperr.Invalid) {
					t.Errorf("%s: %v", name, err)
					return
				}
				select { // the node is off
				case <-time.After(20 * time.Millisecond):
				case <-ctx.Done():
				}
			}
		})
	}
	return func() {
		cancel()
		all.Wait()
	}
}

// mustAcks waits until so many more writes are acknowledged.
func (l *ledger) mustAcks(t *testing.T, more int) {
	t.Helper()
	want := l.count() + more
	cluster.Poll(t, patience, fmt.Sprintf("%d more writes", more), func(context.Context) error {
		if got := l.count(); got < want {
			return fmt.Errorf("%d of %d", got, want)
		}
		return nil
	})
}

// mustFinish asks once more for everything that was not acknowledged. Each write is carried out
// now, or was before.
func (l *ledger) mustFinish(t *testing.T, c *repo.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	l.mu.Lock()
	var open []string
	for key := range l.asked {
		if _, ok := l.acked[key]; !ok {
			open = append(open, key)
		}
	}
	l.mu.Unlock()
	slices.Sort(open)
	for _, key := range open {
		if err := l.write(ctx, c, key); err != nil {
			t.Fatalf("ask for %s again: %v", key, err)
		}
	}
}

// mustHold fails the test for what check returns.
func (l *ledger) mustHold(t *testing.T, path string) {
	t.Helper()
	if problems := l.check(t.Context(), path); problems != "" {
		t.Error(problems)
	}
}

// check returns what is wrong with a copy of the database, a line for each. The copy must be
// undamaged, with every acknowledged write in its place, and with nothing twice.
func (l *ledger) check(ctx context.Context, path string) string {
	rows, titles, err := readCopy(ctx, path)
	if err != nil {
		return fmt.Sprintf("%s: %v", path, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var problems []string
	note := func(format string, args ...any) { problems = append(problems, path+": "+fmt.Sprintf(format, args...)) }
	for _, key := range slices.Sorted(maps.Keys(l.acked)) {
		receipt := l.acked[key]
		if row, ok := rows[key]; !ok {
			note("%s, acknowledged as %d (%s), is lost", key, receipt.Seq, receipt.Assurance)
		} else if row.Seq != receipt.Seq || (receipt.Cursor.Seq == row.Seq && receipt.Cursor.Mark != row.Mark) {
			note("%s was acknowledged as %d, %s, and is %s", key, receipt.Seq, receipt.Cursor, row)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(l.asked)) {
		_, written := rows[key]
		if want := map[bool]int{true: 1}[written]; titles[key] != want {
			note("%d posts of %s, want %d", titles[key], key, want)
		}
	}
	return strings.Join(problems, "\n")
}

// readCopy returns the rows of writes by key, and how many posts have each title. It fails when the
// database is damaged.
func readCopy(ctx context.Context, path string) (_ map[string]repo.Cursor, _ map[string]int, err error) {
	db, err := sql.Open("sqlite3", "file:"+path+"?mode=ro&_busy_timeout=10000")
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = tx.Rollback() }() // it only reads
	var said string
	if err = tx.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&said); err != nil || said != "ok" {
		return nil, nil, errors.Join(fmt.Errorf("integrity check: %s", said), err)
	}
	rows, err := readWrites(ctx, tx)
	if err != nil {
		return nil, nil, err
	}
	titles, err := readTitles(ctx, tx)
	return rows, titles, err
}

// readWrites returns the rows of writes by key. It fails when the history has a gap.
func readWrites(ctx context.Context, tx *sql.Tx) (_ map[string]repo.Cursor, err error) {
	found, err := tx.QueryContext(ctx, "SELECT seq, key, mark FROM writes ORDER BY seq")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	rows, last := map[string]repo.Cursor{}, int64(0)
	for found.Next() {
		var c repo.Cursor
		var key string
		var mark []byte
		if err := found.Scan(&c.Seq, &key, &mark); err != nil {
			return nil, err
		}
		if c.Seq != last+1 {
			return nil, fmt.Errorf("after %d comes %d", last, c.Seq)
		}
		last = c.Seq
		c.Mark = repo.Mark(mark)
		rows[key] = c
	}
	return rows, found.Err()
}

func readTitles(ctx context.Context, tx *sql.Tx) (_ map[string]int, err error) {
	found, err := tx.QueryContext(ctx, "SELECT title, count(*) FROM posts GROUP BY title ORDER BY title")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	titles := map[string]int{}
	for found.Next() {
		var title string
		var n int
		if err := found.Scan(&title, &n); err != nil {
			return nil, err
		}
		titles[title] = n
	}
	return titles, found.Err()
}
