package repo

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"blog/internal/sqlite"
)

// Tx is one call's part of a transaction, which Apply neither begins nor ends. It is a Reader too, so that the queries
// of a package serve its commands. After Apply has returned it refuses everything.
type Tx struct {
	tx              *sql.Tx
	conn            *sql.Conn // what tx is on
	call            *Call
	last            head
	now             time.Time
	reset           func(force bool) (time.Time, error)
	touches         []Touch
	noChange        bool
	mayPrepareAgain bool
	upkeep          map[string]Upkeep

	rewritten int64 // bytes, by Rewrites

	// guard returns why no further statement may run, such as that the caller has gone. Nil: every statement may.
	guard func() error
	// statement returns the context that SQLite gets in the place of the one that Apply gives: a context that ends
	// while a statement writes ends the whole transaction.
	statement func(ctx context.Context) context.Context

	mu      sync.Mutex // statements run one at a time, and none after the end
	ended   bool
	stopped error // of guard, the first
}

// head is the newest row that a transaction has found.
type head struct {
	cursor Cursor
	at     time.Time
}

// Touch names something that a write has changed for readers. Topic is what pages
// and sockets subscribe to. Subject is the entry of it, such as a post's id in a list;
// it is empty when the topic is one thing.
type Touch struct {
	Topic   string `json:"t"`
	Subject string `json:"s,omitempty"`
}

// ExecContext runs a statement that changes rows. It refuses statements that begin or end a transaction, or attach a
// database.
func (tx *Tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if err := tx.permit(query); err != nil {
		return nil, err
	}
	return tx.tx.ExecContext(tx.statement(ctx), query, args...)
}

// QueryContext is sql.Tx's. A query may write as well: INSERT ... RETURNING. Rows that Apply leaves open are closed
// when it has returned.
func (tx *Tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if err := tx.permit(query); err != nil {
		return nil, err
	}
	return tx.tx.QueryContext(tx.statement(ctx), query, args...) //nolint:sqlclosecheck // the caller does, or end
}

// QueryRowContext is sql.Tx's. When no further statement may run, Scan returns context.Canceled: a Row cannot carry
// another error.
func (tx *Tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if err := tx.permit(query); err != nil {
		over, cancel := context.WithCancelCause(ctx)
		cancel(err)
		return tx.tx.QueryRowContext(over, query, args...)
	}
	return tx.tx.QueryRowContext(tx.statement(ctx), query, args...)
}

// errReturned says that a Tx was used after its Apply had returned: the statement would have run in another call's part
// of the transaction.
var errReturned = errors.New("this Tx has ended: its Apply has returned")

// permit fails when a statement may not run. Apply cannot ignore that: stopped is checked after it.
func (tx *Tx) permit(query string) error {
	if tx.ended {
		return errReturned
	}
	if tx.stopped == nil && tx.guard != nil {
		tx.stopped = tx.guard()
	}
	if keyword := sqlite.TransactionKeyword(query); keyword != "" && tx.stopped == nil {
		tx.stopped = fmt.Errorf("%s is not for Apply: the transaction is not its own", keyword)
	}
	if tx.stopped != nil {
		return tx.stopped
	}
	return tx.checkAlive()
}

// end makes the Tx refuse everything.
func (tx *Tx) end() {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	tx.ended = true
}

// checkAlive fails when SQLite has rolled the transaction back by itself. SQLite does that when
// a statement meets a full disk, an I/O error or an interruption. If Apply ignored that error,
// each further statement would be committed by itself.
func (tx *Tx) checkAlive() error {
	if sqlite.Autocommit(tx.conn) {
		return fail(atApply, errRolledBack, "")
	}
	return nil
}

// Now returns the time of this write: UTC, whole milliseconds, never earlier than the write
// before it, whatever the clocks of two primaries say. Only after Redate may it be earlier.
func (tx *Tx) Now() time.Time { return tx.now }

// Actor returns who asked for this write.
func (tx *Tx) Actor() Actor { return tx.call.Actor }

// Touch records that readers of topic see a change in subject. A command may touch only what
// is visible to readers, or was until this write.
func (tx *Tx) Touch(topic, subject string) {
	t := Touch{Topic: topic, Subject: subject}
	if !slices.Contains(tx.touches, t) {
		tx.touches = append(tx.touches, t)
	}
}

// NoChange says that the command has found nothing to do. Its result is the answer, at the
// position of the newest row that it saw. No row is appended, the key stays free, and
// everything that Apply has done is rolled back.
func (tx *Tx) NoChange() { tx.noChange = true }

