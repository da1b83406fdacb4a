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
	"time"

	"blog/internal/apperr"
	"blog/internal/media"
	"blog/internal/repo"
)

// far answers calls in rounds: when all calls that can be under way are, they arrive together.
// rounds is how many round trips came one after the other, most how many calls were under way at
// the same time.
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
	return err
}

// arrive completes the calls of a round, and reports whether there were any.
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

// counting stores nothing. It counts the chunks, and knows when all are there.
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

// mustPad returns a PNG of size bytes. Most of them are one block of pixel data that no decoder
// accepts, since only its length matters.
func mustPad(tb testing.TB, size int) []byte {
	tb.Helper()
	small := MustPNG(tb)
	const block = 12 // its length, kind and checksum, in bytes
	end := small[len(small)-block:]
	pad := append([]byte("IDAT"), make([]byte, size-len(small)-block)...)
	// #nosec G115 -- at most MaxBytes
	out := binary.BigEndian.AppendUint32(bytes.Clone(small[:len(small)-block]), uint32(len(pad)-4))
	out = append(out, pad...)
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(pad))
	return append(out, end...)
}

// TestChunksGoSideBySide: the largest picture is stored in far fewer round trips than it has
// chunks, and progress counts all its bytes.
func TestChunksGoSideBySide(t *testing.T) {
	data := mustPad(t, media.MaxBytes)
	chunks := len(media.Chunks(data))
	if chunks < 40 {
		t.Fatalf("got %d chunks, want at least 40", chunks)
	}
	synctest.Test(t, func(t *testing.T) {
		w := &far{Writer: &counting{chunks: map[string]bool{}, of: chunks, fails: func(int) error { return nil }}}
		var shown []int64
		ended := make(chan error, 1)
		go func() {
			_, err := media.Upload(t.Context(), w, data, media.WithProgress(func(stored, size int64) {
				if size != int64(len(data)) {
					t.Errorf("got the size %d, want %d", size, len(data))
				}
				if len(shown) > 0 && stored <= shown[len(shown)-1] {
					t.Errorf("got %d stored bytes after %v, want more", stored, shown)
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
		if limit := (chunks + 3) / 4; w.rounds > limit {
			t.Errorf("%d chunks in %d round trips, want at most %d", chunks, w.rounds, limit)
		}
		if w.most != 4 {
			t.Errorf("got %d chunks at once, want 4", w.most)
		}
		if len(shown) == 0 {
			t.Fatal("got no progress, want some")
		}
		if last := shown[len(shown)-1]; last != int64(len(data)) {
			t.Errorf("got %d stored bytes at the end, want %d", last, len(data))
		}
	})
}

// TestAFailedChunkEndsTheUpload: no chunk is sent after a failed one, and its error is the
// upload's.
func TestAFailedChunkEndsTheUpload(t *testing.T) {
	data := mustPad(t, 10*media.ChunkSize)
	want := apperr.Errorf(apperr.Unavailable, "No.")
	c := &counting{chunks: map[string]bool{}, of: len(media.Chunks(data)), fails: func(n int) error {
		if n < 2 {
			return nil
		}
		return want
	}}
	if _, err := media.Upload(t.Context(), c, data); !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
	if len(c.chunks) != 2 {
		t.Errorf("%d chunks were stored, want 2", len(c.chunks))
	}
}

// losing answers the first of some calls with an error although its chunk is stored, and the last one, a second later,
// with Complete.
type losing struct {
	mu        sync.Mutex
	calls, of int
	lost      error
}

func (l *losing) Call(_ context.Context, call *repo.Call) error {
	l.mu.Lock()
	l.calls++
	n := l.calls
	l.mu.Unlock()
	time.Sleep(time.Duration(n) * time.Second)
	call.Reply.Result = []byte(`{"complete":false}`)
	switch n {
	case 1:
		return l.lost
	case l.of:
		call.Reply.Result = []byte(`{"complete":true}`)
	}
	return nil
}

// TestACompletePictureOutweighsAnError: the row that completes a picture lasts, and all chunks before it, whatever was
// answered for those.
func TestACompletePictureOutweighsAnError(t *testing.T) {
	data := mustPad(t, 3*media.ChunkSize)
	synctest.Test(t, func(t *testing.T) {
		l := &losing{of: len(media.Chunks(data)), lost: apperr.Errorf(apperr.Unavailable, "No answer.")}
		pic, err := media.Upload(t.Context(), l, data)
		if err != nil {
			t.Fatalf("after %d calls: %v", l.calls, err)
		}
		if pic.Hash == "" {
			t.Errorf("got %+v, want a hash", pic)
		}
		if l.calls != l.of {
			t.Errorf("got %d calls, want %d", l.calls, l.of)
		}
	})
}

// TestTheLastChunkIsVerifiedOutsideTheLock: of chunks that arrive together each is prepared while
// others are missing, so the one that completes the picture is prepared again.
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
	if err != nil {
		t.Fatal(err)
	}
	if !got.Complete {
		t.Errorf("got %+v, want Complete true", got)
	}
	if prepared != 2 {
		t.Errorf("prepared %d times, want 2", prepared)
	}
	wantData(ctx, t, primary, all[0].Hash, data)
}
