package failover_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"blog/internal/apperr"
	"blog/test/cluster"
)

var client = &http.Client{Timeout: 20 * time.Second}

// get fails unless url answers 200.
func get(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, res.Body)
	if err = errors.Join(err, res.Body.Close()); err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: status %d", url, res.StatusCode)
	}
	return err
}

// load is readers and writers that must not notice anything.
type load struct {
	world *world

	mu      sync.Mutex
	acked   map[string]time.Time // by title
	order   []time.Time          // of acknowledgements
	asked   int
	retries int
	errs    []error
}

func (l *load) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

// read fetches pages from node i, and once from the next node when i is gone.
func (l *load) read(ctx context.Context, i int) {
	nodes := l.world.Nodes
	for ctx.Err() == nil {
		var err error
		for try := range nodes {
			if err = get(ctx, nodes[(i+try)%len(nodes)].PublicURL+"/posts"); err == nil {
				break
			}
		}
		if err != nil && ctx.Err() == nil {
			l.fail(fmt.Errorf("a reader at %s was served by nobody: %w", nodes[i].Name, err))
		}
	}
}

// write makes posts through node i, and asks the next node with the same key when i is gone.
func (l *load) write(ctx context.Context, i int) {
	nodes := l.world.Nodes
	for n := 0; ctx.Err() == nil; n++ {
		title := fmt.Sprintf("w%d-%d", i, n)
		deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		var err error
		for try := 0; ; try++ {
			_, err = l.world.write(deadline, nodes[(i+try)%len(nodes)], title, title)
			if err == nil || !errors.Is(err, apperr.Unavailable) || deadline.Err() != nil {
				break
			}
			l.mu.Lock()
			l.retries++
			l.mu.Unlock()
		}
		cancel()
		l.mu.Lock()
		l.asked++
		if err != nil {
			l.errs = append(l.errs, fmt.Errorf("%s by way of %s: %w", title, nodes[i].Name, err))
		} else {
			l.acked[title] = time.Now()
			l.order = append(l.order, time.Now())
		}
		l.mu.Unlock()
	}
}

// longest returns the longest time between two acknowledgements.
func (l *load) longest() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	var gap time.Duration
	for i := 1; i < len(l.order); i++ {
		gap = max(gap, l.order[i].Sub(l.order[i-1]))
	}
	return gap
}

// TestRollingRestart restarts all four nodes under load. GETs are repeated on another node, POSTs
// with the same key, and no request fails.
func TestRollingRestart(t *testing.T) {
	w := MustWorld(t, 4)
	l := &load{world: w, acked: map[string]time.Time{}}
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range w.Nodes {
		all.Go(func() { l.read(ctx, i) })
		all.Go(func() { l.write(ctx, i) })
	}
	for _, i := range []int{2, 3, 1, 0} { // the primary last
		n := w.Nodes[i]
		start := time.Now()
		if code := n.Stop(t); code != 0 {
			t.Errorf("%s: exit code %d, want 0", n.Name, code)
		}
		mustBeat(t, n.Name, time.Since(start))
		n.Restart(t) // a standby is ready when it is in the sync set again
	}
	w.MustBePrimary(t, w.Nodes[1])
	w.MustSet(t, "node1", "node2")
	stop()
	all.Wait()
	for _, err := range l.errs {
		t.Error(err)
	}
	t.Logf("%d writes, %d asked again with the same key", l.asked, l.retries)
	limit(t, "the longest time without an acknowledgement", l.longest(), 2*time.Second)
	if l.asked < 20 {
		t.Errorf("only %d writes: that is no load", l.asked)
	}
	w.MustHaveOnce(t, l.acked)
}

// limit prints how long something took, and fails at twice the limit, because the machine is
// shared.
func limit(t *testing.T, what string, took, limit time.Duration) {
	t.Helper()
	t.Logf("%s: %s, limit %s", what, took.Round(time.Millisecond), limit)
	if took > 2*limit {
		t.Errorf("%s: %s is more than twice %s, want at most %v", what, took, limit, 2*limit)
	}
}

// killTimeout is how long after SIGTERM a node gets SIGKILL: see fly.toml and compose.yml.
const killTimeout = 10 * time.Second

// mustBeat prints how long a node took to end. It fails when the node would have been killed.
func mustBeat(t *testing.T, node string, took time.Duration) {
	t.Helper()
	t.Logf("%s ended after %s", node, took.Round(time.Millisecond))
	if took >= killTimeout {
		t.Errorf("%s ended after %s: it would have been killed at %s, with its lease", node, took, killTimeout)
	}
}

// MustHaveOnce checks that every node has every acknowledged post once.
func (w *world) MustHaveOnce(t *testing.T, acked map[string]time.Time) {
	t.Helper()
	for _, n := range w.Nodes {
		for title := range acked {
			cluster.Poll(t, patience, title+" on "+n.Name, func(ctx context.Context) error {
				return get(ctx, n.PublicURL+"/posts/"+title)
			})
			if err := get(t.Context(), n.PublicURL+"/posts/"+title+"-2"); err == nil {
				t.Errorf("%s: %s was made twice", n.Name, title)
			}
		}
	}
}
