package bench_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"blog/internal/app"
	"blog/internal/posts"
	"blog/internal/repo"
	nodes "blog/test/cluster"
)

// Goals of many writers: 64 against one, on two nodes and on a plain file, and the slowest of a hundred against the
// median.
const (
	twoNodesGoal  = 8.0
	plainFileGoal = 4.0
	tailGoal      = 3.0
)

// crowds are how many write at once.
var crowds = []int{1, 8, 64}

// writings are what writers have got done.
type writings struct {
	perSecond float64
	took      []time.Duration
}

func (w writings) String() string {
	return fmt.Sprintf("%.0f/s, %s / %s, longest %s", w.perSecond, ms(median(w.took)), ms(quantile(w.took, 0.99)), ms(quantile(w.took, 1)))
}

// publish has n writers publish posts of 1.5 KB at once, one after the other each, for a while. Answers that rest on
// something else than is meant fail the benchmark.
func publish(b *testing.B, w repo.Writer, n int, lasting time.Duration, meant repo.Assurance) writings {
	b.Helper()
	ctx, cancel := context.WithTimeout(repo.As(b.Context(), repo.Actor{Name: repo.Operator}), lasting+time.Minute)
	defer cancel()
	var mu sync.Mutex
	var all writings
	var errs []error
	var number atomic.Int64
	var writers sync.WaitGroup
	start := time.Now()
	for range n {
		writers.Go(func() {
			var took []time.Duration
			var err error
			for err == nil && time.Since(start) < lasting {
				began := time.Now()
				var receipt repo.Receipt
				cmd := posts.Create{Title: fmt.Sprintf("Crowd of %d, %d, %s", n, number.Add(1), began.Format("150405.000000")), Body: text, Publish: true}
				_, receipt, err = repo.Do(ctx, w, repo.Command[posts.Ref](cmd))
				if err == nil && receipt.Assurance != meant {
					err = fmt.Errorf("an answer rests on %q, want %q", receipt.Assurance, meant)
				}
				took = append(took, time.Since(began))
			}
			mu.Lock()
			defer mu.Unlock()
			all.took, errs = append(all.took, took...), append(errs, err)
		})
	}
	writers.Wait()
	if err := errors.Join(errs...); err != nil {
		b.Fatal(err)
	}
	all.perSecond = float64(len(all.took)) / time.Since(start).Seconds()
	return all
}

// crowd measures 1, 8 and 64 writers at w in turns, and adds a row for each.
func crowd(b *testing.B, t *table, where string, w repo.Writer, meant repo.Assurance, most float64) {
	b.Helper()
	const turns, lasting = 3, 3 * time.Second
	publish(b, w, 1, time.Second, meant) // warms up
	of := map[int][]writings{}
	for range turns {
		for _, n := range crowds {
			of[n] = append(of[n], publish(b, w, n, lasting, meant))
		}
	}
	for _, n := range crowds {
		var all writings
		var times []float64
		for i, w := range of[n] {
			all.took = append(all.took, w.took...)
			all.perSecond += w.perSecond / turns
			times = append(times, w.perSecond/of[1][i].perSecond)
		}
		against, ratio, aim := "", "", ""
		if n > 1 {
			against, ratio = "one writer", fmt.Sprintf("%.1f", median(times))
		}
		if n == crowds[len(crowds)-1] {
			tail := float64(quantile(all.took, 0.99)) / float64(median(all.took))
			aim = goal(fmt.Sprintf("p99 ≤ %.0f × p50", tailGoal), tail <= tailGoal)
			if most > 0 {
				aim = goal(fmt.Sprintf("≥ %.0f", most), median(times) >= most) + "; " + aim
			}
		}
		t.add(fmt.Sprintf("posts.create by %d, %s: p50 / p99", n, where), all.String(), against, ratio, aim)
	}
}

// many measures how many posts are published a second by one and by many writers.
func many(b *testing.B, t *table) {
	b.Helper()
	b.Run("plain", func(b *testing.B) {
		s := newSite(b)
		s.serve(b)
		transport := repo.NewTransport(s.secret(b))
		b.Cleanup(transport.Close)
		crowd(b, t, "a plain file", repo.NewClient(s.private(), transport), repo.Local, plainFileGoal)
	})
	b.Run("litefs", func(b *testing.B) {
		c, transport := regions(b)
		crowd(b, t, "LiteFS, this node's disk", repo.NewClient(c.Primary().PrivateURL, transport), repo.Local, 0)
	})
	b.Run("two", func(b *testing.B) {
		c, transport := elected(b, nodes.Options{Nodes: 3, Proxies: true})
		primary, _ := pair(b, c, transport)
		crowd(b, t, "acknowledged on two nodes", repo.NewClient(primary.PrivateURL, transport), repo.Two, twoNodesGoal)
		away := c.Nodes[2]
		way := away.To(primary)
		way.Forwarding.Delay(b, oneWay, oneWay)
		way.Replication.Delay(b, oneWay, oneWay)
		crowd(b, t, "the same, forwarded from 80 ms away", repo.NewClient(away.PrivateURL, transport), repo.Two, 0)
	})
}

// private is the address of the site's private listener.
func (s *site) private() string { return "http://" + s.variable("PRIVATE_ADDR") }

// secret is the token that the site's server has made for it.
func (s *site) secret(tb testing.TB) string {
	tb.Helper()
	secret, err := app.Config{DatabasePath: s.variable("DATABASE_PATH")}.Secret()
	if err != nil {
		tb.Fatal(err)
	}
	return secret
}

// variable returns what the site's environment has under a name.
func (s *site) variable(name string) string {
	for _, v := range s.env {
		if value, found := strings.CutPrefix(v, name+"="); found {
			return value
		}
	}
	return ""
}
