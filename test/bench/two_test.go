package bench_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"blog/internal/cluster"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/transport"
	nodes "blog/test/cluster"
)

// lease is the length of the lease here, as in compose.yml.
const lease = 5 * time.Second

// elected starts nodes that elect their primary. The first two are candidates.
func elected(b *testing.B, o nodes.Options) (*nodes.Cluster, *transport.Client) {
	b.Helper()
	if o.Binary == "" {
		o.Binary = build(b, "./cmd/blog")
	}
	o.Consul, o.Lease, o.Env = true, lease, []string{"LITEFS_SKIP_SYNC=true"}
	c := nodes.Start(b, o)
	output(b, c.Primary().Command(b.Context(), "user", "add", email, "--name", "Ada", "--password-file", "-"), password)
	t := transport.NewClient(c.Secret)
	b.Cleanup(t.Close)
	return c, t
}

// assuranceOf asks n whether it is primary, and returns what its acknowledgements rest on.
func assuranceOf(ctx context.Context, t *transport.Client, n *nodes.Node) (repo.Assurance, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var known []cluster.Info
	if err := t.Ask(ctx, n.PrivateURL, cluster.PathNodes, &known); err != nil {
		return "", err
	}
	if known[0].Role != "primary" || known[0].Durability == "" {
		return "", fmt.Errorf("%s is %s, durability %q", n.Name, known[0].Role, known[0].Durability)
	}
	return repo.Assurance(known[0].Durability), nil
}

// pair waits until one of the candidates is primary and the other is in the sync set.
func pair(b *testing.B, c *nodes.Cluster, t *transport.Client) (primary, standby *nodes.Node) {
	b.Helper()
	nodes.Poll(b, time.Minute, "a standby in the sync set", func(ctx context.Context) error {
		var errs []error
		for i, n := range c.Nodes[:2] {
			on, err := assuranceOf(ctx, t, n)
			if on == repo.Two {
				primary, standby = n, c.Nodes[1-i]
				return nil
			}
			errs = append(errs, err, fmt.Errorf("%s: %q", n.Name, on))
		}
		return errors.Join(errs...)
	})
	return primary, standby
}

// parts is where the time of writes goes, each counted from the beginning of the write.
type parts struct{ commit, standby, answer []time.Duration }

// two compares writes on a primary that waits for its standby with the same writes when it is
// alone, and on one with a static lease, whose own commit is enough, in turns.
func two(b *testing.B, t *table) {
	b.Helper()
	c, transport := elected(b, nodes.Options{Nodes: 2})
	static, staticTransport := regions(b)
	const turns, times, warmUp = 3, 80, 5
	var local, waited, alone parts
	for turn := range turns {
		b.Run(fmt.Sprintf("local%d", turn), func(b *testing.B) {
			local.measure(b, staticTransport, static.Primary(), nil, repo.Local, warmUp, times)
		})
		primary, standby := pair(b, c, transport)
		b.Run(fmt.Sprintf("waited%d", turn), func(b *testing.B) {
			waited.measure(b, transport, primary, standby, repo.Two, warmUp, times)
		})
		standby.Stop(b)
		nodes.Poll(b, 30*time.Second, "alone", func(ctx context.Context) error {
			on, err := assuranceOf(ctx, transport, primary)
			if err == nil && on != repo.Alone {
				err = fmt.Errorf("it rests on %q", on)
			}
			return err
		})
		b.Run(fmt.Sprintf("alone%d", turn), func(b *testing.B) {
			alone.measure(b, transport, primary, nil, repo.Alone, warmUp, times)
		})
		standby.Restart(b)
	}
	for _, q := range []struct {
		name string
		of   float64
	}{{"p50", 0.5}, {"p99", 0.99}} {
		commit, with, without := quantile(local.answer, q.of), quantile(waited.answer, q.of), quantile(alone.answer, q.of)
		for _, row := range []struct {
			what string
			took time.Duration
		}{{"acknowledged on two nodes", with}, {"by a primary that is alone", without}} {
			t.add("write on the primary, "+row.what+", "+q.name, ms(row.took), "local commit "+ms(commit),
				fmt.Sprintf("%.2f", float64(row.took)/float64(commit)), "")
		}
	}
	all, commit, there := median(waited.answer), median(waited.commit), median(waited.standby)
	t.add("of that, p50: until the primary's LiteFS has committed", ms(commit), "alone "+ms(median(alone.commit)),
		fmt.Sprintf("%.2f", float64(commit)/float64(all)), "")
	t.add("then until the standby's LiteFS has applied it", "+ "+ms(there-commit), "",
		fmt.Sprintf("%.2f", float64(there-commit)/float64(all)), "")
	t.add("then until the answer: the standby reads the row and reports", "+ "+ms(all-there), "",
		fmt.Sprintf("%.2f", float64(all-there)/float64(all)), "")
}

// measure writes on the primary, and notes when LiteFS there and on the standby reported the
// transaction. An answer with another assurance than meant does not count.
func (p *parts) measure(
	b *testing.B, t *transport.Client, primary, standby *nodes.Node, meant repo.Assurance, warmUp, times int,
) {
	b.Helper()
	commits := follow(b, primary)
	var arrivals <-chan time.Time
	if standby != nil {
		arrivals = follow(b, standby)
	}
	ctx := repo.As(b.Context(), repo.Actor{Name: repo.Operator})
	client := repo.NewClient(primary.PrivateURL, t)
	for i := range warmUp + times {
		drain(commits)
		drain(arrivals)
		start := time.Now()
		_, receipt, err := repo.Do(ctx, client,
			repo.Command[posts.Ref](posts.Create{Title: fmt.Sprintf("Waited %d", i), Body: text, Publish: true}))
		answer := time.Since(start)
		if err != nil {
			b.Fatalf("write on %s: %v", primary.Name, err)
		}
		commit, arrival := receive(b, commits).Sub(start), time.Duration(0)
		if arrivals != nil {
			arrival = receive(b, arrivals).Sub(start)
		}
		if i < warmUp || receipt.Assurance != meant {
			continue
		}
		p.commit, p.standby, p.answer = append(p.commit, commit), append(p.standby, arrival), append(p.answer, answer)
	}
	b.ReportMetric(0, "ns/op")
}

func drain(times <-chan time.Time) {
	for len(times) > 0 {
		<-times
	}
}
