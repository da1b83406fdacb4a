package bench_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/transport"
	"blog/test/cluster"
)

const (
	oneWay = 40 * time.Millisecond // to the other region, on both of a replica's ways to the primary

	ackGoal      = 1.02 // of round trip + local write
	readableGoal = 1.05
)

// regions starts two LiteFS nodes and makes the first author.
func regions(b *testing.B) (*cluster.Cluster, *transport.Client) {
	b.Helper()
	c := cluster.Start(b, cluster.Options{Nodes: 2, Proxies: true, Binary: build(b, "./cmd/blog")})
	output(b, c.Primary().Command(b.Context(), "user", "add", email, "--name", "Ada", "--password-file", "-"), password)
	t := transport.NewClient(c.Secret)
	b.Cleanup(t.Close)
	return c, t
}

// text is the body of a post, with an ordinary paragraph or two.
var text = strings.Repeat("A line about *nothing in particular*, with `code` and a [link](/posts).\n", 20)

// write publishes a post through the private listener of n, as the command line does, and returns the post and how
// long the answer took.
func write(b *testing.B, t *transport.Client, n *cluster.Node, title string) (posts.Ref, time.Duration) {
	b.Helper()
	ctx := repo.As(b.Context(), repo.Actor{Name: repo.Operator})
	start := time.Now()
	ref, err := repo.Write(ctx, repo.NewClient(n.PrivateURL, t),
		repo.Command[posts.Ref](posts.Create{Title: title, Body: text, Publish: true}))
	if err != nil {
		b.Fatalf("write on %s: %v", n.Name, err)
	}
	return ref, time.Since(start)
}

// roundTrip asks a private listener, by the way of forwarded writes, for something that it refuses
// at once.
func roundTrip(b *testing.B, client *http.Client, way *cluster.Link) time.Duration {
	b.Helper()
	start := time.Now()
	if res := get(b, client, "http://"+way.Addr+repo.PathSuper); res.status != http.StatusUnauthorized {
		b.Fatalf("status %d", res.status)
	}
	return time.Since(start)
}

// direct sends a write to the primary by the same way, without the replica's server. It measures
// how long the primary's answer takes, before a replica waits for its own copy to have the row.
func direct(b *testing.B, t *transport.Client, way *cluster.Link, title string) time.Duration {
	b.Helper()
	body, err := json.Marshal(posts.Create{Title: title, Body: text, Publish: true})
	if err != nil {
		b.Fatal(err)
	}
	call := &repo.Call{
		Name: posts.Create{}.Name(), Key: repo.NewKey(), Actor: repo.Actor{Name: repo.Operator},
		Deadline: time.Now().Add(repo.DefaultDeadline).UTC(), Body: body,
	}
	start := time.Now()
	if err := repo.Send(b.Context(), t, "http://"+way.Addr, repo.PathSuper, call); err != nil {
		b.Fatalf("write on the primary: %v", err)
	}
	return time.Since(start)
}

// forwarding measures writes on a replica when the primary's own disk is enough for an answer.
func forwarding(b *testing.B, t *table) {
	b.Helper()
	c, transport := regions(b)
	replica := c.Nodes[1]
	away := cluster.Way{Replication: replica.Replication, Forwarding: replica.Forwarding}
	forwarded(b, t, transport, c.Primary(), replica, away, "on one node")
}

// forwarded compares a write on a replica with the same write on the primary and with a round trip,
// in turns.
func forwarded(
	b *testing.B, t *table, transport *transport.Client, primary, replica *cluster.Node, way cluster.Way, assurance string,
) {
	b.Helper()
	way.Forwarding.Delay(b, oneWay, oneWay)
	way.Replication.Delay(b, oneWay, oneWay)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	const times, warmUp = 30, 3
	var local, trip, answered, acked, readable []time.Duration
	for i := range warmUp + times {
		_, l := write(b, transport, primary, fmt.Sprintf("Local %d", i))
		rt := roundTrip(b, client, way.Forwarding)
		d := direct(b, transport, way.Forwarding, fmt.Sprintf("Direct %d", i))
		start := time.Now()
		ref, a := write(b, transport, replica, fmt.Sprintf("Forwarded %d", i))
		for get(b, client, replica.PublicURL+"/posts/"+ref.Slug).status != http.StatusOK {
			if time.Since(start) > 10*time.Second {
				b.Fatalf("%s does not have the post", replica.Name)
			}
		}
		if r := time.Since(start); i >= warmUp {
			local, trip, answered = append(local, l), append(trip, rt), append(answered, d)
			acked, readable = append(acked, a), append(readable, r)
		}
	}
	floor := median(trip) + median(local)
	against := fmt.Sprintf("round trip %s + local write %s", ms(median(trip)), ms(median(local)))
	add := func(what string, took time.Duration, most float64) {
		ratio, aim := float64(took)/float64(floor), ""
		if most > 0 {
			aim = goal(fmt.Sprintf("≤ %.2f", most), ratio <= most)
		}
		t.add("forwarded write, 80 ms away, "+assurance+": "+what, ms(took), against, fmt.Sprintf("%.3f", ratio), aim)
	}
	add("the primary's answer", median(answered), 0)
	add("acknowledged (and on that replica)", median(acked), ackGoal)
	add("its page read on that replica", median(readable), readableGoal)
}

