package journey_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"blog/internal/posts"
	"blog/internal/repo"
	"blog/test/cluster"
)

// TestReadersDoNotStopReplication: LiteFS applies a transaction when nobody reads. Readers of a
// replica who ask for slow pages without a pause must not delay a new post for ever.
func TestReadersDoNotStopReplication(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Nodes: 2})
	replica := c.Replicas()[0]
	ctx, client := operator(t, c, c.Primary())
	if a, code := blog(t, c.Primary(), password, "user", "add", email, "--name", "Ada", "--password-file",
		"-"); code != 0 {
		t.Fatalf("exit %d: %+v, want 0", code, a)
	}
	const many = 100
	text := longText()
	for i := range many {
		write(ctx, t, client, posts.Create{
			Title: fmt.Sprint("Number ", i), Slug: fmt.Sprint("number-", i), Body: text, Publish: true,
		})
	}
	seen := func(slug string) {
		t.Helper()
		begun := time.Now()
		cluster.Poll(t, 15*time.Second, slug+" is on the replica", func(ctx context.Context) error {
			p, err := newVisitor(t).try(ctx, http.MethodGet, replica.PublicURL+"/posts/"+slug, nil)
			if err == nil && p.status != http.StatusOK {
				err = fmt.Errorf("status %d", p.status)
			}
			return err
		})
		t.Logf("%s was there after %s", slug, time.Since(begun))
	}
	seen(fmt.Sprint("number-", many-1))

	answered := searchWithoutPause(t, replica)
	for i := range 3 {
		slug := fmt.Sprint("in-the-storm-", i)
		write(ctx, t, client, posts.Create{Title: slug, Slug: slug, Body: "Here.", Publish: true})
		seen(slug)
	}
	t.Logf("%d searches were answered", answered.Load())
}

// searchWithoutPause makes readers of a node search until the test ends. It returns how many searches were answered so
// far, once at least one was.
func searchWithoutPause(t *testing.T, replica *cluster.Node) *atomic.Int64 {
	t.Helper()
	storm, calm := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	t.Cleanup(func() { calm(); readers.Wait() })
	answered := new(atomic.Int64)
	for reader := range 8 {
		readers.Go(func() {
			v := newVisitor(t)
			for i := 0; storm.Err() == nil; i++ {
				// Each search is another one, so that no cache answers it.
				address := fmt.Sprintf("%s/search?q=a*+OR+e*+OR+t*+OR+s*+OR+n%dx%d", replica.PublicURL, reader, i)
				p, err := v.try(storm, http.MethodGet, address, nil)
				switch {
				case err == nil && (p.status == http.StatusOK || p.status == http.StatusServiceUnavailable):
					answered.Add(1)
				case storm.Err() == nil:
					t.Errorf("a search: status %d, %v", p.status, err)
					return
				}
			}
		})
	}
	cluster.Poll(t, patience, "the searches run", func(context.Context) error {
		if answered.Load() == 0 {
			return errors.New("none was answered")
		}
		return nil
	})
	return answered
}

func write[R any](ctx context.Context, t *testing.T, w repo.Writer, cmd repo.Command[R]) {
	t.Helper()
	if _, err := repo.Write(ctx, w, cmd); err != nil {
		t.Fatal(err)
	}
}

// longText returns a text in which a search takes long to mark its hits.
func longText() string {
	text := ""
	for i := range 1500 {
		text += fmt.Sprintf("apple%d earth%d time%d sun%d\n", i, i, i, i)
	}
	return text
}
