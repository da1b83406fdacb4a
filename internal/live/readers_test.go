package live_test

import (
	"context"
	"testing"
	"time"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// TestReadersDoNotHoldUpTheFeed: answers to writes wait for the feed, and the feed for the
// hub, which must not wait for readers who use all the connections that there are for them.
func TestReadersDoNotHoldUpTheFeed(t *testing.T) {
	s := MustSite(t, change{})
	c := MustFollow(t, s, "posts", MustDo(t, s, post(1, "a", "A")).String())
	const readers = 50 // more than there are connections
	reading, end := make(chan struct{}, readers), make(chan struct{})
	ended := make(chan error, readers)
	for range readers {
		go func() {
			ended <- s.repo.View(t.Context(), func(repo.Reader) error {
				reading <- struct{}{}
				<-end
				return nil
			})
		}()
	}
	<-reading
	repotest.Eventually(t, patience, "all connections are in use", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		return s.repo.View(ctx, func(repo.Reader) error { return nil }) != nil
	})
	MustChange(t, c, MustDo(t, s, post(1, "a", "B")))
	close(end)
	for range readers {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