// PrepareAgain returns the error for an Apply that cannot use what Prepare has read, because
// that has changed. Apply returns this error; its transaction is rolled back, and the call is
// prepared and applied once more. PrepareAgain returns nil when the call has been prepared often
// enough, or its command has no Prepare: then Apply goes on without, or refuses.
func (tx *Tx) PrepareAgain() error {
	if tx.mayPrepareAgain {
		return errPrepareAgain
	}
	return nil
}

// errPrepareAgain never leaves this package: the execution prepares the call again.
var errPrepareAgain = errors.New("what was prepared does not hold any more")

// TimeFormat is how times are stored: RFC 3339 in UTC with milliseconds, fixed
// width, so that text compares as time does.
const TimeFormat = "2006-01-02T15:04:05.000Z"

// FormatTime returns t as it is stored.
func FormatTime(t time.Time) string { return t.UTC().Format(TimeFormat) }

// ParseTime reads what FormatTime wrote.
func ParseTime(s string) (time.Time, error) {
	t, err := time.Parse(TimeFormat, s)
	if err != nil {
		return t, fmt.Errorf("stored time: %w", err)
	}
	return t, nil
}

func newestRow(ctx context.Context, rd Reader) (head, error) {
	var h head
	var mark []byte
	var at string
	err := rd.QueryRowContext(ctx, "SELECT seq, mark, at FROM writes ORDER BY seq DESC LIMIT 1").Scan(&h.cursor.Seq,
		&mark, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return head{}, nil
	}
	if err != nil {
		return head{}, fmt.Errorf("read newest write: %w", err)
	}
	if h.cursor.Mark, err = scanMark(mark); err != nil {
		return head{}, err
	}
	h.at, err = ParseTime(at)
	return h, err
}

// maxResult bounds the result in a row, in bytes: a result is a reference, never a post's text.
const maxResult = 4 << 10

// record appends the row of this write and moves its topics to that row. It returns the row's position.
func (tx *Tx) record(ctx context.Context, dig []byte, result json.RawMessage) (Cursor, error) {
	if len(result) > maxResult {
		return Cursor{}, fmt.Errorf("result of %s has %d bytes, at most %d are kept", tx.call.Name, len(result), maxResult)
	}
	touches, err := json.Marshal(append([]Touch{}, tx.touches...)) // none is [], not null
	if err != nil {
		return Cursor{}, fmt.Errorf("encode topics: %w", err)
	}
	mark := nextMark(tx.last.cursor.Mark, tx.call.Key)
	var seq int64
	err = tx.QueryRowContext(ctx, `
		INSERT INTO writes (key, digest, mark, name, actor, topics, result, at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		RETURNING seq`,
		tx.call.Key, dig, mark[:], tx.call.Name, tx.call.Actor.Name, string(touches), string(result),
		FormatTime(tx.now)).Scan(&seq)
	if err != nil {
		return Cursor{}, fmt.Errorf("record write: %w", err)
	}
	for _, t := range tx.touches {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO topics (topic, seq, mark)
			VALUES (?, ?, ?)
			ON CONFLICT (topic) DO UPDATE SET seq = excluded.seq, mark = excluded.mark`, t.Topic, seq, mark[:])
		if err != nil {
			return Cursor{}, fmt.Errorf("record topic %s: %w", t.Topic, err)
		}
	}
	return Cursor{Seq: seq, Mark: mark}, nil
}

func nextMark(before Mark, key string) Mark {
	h := sha256.New()
	var salt [16]byte
	_, _ = rand.Read(salt[:]) // never fails: crypto/rand ends the program instead
	h.Write(before[:])
	h.Write([]byte(key))
	h.Write(salt[:])
	return Mark(h.Sum(nil))
}

// Retention of rows: Honoured is for how long a key is known at the least.
const (
	Honoured     = 30 * 24 * time.Hour
	retainNewest = 10_000
	pruneStep    = 20 // rows removed for each write at the most
	// pruneMost is how many are removed by one transaction: each may change a page of its own of the index by key.
	// One for each write would be enough to keep up.
	pruneMost = 64
)

// prune removes the oldest rows that are past Honoured, counted from the newest
// row (so that a long pause or a wrong clock does not empty the table), but
// never one of the newest 10,000.
func prune(ctx context.Context, tx *Tx, writes int) error {
	_, err := tx.ExecContext(ctx, `
		DELETE FROM writes
		WHERE seq IN (SELECT seq FROM (SELECT seq, at FROM writes ORDER BY seq LIMIT ?) WHERE at < ? AND seq <= ?)`,
		min(pruneStep*writes, pruneMost), FormatTime(tx.last.at.Add(-Honoured)), tx.last.cursor.Seq-retainNewest)
	if err != nil {
		return fmt.Errorf("prune writes: %w", err)
	}
	return nil
}
