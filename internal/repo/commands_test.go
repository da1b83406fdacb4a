package repo_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mattn/go-sqlite3"

	"blog/internal/apperr"
	"blog/internal/repo"
)

// put writes one item and touches the topics that it names.
type put struct {
	Item   string   `json:"item"`
	Value  string   `json:"value,omitempty"`
	Topics []string `json:"topics,omitempty"`
}

type putResult struct {
	ID  int64  `json:"id"`
	Now string `json:"now"`
	By  string `json:"by"`
}

func (put) Name() string { return "items.put" }

func (p put) Apply(ctx context.Context, tx *repo.Tx) (putResult, error) {
	if strings.TrimSpace(p.Item) == "" {
		return putResult{}, apperr.InvalidFields(map[string]string{"item": "must not be empty"})
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO items (name, value)
		VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, p.Item, p.Value)
	if err != nil {
		return putResult{}, fmt.Errorf("put: %w", err)
	}
	for _, t := range p.Topics {
		tx.Touch(t, p.Item)
	}
	res := putResult{Now: repo.FormatTime(tx.Now()), By: tx.Actor().Name}
	err = tx.QueryRowContext(ctx, "SELECT id FROM items WHERE name = ?", p.Item).Scan(&res.ID)
	return res, err
}

// remove is another command with the wire form of put, and an empty result.
type remove put

func (remove) Name() string { return "items.remove" }

func (c remove) Apply(ctx context.Context, tx *repo.Tx) (*putResult, error) {
	_, err := tx.ExecContext(ctx, "DELETE FROM items WHERE name = ?", c.Item)
	return nil, err
}

// fail writes an item and then fails in the way that How names.
type fail struct {
	How string `json:"how"`
}

func (fail) Name() string { return "items.fail" }

// waysToFail are all values of How.
func waysToFail() []string {
	return []string{
		"invalid", "empty fields", "not found", "bare code", "wrapped code", "conflict", "unauthorized", "forbidden",
		"unavailable", "internal", "duplicate", "no such table", "panic", "too large a result",
	}
}

func (f fail) Apply(ctx context.Context, tx *repo.Tx) (string, error) {
	if _, err := tx.ExecContext(ctx, "INSERT INTO items (name, value) VALUES ('half', 'done')"); err != nil {
		return "", err
	}
	switch f.How {
	case "invalid":
		return "", apperr.InvalidFields(map[string]string{"title": "is needed", "slug": "is \"taken\" <b>"})
	case "empty fields":
		return "", &apperr.Error{Code: apperr.Invalid, Message: "m", Fields: map[string]string{}}
	case "not found":
		return "", fmt.Errorf("item 12: %w", apperr.Errorf(apperr.NotFound, "There is no item %q.", "twelve"))
	case "bare code":
		return "", apperr.NotFound
	case "wrapped code":
		return "", fmt.Errorf("item 12: %w", apperr.NotFound)
	case "conflict":
		return "", &apperr.Error{Code: apperr.Conflict, Reason: "stale", Message: "It has changed.",
			Fields: map[string]string{"revision": "7"}}
	case "unauthorized":
		return "", apperr.Errorf(apperr.Unauthorized, "Sign in again.")
	case "forbidden":
		return "", apperr.Errorf(apperr.Forbidden, "Not yours.")
	case "unavailable":
		return "", &apperr.Error{Code: apperr.Unavailable, Reason: "full", Message: "Later.", RetryAfter: 7}
	case "internal":
		return "", errors.New("the secret path /srv/x is gone")
	case "duplicate":
		_, err := tx.ExecContext(ctx, "INSERT INTO items (name, value) VALUES ('half', 'again')")
		if err != nil {
			return "", apperr.Errorf(apperr.Conflict, "There is one already.")
		}
		return "", err
	case "no such table":
		_, err := tx.ExecContext(ctx, "INSERT INTO nowhere VALUES (1)")
		return "", err
	case "io":
		return "", fmt.Errorf("half: %w", sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrWrite})
	case "panic":
		panic("the secret path /srv/x is gone")
	case "too large a result":
		return strings.Repeat("x", 5000), nil
	}
	return "", fmt.Errorf("no way to fail: %q", f.How)
}

// guess counts the items in its Prepare.
type guess struct {
	Item string `json:"item"`

	found int
}

func (guess) Name() string { return "items.guess" }

func (g guess) Prepare(ctx context.Context, v repo.Viewer) (repo.Command[int], error) {
	if g.Item == "bad" {
		return nil, apperr.InvalidFields(map[string]string{"item": "cannot be rendered"})
	}
	if g.Item == "panic" {
		panic("in Prepare")
	}
	err := v.View(ctx, func(rd repo.Reader) error {
		return rd.QueryRowContext(ctx, "SELECT COUNT(*) FROM items").Scan(&g.found)
	})
	g.found += 100
	return g, err
}

func (g guess) Apply(context.Context, *repo.Tx) (int, error) { return g.found, nil }

// create is put, whose Prepare refuses an item that is there already.
type create put

func (create) Name() string { return "items.create" }

func (c create) Prepare(ctx context.Context, v repo.Viewer) (repo.Command[putResult], error) {
	var there bool
	err := v.View(ctx, func(rd repo.Reader) error {
		return rd.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM items WHERE name = ?)", c.Item).Scan(&there)
	})
	if err == nil && there {
		err = apperr.Errorf(apperr.Conflict, "there is such an item")
	}
	return c, err
}

func (c create) Apply(ctx context.Context, tx *repo.Tx) (putResult, error) {
	return put(c).Apply(ctx, tx)
}

// loud is open to visitors, and ignores an error that has ended its transaction.
type loud struct {
	Query string `json:"query,omitempty"`
}

func (loud) Name() string { return "visitors.loud" }
func (loud) Public()      {}

func (l loud) Apply(ctx context.Context, tx *repo.Tx) (bool, error) {
	if l.Query != "" {
		_, _ = tx.ExecContext(ctx, l.Query)
		_, _ = tx.ExecContext(ctx, "INSERT INTO items (name, value) VALUES ('half', 'done')")
		var id int64
		_ = tx.QueryRowContext(ctx, "INSERT INTO items (name, value) VALUES ('more', 'done') RETURNING id").Scan(&id)
		if rows, err := tx.QueryContext(ctx,
			"INSERT INTO items (name, value) VALUES ('most', 'done') RETURNING id"); err == nil {
			defer func() { _ = rows.Close() }()
			for rows.Next() {
				_ = rows.Scan(&id)
			}
			_ = rows.Err()
		}
	}
	return true, nil
}

// idle answers NoChange after it has changed something.
type idle struct {
	Item string `json:"item"`
}

func (idle) Name() string { return "items.idle" }

func (c idle) Apply(ctx context.Context, tx *repo.Tx) (string, error) {
	_, err := tx.ExecContext(ctx, "INSERT INTO items (name, value) VALUES (?, 'x')", c.Item)
	tx.NoChange()
	return c.Item, err
}
