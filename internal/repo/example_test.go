package repo_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing/fstest"
	"time"

	"blog/internal/apperr"
	"blog/internal/litefs"
	"blog/internal/repo"
	"blog/internal/transport"
	"blog/migrations"
)

// Sign is a command: its fields are its wire form.
type Sign struct {
	Guest string `json:"guest"`
}

// Signed is the result of Sign: a reference, and nothing that is large.
type Signed struct {
	ID int64 `json:"id"`
}

// Name implements repo.Command.
func (Sign) Name() string { return "guestbook.sign" }

// Apply implements repo.Command. It checks what decides the write, and touches what readers see change.
func (s Sign) Apply(ctx context.Context, tx *repo.Tx) (Signed, error) {
	if s.Guest == "" {
		return Signed{}, apperr.InvalidFields(map[string]string{"guest": "must not be empty"})
	}
	var ref Signed
	err := tx.QueryRowContext(ctx, `
		INSERT INTO guests (name, signed_at)
		VALUES (?, ?)
		RETURNING id`, s.Guest, repo.FormatTime(tx.Now())).Scan(&ref.ID)
	if err != nil {
		return Signed{}, fmt.Errorf("sign: %w", err)
	}
	tx.Touch("guestbook", fmt.Sprint(ref.ID))
	return ref, nil
}

// openGuestbook opens a repository on a plain file, whose node is always the primary.
func openGuestbook(ctx context.Context, dir string) (*repo.Repo, error) {
	registry, err := repo.NewRegistry([]repo.Registration{repo.Register[Sign]()})
	if err != nil {
		return nil, err
	}
	writes, err := migrations.FS.ReadFile("00001_writes.sql")
	if err != nil {
		return nil, err
	}
	return repo.Open(ctx, repo.Options{
		Path:     filepath.Join(dir, "guests.db"),
		Node:     litefs.OpenStatic(),
		Registry: registry,
		Migrations: fstest.MapFS{
			"00001_writes.sql": {Data: writes},
			"00002_guests.sql": {Data: []byte("-- +goose Up\n" +
				"CREATE TABLE guests (id INTEGER PRIMARY KEY, name TEXT NOT NULL, signed_at TEXT NOT NULL);\n")},
		},
		Transport: transport.NewClient("the cluster's secret"),
		Now:       time.Now,
		Logger:    slog.New(slog.DiscardHandler),
	})
}

// mustGuestbook opens a guestbook in a folder of its own; remove closes it and deletes the folder.
func mustGuestbook(ctx context.Context) (r *repo.Repo, remove func()) {
	dir, err := os.MkdirTemp("", "guestbook-")
	if err != nil {
		panic(err)
	}
	if r, err = openGuestbook(ctx, dir); err != nil {
		panic(err)
	}
	return r, func() { _ = errors.Join(r.Close(), os.RemoveAll(dir)) }
}

// A write is a command that runs once on the primary. The same line does it on every node.
func ExampleWrite() {
	ctx := repo.As(context.Background(), repo.Actor{Name: repo.Operator})
	r, remove := mustGuestbook(ctx)
	defer remove()

	ref, err := repo.Write(ctx, r, Sign{Guest: "Ada"})
	fmt.Println(ref.ID, err)

	// An error has the same code, and the same messages by field, on whatever node the command ran.
	_, err = repo.Write(ctx, r, Sign{})
	fmt.Println(errors.Is(err, apperr.Invalid), apperr.From(err).Fields)

	// Output:
	// 1 <nil>
	// true map[guest:must not be empty]
}

// A write that is sent twice with one key happens once. The receipt says so.
func ExampleDo() {
	ctx := repo.As(context.Background(), repo.Actor{Name: repo.Operator})
	r, remove := mustGuestbook(ctx)
	defer remove()

	for range 2 {
		ref, receipt, failed := repo.Do(ctx, r, Sign{Guest: "Ada"}, repo.WithKey("form-17"))
		fmt.Println(ref.ID, receipt.Seq, receipt.Replayed, failed)
	}
	_, _, err := repo.Do(ctx, r, Sign{Guest: "Grace"}, repo.WithKey("form-17"))
	fmt.Println(apperr.HasReason(err, apperr.KeyReused))

	// Output:
	// 1 1 false <nil>
	// 1 1 true <nil>
	// true
}

// A read is one short transaction on this node's copy. Its function copies what it reads.
func ExampleRepo_View() {
	ctx := repo.As(context.Background(), repo.Actor{Name: repo.Operator})
	r, remove := mustGuestbook(ctx)
	defer remove()
	repo.MustWrite(ctx, r, Sign{Guest: "Ada"})

	var guest string
	var newest repo.Cursor
	err := r.View(ctx, func(rd repo.Reader) (err error) {
		if newest, err = repo.NewestOf(ctx, rd, "guestbook"); err != nil {
			return err
		}
		return rd.QueryRowContext(ctx, "SELECT name FROM guests ORDER BY id DESC LIMIT 1").Scan(&guest)
	})
	fmt.Println(guest, newest.Seq, err)

	// Output:
	// Ada 1 <nil>
}
