package upgrade_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"blog/test/cluster"
)

// The newer release's migration: a table that its command and its field write to.
const (
	migration = "migrations/99999_moods.sql"
	schema    = `-- +goose Up
CREATE TABLE moods (
  post_id INTEGER PRIMARY KEY,
  mood    TEXT NOT NULL
);
`
)

// The newer release's command.
const command = `package posts

import (
	"context"

	"blog/internal/repo"
)

// SetMood is a command that the release before does not know.
type SetMood struct {
	ID   int64  ` + "`json:\"id\"`" + `
	Mood string ` + "`json:\"mood\"`" + `
}

// Name is "posts.mood".
func (SetMood) Name() string { return "posts.mood" }

// Apply writes to the table that the newest migration has made.
func (c SetMood) Apply(ctx context.Context, tx *repo.Tx) (int64, error) {
	_, err := tx.ExecContext(ctx, "INSERT INTO moods (post_id, mood) VALUES (?, ?) ON CONFLICT (post_id) DO UPDATE SET mood = excluded.mood", c.ID, c.Mood)
	return c.ID, err
}
`

// newer builds the newer release.
func newer(t *testing.T) string {
	t.Helper()
	return cluster.BuildWith(t, "./cmd/blog", "newer-blog", map[string]string{
		migration:                schema,
		"internal/posts/mood.go": command,
		"internal/posts/rerender.go": edited(t, "internal/posts/rerender.go",
			"repo.Register[Create](),", "repo.Register[Create](), repo.Register[SetMood](),"),
		"internal/posts/create.go": edited(t, "internal/posts/create.go",
			"	rec *record\n", "	Mood string `json:\"mood,omitempty\"`\n\n	rec *record\n",
			"	return r.ref(), nil\n", `	if c.Mood != "" {
		if _, err := (SetMood{ID: r.ref().ID, Mood: c.Mood}).Apply(ctx, tx); err != nil {
			return Ref{}, err
		}
	}
	return r.ref(), nil
`),
	})
}

// edited is a file of the tree with texts replaced: old and new in turn. Each old text
// must be there once.
func edited(t *testing.T, path string, pairs ...string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(cluster.Root(t), filepath.Clean(path)))
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for pair := range slices.Chunk(pairs, 2) {
		if n := strings.Count(text, pair[0]); n != 1 {
			t.Fatalf("%s has %q %d times: this test has to follow", path, pair[0], n)
		}
		text = strings.Replace(text, pair[0], pair[len(pair)-1], 1)
	}
	return text
}
