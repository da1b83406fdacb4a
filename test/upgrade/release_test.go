package upgrade_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"blog/migrations"
	"blog/test/cluster"
)

// releases are the two programs, and the newest schema that each of them knows.
type releases struct {
	older, newer   string
	before, newest int64
}

// insertion inserts text into a file of the tree, behind a line that occurs once.
type insertion struct{ file, behind, text string }

func insertions() []insertion {
	return []insertion{
		{"internal/posts/rerender.go", "	return []repo.Registration{\n", "		repo.Register[Endorse](),\n"},
		{"internal/posts/create.go", "type Create struct {\n", "	EndorsedBy string `json:\"endorsed_by,omitempty\"`\n"},
		{
			"internal/posts/create.go", "	if err := save(ctx, tx, nil, r); err != nil {\n		return Ref{}, err\n	}\n",
			"	if err := endorse(ctx, tx, r.id, c.EndorsedBy); err != nil {\n		return Ref{}, err\n	}\n",
		},
		{"cmd/blog/post.go", "type postCmd struct {\n", "	Endorse postEndorseCmd `cmd:\"\" help:\"Endorse a post.\"`\n"},
		{"cmd/blog/compose.go", "type postNewCmd struct {\n", "	EndorsedBy string `help:\"Who endorses it.\"`\n"},
		{"cmd/blog/compose.go", "	replace(&create.Author, c.Author)\n", "	replace(&create.EndorsedBy, c.EndorsedBy)\n"},
	}
}

// build builds both releases.
func build(t *testing.T) releases {
	t.Helper()
	r := releases{before: newestMigration(t)}
	r.newest = r.before + 1
	r.older = cluster.BuildAs(t, "./cmd/blog", "blog-older", "-ldflags", "-X main.version=older")
	r.newer = cluster.BuildAs(t, "./cmd/blog", "blog-newer", "-ldflags", "-X main.version=newer", "-overlay",
		overlay(t, r.newest))
	return r
}

func newestMigration(t *testing.T) int64 {
	t.Helper()
	names, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d migrations: %v, want no error and not 0", len(names), err)
	}
	number, _, _ := strings.Cut(names[len(names)-1], "_") // sorted by name
	v, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// overlay writes the files of the newer release that replace files of the tree, or are added to
// them, and returns the file for `go build -overlay`.
func overlay(t *testing.T, version int64) string {
	t.Helper()
	root, dir := cluster.Root(t), t.TempDir()
	testdata := filepath.Join(root, "test", "upgrade", "testdata", "newer")
	replaced := map[string]string{ // by path in the tree
		filepath.Join(root, "migrations", fmt.Sprintf("%05d_endorsements.sql", version)): filepath.Join(testdata,
			"endorsements.sql"),
		filepath.Join(root, "internal", "posts", "endorse.go"): filepath.Join(testdata,
			"posts_endorse.go"),
		filepath.Join(root, "cmd", "blog", "endorse.go"): filepath.Join(testdata,
			"blog_endorse.go"),
	}
	for _, in := range insertions() {
		file := filepath.Join(root, filepath.FromSlash(in.file))
		from := file
		if replaced[file] != "" {
			from = replaced[file]
		}
		text := mustRead(t, from)
		if strings.Count(text, in.behind) != 1 {
			t.Fatalf("%s does not have exactly one %q: say in insertions where %q belongs now", in.file, in.behind, in.text)
		}
		replaced[file] = filepath.Join(dir, strings.ReplaceAll(in.file, "/", "-"))
		mustWrite(t, replaced[file], strings.Replace(text, in.behind, in.behind+in.text, 1))
	}
	list, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "overlay.json")
	mustWrite(t, path, string(list))
	return path
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func mustWrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
