package bench_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"blog/internal/apperr"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/transport"
	nodes "blog/test/cluster"
)

// Goals for the time without a writer.
const (
	handOffGoal = 2 * time.Second
	killGoal    = 2 * lease
	cutGoal     = 3 * lease
)

// failover measures how long an author on another node waits when the primary is lost, and before
// that what a write from far away takes when two nodes have to have it.
func failover(b *testing.B, t *table) {
	b.Helper()
	c, transport := elected(b, nodes.Options{Nodes: 3, Proxies: true})
	far := c.Nodes[2]
	primary, _ := pair(b, c, transport)
	way := far.To(primary)
	forwarded(b, t, transport, primary, far, way, "on two nodes")
	way.Forwarding.Delay(b, 0, 0)
	way.Replication.Delay(b, 0, 0)

	w := newAuthor(b, transport, far)
	for _, f := range []struct {
		name      string
		times     int
		strike    func(n *nodes.Node)
		recover   func(n *nodes.Node)
		limit     time.Duration
		limitName string
	}{
		{"hand-off (SIGTERM)", 5, func(n *nodes.Node) {
			n.Stop(b)
		}, func(n *nodes.Node) { n.Restart(b) }, handOffGoal, "2 s"},
		{"the primary killed (SIGKILL)", 5, func(n *nodes.Node) {
			n.Kill(b)
		}, func(n *nodes.Node) { n.Restart(b) }, killGoal, "two leases"},
		{"the primary cut off from all", 3, func(n *nodes.Node) {
			c.Isolate(b, n)
		}, func(n *nodes.Node) { c.Rejoin(b, n) }, cutGoal, "three leases"},
	} {
		var gaps []time.Duration
		for range f.times {
			old, next := pair(b, c, transport)
			w.await(b, time.Now())
			struck := time.Now()
			f.strike(old)
			nodes.Poll(b, time.Minute, next.Name+" leads", func(ctx context.Context) error {
				_, err := assuranceOf(ctx, transport, next)
				return err
			})
			w.await(b, time.Now())
			gaps = append(gaps, w.gap(struck))
			f.recover(old)
		}
		most := slices.Max(gaps)
		t.add("time without a writer: "+f.name,
			fmt.Sprintf("%s, at most %s of %d", seconds(median(gaps)), seconds(most), f.times), "lease "+seconds(lease),
			fmt.Sprintf("%.2f", float64(median(gaps))/float64(lease)), goal("≤ "+f.limitName, most <= f.limit))
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// author writes one post after the other on a node, each with a key, again and again until it is
// acknowledged.
type author struct {
	mu   sync.Mutex
	acks []time.Time
}

func newAuthor(b *testing.B, t *transport.Client, n *nodes.Node) *author {
	b.Helper()
	a := &author{}
	ctx, cancel := context.WithCancel(repo.As(context.WithoutCancel(b.Context()), repo.Actor{Name: repo.Operator}))
	done := make(chan struct{})
	go func() {
		defer close(done)
		client := repo.NewClient(n.PrivateURL, t)
		for i := 0; ctx.Err() == nil; i++ {
			cmd, key := posts.Create{Title: fmt.Sprintf("Through it all %d", i), Body: text, Publish: true}, repo.NewKey()
			for ctx.Err() == nil {
				_, _, err := repo.Do(ctx, client, repo.Command[posts.Ref](cmd), repo.WithKey(key))
				if err == nil {
					a.acked()
					break
				}
				if apperr.From(err).Code != apperr.Unavailable && ctx.Err() == nil {
					b.Errorf("write on %s: %v", n.Name, err)
					return
				}
			}
		}
	}()
	b.Cleanup(func() { cancel(); <-done })
	return a
}

func (a *author) acked() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.acks = append(a.acks, time.Now())
}

// await waits for an acknowledgement after at.
func (a *author) await(b *testing.B, at time.Time) {
	b.Helper()
	nodes.Poll(b, time.Minute, "a write is acknowledged", func(context.Context) error {
		a.mu.Lock()
		defer a.mu.Unlock()
		if len(a.acks) == 0 || !a.acks[len(a.acks)-1].After(at) {
			return fmt.Errorf("%d so far", len(a.acks))
		}
		return nil
	})
}

// gap returns the longest time between two acknowledgements of which the second came after at.
func (a *author) gap(at time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	var longest time.Duration
	for i := len(a.acks) - 1; i > 0 && a.acks[i].After(at); i-- {
		longest = max(longest, a.acks[i].Sub(a.acks[i-1]))
	}
	return longest
}
