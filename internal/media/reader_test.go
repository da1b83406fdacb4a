package media_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/iotest"
	"time"

	"blog/internal/media"
	"blog/internal/repo"
)

// counted is a Viewer that counts transactions.
type counted struct {
	*repo.Repo
	views int
}

func (c *counted) View(ctx context.Context, fn func(repo.Reader) error) error {
	c.views++
	return c.Repo.View(ctx, fn)
}

func TestReader(t *testing.T) {
	t.Parallel()
	ctx, primary, _ := mustRepos(t)
	p, err := media.Upload(ctx, primary, MustNoise(t, 1000, 5))
	if err != nil {
		t.Fatal(err)
	}
	_, want, err := stored(ctx, primary, p.Hash)
	if err != nil {
		t.Fatal(err)
	}
	if p.Size < 4*media.ChunkSize {
		t.Fatalf("got %d bytes, want at least 4 chunks of %d", p.Size, media.ChunkSize)
	}
	if p.Size%media.ChunkSize == 0 {
		t.Fatalf("got %d bytes, want whole chunks of %d and a piece of one", p.Size, media.ChunkSize)
	}
	if err = iotest.TestReader(media.NewReader(ctx, primary, p), want); err != nil {
		t.Error(err)
	}
	v := &counted{Repo: primary}
	got, err := io.ReadAll(media.NewReader(ctx, v, p))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got other %d bytes, want the %d bytes", len(got), len(want))
	}
	if reads := int(p.Size/media.ChunkSize) + 1; v.views != reads {
		t.Errorf("got %d reads, want %d", v.views, reads)
	}
	for _, c := range []struct {
		method, header, value string
		status, length, views int
	}{
		{http.MethodHead, "", "", http.StatusOK, 0, 0},
		{http.MethodGet, "If-None-Match", `"etag"`, http.StatusNotModified, 0, 0},
		{http.MethodGet, "Range", "bytes=-10", http.StatusPartialContent, 10, 1},
		{http.MethodGet, "Range", "bytes=245759-245760", http.StatusPartialContent, 2, 2},
		{http.MethodGet, "Range", "bytes=99999999-", http.StatusRequestedRangeNotSatisfiable, -1, 0},
	} {
		v.views = 0
		w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, c.method, "/", nil)
		r.Header.Set(c.header, c.value)
		w.Header().Set("ETag", `"etag"`)
		w.Header().Set("Content-Type", p.Type)
		http.ServeContent(w, r, "", time.Time{}, media.NewReader(ctx, v, p))
		if w.Code != c.status {
			t.Errorf("%s %s: got the status %d, want %d", c.method, c.value, w.Code, c.status)
		}
		if v.views != c.views {
			t.Errorf("%s %s: got %d reads, want %d", c.method, c.value, v.views, c.views)
		}
		if n := w.Body.Len(); c.length >= 0 && n != c.length {
			t.Errorf("%s %s: got %d bytes, want %d", c.method, c.value, n, c.length)
		}
	}
}

func TestReaderOfWhatIsRemoved(t *testing.T) {
	t.Parallel()
	ctx, primary, _ := mustRepos(t)
	p, err := media.Upload(ctx, primary, MustNoise(t, 1000, 6))
	if err != nil {
		t.Fatal(err)
	}
	r := media.NewReader(ctx, primary, p)
	if _, err = r.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	mustRemove(t, primary, p.Hash)
	n, err := io.Copy(io.Discard, r)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, want %v", err, io.ErrUnexpectedEOF)
	}
	if n != media.ChunkSize-1 {
		t.Errorf("got %d bytes, want %d", n, media.ChunkSize-1)
	}
	if err := r.Err(); err == nil {
		t.Errorf("Err: got %v, want an error", err)
	}
}