// Goals: how much longer than the one-way delay a frame may take.
const (
	frameGoal     = 2 * time.Millisecond
	frameGoalTail = 10 * time.Millisecond
)

// frames measures the time from the commit on the primary to the frame at a reader's socket on the
// replica, rendering included. LiteFS reports the transaction just before COMMIT returns.
func frames(b *testing.B, t *table) {
	b.Helper()
	c, transport := regions(b)
	replica := c.Nodes[1]
	commits := follow(b, c.Primary())
	heard := listen(b, replica)
	const times, warmUp = 100, 5
	for _, delay := range []time.Duration{0, oneWay} {
		replica.Replication.Delay(b, 0, delay)
		away := one(b, c, delay)
		var took []time.Duration
		for i := range warmUp + times {
			for len(commits) > 0 {
				<-commits
			}
			write(b, transport, c.Primary(), fmt.Sprintf("Seen %s %d", delay, i))
			committed, seen := receive(b, commits), receive(b, heard)
			if i >= warmUp {
				took = append(took, seen.Sub(committed)-away)
			}
		}
		add := func(name string, d, most time.Duration) {
			t.add(fmt.Sprintf("commit to frame on another node, %d ms away, %s", delay.Milliseconds(), name), ms(d+away),
				"one way "+ms(away), "+ "+ms(d), goal("≤ + "+ms(most), d <= most))
		}
		add("p50", median(took), frameGoal)
		add("p99", quantile(took, 0.99), frameGoalTail)
	}
}

// one measures the real one-way delay from the primary, since a toxiproxy with 40 ms takes a little
// more. It is how much longer the primary's answer takes on the way of replication than without it.
// Without a delay nothing is subtracted.
func one(b *testing.B, c *cluster.Cluster, delay time.Duration) time.Duration {
	b.Helper()
	if delay == 0 {
		return 0
	}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	const times = 20
	var differences []time.Duration
	for range times {
		ask := func(base string) time.Duration {
			start := time.Now()
			if got := get(b, client, base+"/info"); got.status != http.StatusOK {
				b.Fatalf("status %d", got.status)
			}
			return time.Since(start)
		}
		near := ask(c.Primary().LiteFSURL)
		differences = append(differences, ask("http://"+c.Nodes[1].Replication.Addr)-near)
	}
	return median(differences)
}

func receive(b *testing.B, times <-chan time.Time) time.Time {
	b.Helper()
	select {
	case at, open := <-times:
		if !open {
			b.Fatal("the stream ended")
		}
		return at
	case <-time.After(30 * time.Second):
		b.Fatal("nothing came within 30 s")
	}
	return time.Time{}
}

// follow returns when LiteFS reported each transaction on n.
func follow(b *testing.B, n *cluster.Node) <-chan time.Time {
	b.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.Context()))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.LiteFSURL+"/events", nil)
	if err != nil {
		b.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	return stream(b, cancel, func(times chan<- time.Time) error {
		for dec := json.NewDecoder(res.Body); ; {
			var ev struct{ Type string }
			if err := dec.Decode(&ev); err != nil {
				return errors.Join(err, res.Body.Close())
			}
			if ev.Type == "tx" {
				times <- time.Now()
			}
		}
	})
}

// listen opens a reader's socket on n, and returns when each change arrived.
func listen(b *testing.B, n *cluster.Node) <-chan time.Time {
	b.Helper()
	address := "ws" + strings.TrimPrefix(n.PublicURL, "http") + "/live?topics=posts"
	conn, _, err := websocket.Dial(b.Context(), address, nil) //nolint:bodyclose // an upgraded connection has none
	if err != nil {
		b.Fatal(err)
	}
	return stream(b, func() { _ = conn.CloseNow() }, func(times chan<- time.Time) error {
		for {
			_, r, err := conn.Reader(context.WithoutCancel(b.Context()))
			if err != nil {
				return err
			}
			raw, err := io.ReadAll(r)
			at := time.Now()
			var f struct{ Type string }
			if err = errors.Join(err, json.Unmarshal(raw, &f)); err != nil {
				return err
			}
			if f.Type == "change" {
				times <- at
			}
		}
	})
}

// stream runs read until stop makes it return, at the end of the benchmark at the latest.
func stream(b *testing.B, stop func(), read func(times chan<- time.Time) error) <-chan time.Time {
	b.Helper()
	times, done := make(chan time.Time, 1000), make(chan struct{})
	go func() {
		defer close(done)
		defer close(times)
		_ = read(times) // it ends with an error that stop has caused
	}()
	b.Cleanup(func() { stop(); <-done })
	return times
}
