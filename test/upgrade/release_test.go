package upgrade_test

import (
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

// releases are the two programs, their versions, and the newest schema that each knows.
type releases struct {
	older, newer   string
	before, newest int64
}

// The versions: that of a build that is given none, and that of the newer release.
const (
	olderVersion = "dev"
	newerVersion = "newer"
)

// insertion puts text into a file of the tree, behind a text that is there once.
type insertion struct{ file, behind, text string }

func insertions() []insertion {
	return []insertion{
		{"cmd/blog/main.go", "var version = \"dev\"\n", "\nfunc init() { version = \"" + newerVersion + "\" }\n"},
		{"internal/posts/rerender.go", "	return []repo.Registration{\n", "		repo.Register[Endorse](),\n"},
		{"internal/posts/create.go", "type Create struct {\n", "	EndorsedBy string `json:\"endorsed_by,omitempty\"`\n"},
		{"internal/posts/create.go", "	if err := save(ctx, tx, nil, r); err != nil {\n		return Ref{}, err\n	}\n", "	if err := endorse(ctx, tx, r.id, c.EndorsedBy); err != nil {\n		return Ref{}, err\n	}\n"},
		{"cmd/blog/post.go", "type postCmd struct {\n", "	Endorse postEndorseCmd `cmd:\"\" help:\"Endorse a post.\"`\n"},
		{"cmd/blog/compose.go", "type postNewCmd struct {\n", "	EndorsedBy string `help:\"Who endorses it.\"`\n"},
		{"cmd/blog/compose.go", "	replace(&create.Author, c.Author)\n", "	replace(&create.EndorsedBy, c.EndorsedBy)\n"},
	}
}

// build builds both releases.
func build(t *testing.T) releases {
	t.Helper()
	r := releases{before: newestMigration(t), older: cluster.Build(t, "./cmd/blog")}
	r.newest = r.before + 1
	added := filepath.Join(cluster.Root(t), "test", "upgrade", "testdata", "newer")
	files := map[string]string{
		fmt.Sprintf("migrations/%05d_endorsements.sql", r.newest): mustRead(t, filepath.Join(added, "endorsements.sql")),
		"internal/posts/endorse.go":                               mustRead(t, filepath.Join(added, "posts_endorse.go")),
		"cmd/blog/endorse.go":                                     mustRead(t, filepath.Join(added, "blog_endorse.go")),
	}
	for _, in := range insertions() {
		if files[in.file] == "" {
			files[in.file] = mustRead(t, filepath.Join(cluster.Root(t), filepath.FromSlash(in.file)))
		}
		if n := strings.Count(files[in.file], in.behind); n != 1 {
			t.Fatalf("%s has %q %d times: say in insertions where %q belongs now", in.file, in.behind, n, in.text)
		}
		files[in.file] = strings.Replace(files[in.file], in.behind, in.behind+in.text, 1)
	}
	r.newer = cluster.BuildWith(t, "./cmd/blog", "newer-blog", files)
	return r
}

func newestMigration(t *testing.T) int64 {
	t.Helper()
	names, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d migrations: %v", len(names), err)
	}
	number, _, _ := strings.Cut(names[len(names)-1], "_") // in order of their names
	v, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
