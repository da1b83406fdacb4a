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
	if err != nil || p.Size < 4*media.ChunkSize || p.Size%media.ChunkSize == 0 {
		t.Fatalf("%v, %d bytes, want no error, at least 4 chunks of %d, and a piece of one", err, p.Size, media.ChunkSize)
	}
	if err := iotest.TestReader(media.NewReader(ctx, primary, p), want); err != nil {
		t.Error(err)
	}
	v := &counted{Repo: primary}
	if got, err := io.ReadAll(media.NewReader(ctx, v, p)); err != nil || !bytes.Equal(got, want) ||
		v.views != int(p.Size/media.ChunkSize)+1 {
		t.Errorf("%v, %d bytes of %d in %d reads", err, len(got), len(want), v.views)
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
		if w.Code != c.status || v.views != c.views || c.length >= 0 && w.Body.Len() != c.length {
			t.Errorf("%s %s: %d, %d bytes in %d reads, want %d, %d bytes in %d", c.method, c.value, w.Code, w.Body.Len(),
				v.views, c.status, c.length, c.views)
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
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	mustRemove(t, primary, p.Hash)
	if n, err := io.Copy(io.Discard, r); !errors.Is(err, io.ErrUnexpectedEOF) || n != media.ChunkSize-1 || r.Err() == nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}
