package bench_test

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	litefshttp "github.com/superfly/litefs/http"

	nodes "blog/test/cluster"
)

// copyWait is the longest time that a commit may wait for a copy of the database that is sent to
// another node.
const copyWait = 250 * time.Millisecond

// copies measures the commits of a primary without followers, and while one follower stands still
// in the middle of its copy, one reads 1 MB/s and one was cut off.
func copies(b *testing.B, t *table) {
	b.Helper()
	for _, size := range []int64{64 << 20, 1 << 30} {
		c := nodes.Start(b, nodes.Options{
			Nodes: 1, Binary: nodes.Build(b, "./test/cluster/testdata/node"), ReadyLimit: 5 * time.Minute,
		})
		p := c.Primary()
		p.Stop(b)
		nodes.Seed(b, p.Data, filepath.Base(p.Database), size)
		p.Restart(b)
		const times = 100
		commit(b, p, times/10) // makes what the first use makes
		without := commit(b, p, times)
		var during []time.Duration
		stopped, slow, cut := newFollower(b, p, 1), newFollower(b, p, 2), newFollower(b, p, 3)
		slow.goOn(mega)
		for !stopped.begun() || !slow.begun() || !cut.begun() {
			during = append(during, commit(b, p, 1)...)
		}
		cut.stop()
		during = append(during, commit(b, p, times)...)
		most, plain := slices.Max(during), slices.Max(without)
		t.add(fmt.Sprintf("commit while copies of %d MB go out, longest of %d", size>>20, len(during)), ms(most),
			fmt.Sprintf("without: %s, medians %s and %s", ms(plain), ms(median(during)), ms(median(without))),
			"+ "+ms(max(0, most-plain)), goal("≤ + "+ms(copyWait), most-plain <= copyWait))
		stopped.stop()
		slow.stop()
		p.Stop(b)
	}
}

// commit writes so many rows, and returns how long each took.
func commit(b *testing.B, p *nodes.Node, times int) (took []time.Duration) {
	b.Helper()
	for range times {
		began := time.Now()
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, p.PublicURL+"/write?v=x", nil)
		if err != nil {
			b.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body) // only for the message
		if _ = res.Body.Close(); res.StatusCode != http.StatusOK {
			b.Fatalf("write: %d, %s", res.StatusCode, text)
		}
		took = append(took, time.Since(began))
	}
	return took
}

const mega = 1 << 20

// follower is a follower without data, which reads the beginning of its copy.
type follower struct {
	body  io.ReadCloser
	first chan struct{} // closed when it has some of its copy
	rate  chan int      // bytes per second, from then on
	done  chan struct{}
	once  sync.Once
}

func newFollower(b *testing.B, p *nodes.Node, id uint64) *follower {
	b.Helper()
	stream, err := litefshttp.NewClient().Stream(b.Context(), p.LiteFSURL, id, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	f := &follower{body: stream, first: make(chan struct{}), rate: make(chan int, 1), done: make(chan struct{})}
	go func() {
		defer close(f.done)
		const some = 64 << 10 // more than all heartbeats
		if _, err := io.CopyN(io.Discard, f.body, some); err != nil {
			return
		}
		close(f.first)
		rate, ok := <-f.rate
		for ok {
			if _, err := io.CopyN(io.Discard, f.body, int64(rate/10)); err != nil {
				return
			}
			time.Sleep(time.Second / 10)
		}
	}()
	b.Cleanup(f.stop)
	return f
}

func (f *follower) begun() bool {
	select {
	case <-f.first:
		return true
	default:
		return false
	}
}

// goOn makes it read its copy at this rate, in bytes per second. Until then it stands still.
func (f *follower) goOn(rate int) { f.rate <- rate }

// stop ends its stream.
func (f *follower) stop() {
	f.once.Do(func() {
		_ = f.body.Close() // the stream is given up
		close(f.rate)
	})
	<-f.done
}
