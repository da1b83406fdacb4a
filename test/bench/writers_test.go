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
	"blog/internal/transport"
	nodes "blog/test/cluster"
)

// Goals of many writers: 64 compared with one, on two nodes and on a plain file, and the slowest of
// a hundred compared with the median.
const (
	twoNodesGoal  = 8.0
	plainFileGoal = 4.0
	tailGoal      = 3.0
)

// writerCounts are the numbers of writers that write at the same time.
var writerCounts = []int{1, 8, 64}

// writings is what writers have done.
type writings struct {
	perSecond float64
	took      []time.Duration
}

func (w writings) String() string {
	return fmt.Sprintf("%.0f/s, %s / %s, longest %s", w.perSecond, ms(median(w.took)), ms(quantile(w.took, 0.99)),
		ms(quantile(w.took, 1)))
}

// publish makes n writers publish posts of 1.5 KB at the same time, one after the other each, for a
// while. An answer with another assurance than meant fails the benchmark.
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
				cmd := posts.Create{
					Title: fmt.Sprintf("Crowd of %d, %d, %s", n, number.Add(1), began.Format("150405.000000")), Body: text,
					Publish: true,
				}
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

// benchWriters measures 1, 8 and 64 writers through w in turns, and adds a row for each.
func benchWriters(b *testing.B, t *table, where string, w repo.Writer, meant repo.Assurance, most float64) {
	b.Helper()
	const turns, lasting = 3, 3 * time.Second
	publish(b, w, 1, time.Second, meant) // warms up
	of := map[int][]writings{}
	for range turns {
		for _, n := range writerCounts {
			of[n] = append(of[n], publish(b, w, n, lasting, meant))
		}
	}
	for _, n := range writerCounts {
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
		if n == writerCounts[len(writerCounts)-1] {
			tail := float64(quantile(all.took, 0.99)) / float64(median(all.took))
			aim = goal(fmt.Sprintf("p99 ≤ %.0f × p50", tailGoal), tail <= tailGoal)
			if most > 0 {
				aim = goal(fmt.Sprintf("≥ %.0f", most), median(times) >= most) + "; " + aim
			}
		}
		t.add(fmt.Sprintf("posts.create by %d, %s: p50 / p99", n, where), all.String(), against, ratio, aim)
	}
}

// many measures how many posts one writer and many writers publish per second.
func many(b *testing.B, t *table) {
	b.Helper()
	b.Run("plain", func(b *testing.B) {
		s := newSite(b)
		s.serve(b)
		w, _, _ := s.writer(b)
		benchWriters(b, t, "a plain file", w, repo.Local, plainFileGoal)
	})
	b.Run("besideplain", func(b *testing.B) {
		s := newSite(b)
		s.serve(b)
		w, _, _ := s.writer(b)
		addr, post := firstPost(b, w, "http://"+s.public)
		besideReaders(b, t, "a plain file", w, repo.Local, addr, post)
	})
	b.Run("litefs", func(b *testing.B) {
		c, transport := regions(b)
		benchWriters(b, t, "LiteFS, this node's disk", repo.NewClient(c.Primary().PrivateURL, transport), repo.Local, 0)
	})
	b.Run("besidetwo", func(b *testing.B) {
		c, transport := elected(b, nodes.Options{Nodes: 2})
		primary, _ := pair(b, c, transport)
		w := repo.NewClient(primary.PrivateURL, transport)
		addr, post := firstPost(b, w, primary.PublicURL)
		besideReaders(b, t, "acknowledged on two nodes", w, repo.Two, addr, post)
	})
	b.Run("two", func(b *testing.B) {
		c, transport := elected(b, nodes.Options{Nodes: 3, Proxies: true})
		primary, _ := pair(b, c, transport)
		w := repo.NewClient(primary.PrivateURL, transport)
		benchWriters(b, t, "acknowledged on two nodes", w, repo.Two, twoNodesGoal)
		away := c.Nodes[2]
		way := away.To(primary)
		way.Forwarding.Delay(b, oneWay, oneWay)
		way.Replication.Delay(b, oneWay, oneWay)
		benchWriters(b, t, "the same, forwarded from 80 ms away", repo.NewClient(away.PrivateURL, transport), repo.Two, 0)
	})
}

// publishOne publishes a post and returns its slug.
func publishOne(b *testing.B, w repo.Writer, title string) string {
	b.Helper()
	ctx := repo.As(b.Context(), repo.Actor{Name: repo.Operator})
	ref, err := repo.Write(ctx, w, repo.Command[posts.Ref](posts.Create{Title: title, Body: text, Publish: true}))
	if err != nil {
		b.Fatal(err)
	}
	return ref.Slug
}

// writer returns a writer to the site, its private address and a client of that.
func (s *site) writer(b *testing.B) (repo.Writer, string, *transport.Client) {
	b.Helper()
	transport := transport.NewClient(s.secret(b))
	b.Cleanup(transport.Close)
	return repo.NewClient(s.private(), transport), s.private(), transport
}

// private returns the address of the site's private listener.
func (s *site) private() string { return "http://" + s.variable("PRIVATE_ADDR") }

// secret returns the token that the site's server has made.
func (s *site) secret(tb testing.TB) string {
	tb.Helper()
	secret, err := app.Config{DatabasePath: s.variable("DATABASE_PATH")}.Secret()
	if err != nil {
		tb.Fatal(err)
	}
	return secret
}

// variable returns a variable of the site's environment.
func (s *site) variable(name string) string {
	for _, v := range s.env {
		if value, found := strings.CutPrefix(v, name+"="); found {
			return value
		}
	}
	return ""
}
