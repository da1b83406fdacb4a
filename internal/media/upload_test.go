package media_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"sync"
	"testing"
	"testing/synctest"

	"blog/internal/media"
	"blog/internal/repo"
)

// far answers calls in rounds: when all that can be on their way are, they arrive
// together. rounds is how many round trips came one after the other, most how many calls
// were under way at once.
type far struct {
	repo.Writer
	mu           sync.Mutex
	waiting      []chan struct{}
	rounds, most int
	running      int
}

func (f *far) Call(ctx context.Context, call *repo.Call) error {
	arrived := make(chan struct{})
	f.mu.Lock()
	f.waiting = append(f.waiting, arrived)
	f.running++
	f.most = max(f.most, f.running)
	f.mu.Unlock()
	<-arrived
	err := f.Writer.Call(ctx, call)
	f.mu.Lock()
	f.running--
	f.mu.Unlock()
	return err //nolint:wrapcheck // as it came
}

// arrive lets a round's calls go on, and reports whether there was one.
func (f *far) arrive() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.waiting {
		close(a)
	}
	some := len(f.waiting) > 0
	if f.waiting = nil; some {
		f.rounds++
	}
	return some
}

// counting stores nothing: it counts the chunks, and knows when all are there.
type counting struct {
	mu     sync.Mutex
	chunks map[string]bool
	of     int
	fails  func(n int) error
}

func (c *counting) Call(_ context.Context, call *repo.Call) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.fails(len(c.chunks)); err != nil {
		return err
	}
	c.chunks[string(call.Body)] = true
	call.Reply.Result = []byte(`{"complete":false}`)
	if len(c.chunks) == c.of {
		call.Reply.Result = []byte(`{"complete":true}`)
	}
	return nil
}

// mustPad makes a PNG of size bytes, most of which are one block of pixel data that no
// decoder would like: only its length matters.
func mustPad(tb testing.TB, size int) []byte {
	tb.Helper()
	small := MustPNG(tb)
	const block = 12 // its length, kind and checksum, in bytes
	end := small[len(small)-block:]
	pad := append([]byte("IDAT"), make([]byte, size-len(small)-block)...)
	out := binary.BigEndian.AppendUint32(bytes.Clone(small[:len(small)-block]), uint32(len(pad)-4)) // #nosec G115 -- at most MaxBytes
	out = append(out, pad...)
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(pad))
	return append(out, end...)
}

// TestChunksGoSideBySide: the largest picture is stored in far fewer round trips than it
// has chunks, and progress is told of all its bytes.
func TestChunksGoSideBySide(t *testing.T) {
	data := mustPad(t, media.MaxBytes)
	chunks := len(media.Chunks(data))
	if chunks < 40 {
		t.Fatalf("only %d chunks", chunks)
	}
	synctest.Test(t, func(t *testing.T) {
		w := &far{Writer: &counting{chunks: map[string]bool{}, of: chunks, fails: func(int) error { return nil }}}
		var shown []int64
		ended := make(chan error, 1)
		go func() {
			_, err := media.Upload(t.Context(), w, data, media.WithProgress(func(stored, size int64) {
				if size != int64(len(data)) || len(shown) > 0 && stored <= shown[len(shown)-1] {
					t.Errorf("%d of %d after %v", stored, size, shown)
				}
				shown = append(shown, stored)
			}))
			ended <- err
		}()
		for synctest.Wait(); w.arrive(); synctest.Wait() {
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if limit := (chunks + 3) / 4; w.rounds > limit || w.most != 4 {
			t.Errorf("%d chunks in %d round trips, %d at once; want at most %d, 4 at once", chunks, w.rounds, w.most, limit)
		}
		if len(shown) == 0 || shown[len(shown)-1] != int64(len(data)) {
			t.Errorf("shown at the end: %v of %d", shown, len(data))
		}
	})
}

// TestAFailedChunkEndsTheUpload: no further one is sent, and its error is the upload's.
func TestAFailedChunkEndsTheUpload(t *testing.T) {
	data := mustPad(t, 10*media.ChunkSize)
	want := repo.Errorf(repo.Unavailable, "No.")
	c := &counting{chunks: map[string]bool{}, of: len(media.Chunks(data)), fails: func(n int) error {
		if n < 2 {
			return nil
		}
		return want
	}}
	if _, err := media.Upload(t.Context(), c, data); !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
	if len(c.chunks) != 2 {
		t.Errorf("%d chunks were stored, want 2", len(c.chunks))
	}
}

// TestTheLastChunkIsVerifiedOutsideTheLock: chunks that arrive together find each other
// missing when they are prepared; the one that completes the picture is prepared again.
func TestTheLastChunkIsVerifiedOutsideTheLock(t *testing.T) {
	ctx, primary, _ := mustRepos(t)
	data := mustPad(t, 3*media.ChunkSize)
	all := puts(t, data)
	last := len(all) - 1
	prepared := 0
	ctx = context.WithValue(ctx, hookKey{}, func() {
		if prepared++; prepared == 1 {
			for _, p := range all[:last] {
				repo.MustWrite(ctx, primary, p)
			}
		}
	})
	got, err := repo.Write(ctx, primary, late{all[last]})
	if err != nil || !got.Complete || prepared != 2 {
		t.Errorf("prepared %d times: %+v, %v", prepared, got, err)
	}
	if _, read, err := stored(ctx, primary, all[0].Hash); err != nil || !bytes.Equal(read, data) {
		t.Errorf("read: %v", err)
	}
}
