package repo

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Row is one write as readers of the history see it.
type Row struct {
	Cursor  Cursor
	Name    string
	Actor   string
	Touches []Touch
	Result  json.RawMessage
	At      time.Time
}

// Newest returns the position of the newest write, the zero Cursor when there is none.
func Newest(ctx context.Context, rd Reader) (Cursor, error) {
	h, err := newestRow(ctx, rd)
	return h.cursor, err
}

// NewestOf returns the position of the newest write that touched one of the
// topics, the zero Cursor when none did. It outlives the row it came from.
func NewestOf(ctx context.Context, rd Reader, topics ...string) (Cursor, error) {
	list, err := json.Marshal(topics)
	if err != nil {
		return Cursor{}, fmt.Errorf("encode topics: %w", err)
	}
	var c Cursor
	var mark []byte
	err = rd.QueryRowContext(ctx, `
		SELECT seq, mark
		FROM topics
		WHERE topic IN (SELECT value FROM json_each(?))
		ORDER BY seq DESC
		LIMIT 1`, string(list)).Scan(&c.Seq, &mark)
	if errors.Is(err, sql.ErrNoRows) {
		return Cursor{}, nil
	}
	if err != nil {
		return Cursor{}, fmt.Errorf("read newest write of topics: %w", err)
	}
	c.Mark, err = scanMark(mark)
	return c, err
}

// Place is where a cursor stands relative to this copy's history.
type Place int

// The places.
const (
	Here      Place = iota // in this history, as far as the rows that are stored show
	Ahead                  // newer than this copy: it may still arrive
	Elsewhere              // in another history: this seq has another mark here
	Forgotten              // its row has been pruned
)

// Locate returns where c stands in rd's copy. A cursor whose row was pruned is still Here
// when it is the newest position of a topic.
func Locate(ctx context.Context, rd Reader, c Cursor) (Place, error) {
	if c.Zero() {
		return Here, nil
	}
	var mark []byte
	err := rd.QueryRowContext(ctx, `
		SELECT mark FROM writes WHERE seq = ?1
		UNION ALL
		SELECT mark FROM topics WHERE seq = ?1
		LIMIT 1`, c.Seq).Scan(&mark)
	switch {
	case err == nil:
		m, merr := scanMark(mark)
		if merr == nil && m != c.Mark {
			return Elsewhere, nil
		}
		return Here, merr
	case !errors.Is(err, sql.ErrNoRows):
		return Here, fmt.Errorf("locate cursor: %w", err)
	}
	newest, err := Newest(ctx, rd)
	if err != nil {
		return Here, err
	}
	if c.Seq > newest.Seq {
		return Ahead, nil
	}
	return Forgotten, nil
}

// ErrResync says that the rows after a cursor cannot be listed: the cursor is in another
// history, or the rows are too many, or some of them have been pruned.
var ErrResync = errors.New("the history after this cursor cannot be listed")

// maxReplay is how many rows After reads at the most. Beyond that it is less work to fetch the
// page again.
const maxReplay = 2_000

// After returns the writes after c that touched one of the topics, oldest first, with only
// those touches. A cursor whose topics have not been touched since is current, however old it
// is, even if its row was pruned, so that nothing here shows whether it was in this history.
// After fails with ErrResync when the rows cannot be listed. rd must be one View.
func After(ctx context.Context, rd Reader, c Cursor, topics []string) ([]Row, error) {
	place, err := Locate(ctx, rd, c)
	if err != nil {
		return nil, err
	}
	if place == Elsewhere || place == Ahead {
		return nil, ErrResync
	}
	newest, err := NewestOf(ctx, rd, topics...)
	if err != nil {
		return nil, err
	}
	if newest.Seq <= c.Seq {
		return nil, nil
	}
	rows, err := rowsAfter(ctx, rd, c.Seq, maxReplay+1)
	if err != nil {
		return nil, err
	}
	// The oldest row found shows whether a row after c has been pruned.
	if len(rows) > maxReplay || len(rows) == 0 || rows[0].Cursor.Seq != c.Seq+1 {
		return nil, ErrResync
	}
	return onTopics(rows, topics), nil
}

func onTopics(rows []Row, topics []string) []Row {
	want := make(map[string]bool, len(topics))
	for _, t := range topics {
		want[t] = true
	}
	var out []Row
	for _, row := range rows {
		var touches []Touch
		for _, t := range row.Touches {
			if want[t.Topic] {
				touches = append(touches, t)
			}
		}
		if touches != nil {
			row.Touches = touches
			out = append(out, row)
		}
	}
	return out
}

func rowsAfter(ctx context.Context, rd Reader, seq int64, limit int) (_ []Row, err error) {
	rows, err := rd.QueryContext(ctx, `
		SELECT seq, mark, name, actor, topics, result, at
		FROM writes
		WHERE seq > ?
		ORDER BY seq
		LIMIT ?`, seq, limit)
	if err != nil {
		return nil, fmt.Errorf("read writes: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []Row
	for rows.Next() {
		var r Row
		var mark []byte
		var topics, result, at string
		if err = rows.Scan(&r.Cursor.Seq, &mark, &r.Name, &r.Actor, &topics, &result, &at); err != nil {
			return nil, fmt.Errorf("read writes: %w", err)
		}
		r.Result = json.RawMessage(result)
		if r.Cursor.Mark, err = scanMark(mark); err != nil {
			return nil, err
		}
		if err = json.Unmarshal([]byte(topics), &r.Touches); err != nil {
			return nil, fmt.Errorf("topics of write %d: %w", r.Cursor.Seq, err)
		}
		if r.At, err = ParseTime(at); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read writes: %w", err)
	}
	return out, nil
}
