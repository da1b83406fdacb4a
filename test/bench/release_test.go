package bench_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blog/internal/repo"
	"blog/test/cluster"
)

// releaseGoal is how long a write of one writer may take, compared with the release before.
const releaseGoal = 1.05

// releases compares one writer with the same at the release before, which is built from the commit
// that the variable BASE names: on a plain file, and acknowledged on two nodes. The two take turns.
// Without BASE there is nothing to compare with, and the table says so.
func releases(b *testing.B, t *table) {
	b.Helper()
	base := os.Getenv("BASE")
	if base == "" {
		t.add("posts.create by 1, against the release before", "not measured: BASE names no commit", "", "", "")
		return
	}
	before, now := buildCommit(b, base), build(b, "./cmd/blog")
	what := fmt.Sprintf("%.12s", base)
	b.Run("plain", func(b *testing.B) {
		old, _, _ := plainWriter(b, before)
		new, _, _ := plainWriter(b, now)
		alternate(b, t, "a plain file", what, old, new, repo.Local)
	})
	b.Run("two", func(b *testing.B) {
		var writers []repo.Writer
		for _, binary := range []string{before, now} {
			c, transport := elected(b, cluster.Options{Nodes: 2, Binary: binary})
			primary, _ := pair(b, c, transport)
			writers = append(writers, repo.NewClient(primary.PrivateURL, transport))
		}
		alternate(b, t, "acknowledged on two nodes", what, writers[0], writers[1], repo.Two)
	})
}

// alternate makes one writer write at the release before and at this one in turns. The ratio is the
// median of the ratios of the turns' medians.
func alternate(b *testing.B, t *table, where, base string, before, now repo.Writer, meant repo.Assurance) {
	b.Helper()
	const turns, lasting = 9, 1500 * time.Millisecond
	publish(b, before, 1, time.Second, meant)
	publish(b, now, 1, time.Second, meant)
	var old, new []time.Duration
	var ratios []float64
	for turn := range turns {
		order := []repo.Writer{before, now}
		if turn%2 == 1 { // neither has the advantage of coming first
			order = []repo.Writer{now, before}
		}
		took := map[repo.Writer]time.Duration{}
		for _, w := range order {
			took[w] = median(publish(b, w, 1, lasting, meant).took)
		}
		old, new = append(old, took[before]), append(new, took[now])
		ratios = append(ratios, float64(took[now])/float64(took[before]))
	}
	t.add("posts.create by 1, against the release before, "+where+": p50",
		ms(median(new)), base+" "+ms(median(old)), fmt.Sprintf("%.2f", median(ratios)),
		goal(fmt.Sprintf("≤ %.2f", releaseGoal), median(ratios) <= releaseGoal))
}

// buildCommit compiles cmd/blog as of a commit, in a temporary worktree.
func buildCommit(b *testing.B, commit string) string {
	b.Helper()
	root := cluster.Root(b)
	tree, out := filepath.Join(b.TempDir(), "tree"), filepath.Join(root, ".cache", "bench", "blog-before")
	command := func(dir, name string, args ...string) {
		b.Helper()
		cmd := exec.CommandContext(b.Context(), name, args...) // #nosec G204 G702 -- programs of this file's choice
		cmd.Dir = dir
		if text, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, text)
		}
	}
	command(root, "git", "worktree", "add", "--detach", tree, commit)
	defer command(root, "git", "worktree", "remove", "--force", tree)
	command(tree, "go", "build", "-tags", "sqlite_fts5", "-o", out, "./cmd/blog")
	return out
}
