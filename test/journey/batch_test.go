package journey_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/transport"
	"blog/test/cluster"
)

// TestBatchesAreSmallUnderLiteFS: when many writers change long posts at the same time, no
// transaction of megabytes is sent, also when neither the journal nor the file shows how much is
// changed.
func TestBatchesAreSmallUnderLiteFS(t *testing.T) {
	const writers, kilobytes = 12, 90
	c := cluster.Start(t, cluster.Options{Nodes: 1})
	firstAuthor(t, c, c.Primary())
	asks := transport.NewClient(c.Secret)
	defer asks.Close()
	w := repo.NewClient(c.Primary().PrivateURL, asks)
	ctx := repo.As(t.Context(), repo.Actor{Name: repo.Operator})
	text := func(filler string) string {
		return strings.Repeat(strings.Repeat(filler+" ", 100)+"\n\n", kilobytes*1000/600)
	}
	refs := make([]posts.Ref, writers)
	eachAtOnce(t, writers, func(i int) (err error) {
		create := posts.Create{Title: fmt.Sprintf("Long %d", i), Body: text("prose")}
		refs[i], err = repo.Write(ctx, w, repo.Command[posts.Ref](create))
		return err
	})
	body, title := text("other"), "Another title, which is longer"
	for _, change := range []struct {
		name   string
		update posts.Update
		most   int64 // bytes
	}{
		{"body", posts.Update{Body: &body}, 512 << 10}, // two of them are more than a batch may have
		// The row is written again, to pages that the row before has left. That is known only
		// afterwards, so one row may exceed the bound.
		{"title", posts.Update{Title: &title}, 512<<10 + 4*kilobytes*1000},
	} {
		before := transactions(t, c.Primary())
		eachAtOnce(t, writers, func(i int) (err error) {
			u := change.update
			u.Target, u.Revision = posts.Target{ID: refs[i].ID}, refs[i].Revision
			refs[i], err = repo.Write(ctx, w, repo.Command[posts.Ref](u))
			return err
		})
		batches, largest := 0, int64(0)
		for name, size := range transactions(t, c.Primary()) {
			if before[name] == 0 {
				batches, largest = batches+1, max(largest, size)
			}
		}
		if batches < 2 || largest > change.most {
			t.Errorf("%s: %d changes are %d transactions, the largest of %d bytes; want at most %d bytes",
				change.name, writers, batches, largest, change.most)
		}
		t.Logf("%s: %d transactions, the largest of %d bytes", change.name, batches, largest)
	}
}

// eachAtOnce runs do n times at the same time, and fails when one of them does.
func eachAtOnce(t *testing.T, n int, do func(i int) error) {
	t.Helper()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if err := do(i); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	all.Wait()
}

// transactions returns the sizes, in bytes, of LiteFS's files of transactions.
func transactions(t *testing.T, n *cluster.Node) map[string]int64 {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(n.Data, "dbs", filepath.Base(n.Database), "ltx", "*.ltx"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d transactions: %v, want no error and not 0", len(paths), err)
	}
	sizes := map[string]int64{}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		sizes[path] = info.Size()
	}
	return sizes
}
