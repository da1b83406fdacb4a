//go:build linux

package stream_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"blog/internal/litefs/mount/stream"
)

// disk takes its time for each read, by the clock of a bubble: the n-th spans[n], the later ones the last of them.
type disk struct {
	spans []time.Duration
	reads []int // bytes
	from  []int64
}

func (d *disk) ReadAt(p []byte, off int64) (int, error) {
	time.Sleep(d.spans[min(len(d.reads), len(d.spans)-1)])
	d.reads, d.from = append(d.reads, len(p)), append(d.from, off)
	for i := range p {
		p[i] = byte((off + int64(i)) / stream.ReadSize) // #nosec G115 -- a small number
	}
	return len(p), nil
}

// TestASliceIsShort: what is read under one lock is what the disk gives within half of the limit. Of a disk that takes
// less than the other half for one read, no slice is longer than the limit; of a slower one it is longer by that read
// alone.
func TestASliceIsShort(t *testing.T) {
	const ms = time.Millisecond
	if stream.SliceLimit != 20*ms || stream.ReadSize != 64<<10 {
		t.Errorf("a slice lasts for %s with reads of %d bytes, as no DESIGN says", stream.SliceLimit, stream.ReadSize)
	}
	for name, c := range map[string]struct {
		spans []time.Duration
		late  time.Duration // before the first read
		reads int
		took  time.Duration
	}{
		"in memory":                   {[]time.Duration{0}, 0, 10, 0},
		"quick":                       {[]time.Duration{3 * ms}, 0, 4, 12 * ms},
		"as slow as may be":           {[]time.Duration{10 * ms}, 0, 2, 20 * ms},
		"slower than a slice":         {[]time.Duration{50 * ms}, 0, 1, 50 * ms},
		"slow all at once":            {[]time.Duration{0, 0, 9 * ms, 30 * ms}, 0, 4, 39 * ms},
		"the file is opened too late": {[]time.Duration{ms}, 15 * ms, 1, 16 * ms}, // else the copy got nowhere
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, began := &disk{spans: c.spans}, time.Now()
				time.Sleep(c.late)
				const offset = 3 * stream.ReadSize
				got, err := stream.ReadSome(d, make([]byte, 10*stream.ReadSize), offset, began)
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); len(d.reads) != c.reads || took != c.took {
					t.Errorf("%d reads in %s, want %d in %s", len(d.reads), took, c.reads, c.took)
				}
				for i, n := range d.reads {
					if n > stream.ReadSize || d.from[i] != offset+int64(i)*stream.ReadSize {
						t.Errorf("read %d has %d bytes from %d on", i, n, d.from[i])
					}
				}
				var want []byte
				for i := range c.reads {
					want = append(want, bytes.Repeat([]byte{byte(3 + i)}, stream.ReadSize)...)
				}
				if !bytes.Equal(got, want) {
					t.Errorf("%d bytes, want the %d of %d reads", len(got), len(want), c.reads)
				}
			})
		})
	}
}
