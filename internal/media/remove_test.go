package media_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"blog/internal/apperr"
	"blog/internal/media"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

func TestOutlivesItsLastPostAndIsUploadedAgain(t *testing.T) {
	ctx, primary, replica := mustRepos(t)
	data := MustNoise(t, 520, 7)
	pic, err := media.Upload(ctx, replica, data)
	if err != nil {
		t.Fatal(err)
	}
	public := func() (yes bool) {
		err := replica.View(ctx, func(rd repo.Reader) (err error) {
			yes, err = media.Public(ctx, rd, pic.Hash)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return yes
	}
	if public() {
		t.Error("public before a post shows it, want it hidden")
	}
	repo.MustWrite(ctx, replica, show{pic.Hash})
	if !public() {
		t.Error("hidden in a published post, want it public")
	}
	repo.MustWrite(ctx, replica, drop{media.Hash(nil)}) // of another picture: this one stays
	if _, _, err := stored(ctx, replica, pic.Hash); err != nil {
		t.Errorf("without a post: got the error %v, want none", err)
	}
	if public() {
		t.Error("public without a post, want it hidden")
	}
	repo.MustWrite(ctx, replica, drop{pic.Hash})
	if _, _, err := stored(ctx, replica, pic.Hash); err != nil {
		t.Errorf("after its last post: got the error %v, want the picture", err)
	}
	mustRemove(t, primary, pic.Hash)
	if _, _, err := stored(ctx, replica, pic.Hash); !errors.Is(err, apperr.NotFound) {
		t.Errorf("removed: %v, want %v", err, apperr.NotFound)
	}
	if n := count(t, primary, "SELECT COUNT(*) FROM media_chunks"); n != 0 {
		t.Errorf("%d chunks are left, want 0", n)
	}
	again, errAgain := media.Upload(ctx, replica, data)
	if errAgain != nil {
		t.Fatalf("again: %v", errAgain)
	}
	if again != pic {
		t.Errorf("again: got %+v, want %+v", again, pic)
	}
	wantData(ctx, t, primary, pic.Hash, data)
}

// mustRemove makes a picture, or the chunks of one, old and sweeps it.
func mustRemove(tb testing.TB, r *repo.Repo, hash string) {
	tb.Helper()
	ctx := repotest.As(tb.Context(), repo.System)
	repo.MustWrite(ctx, r, age{hash, aDay})
	if got := repo.MustWrite(ctx, r, media.Sweep{Hash: hash}); !got.Removed {
		tb.Errorf("%s: got %+v, want Removed true", hash, got)
	}
}

// TestRemovedWhileUploaded: chunks that are removed while the others are sent are sent again.
func TestRemovedWhileUploaded(t *testing.T) {
	ctx, primary, replica := mustRepos(t)
	data := mustPad(t, 6*media.ChunkSize)
	all := puts(t, data)
	w := &interrupting{Writer: replica, after: len(all), do: func() { mustRemove(t, primary, all[0].Hash) }}
	if _, err := media.Upload(ctx, w, data); err != nil {
		t.Fatal(err)
	}
	wantData(ctx, t, primary, all[0].Hash, data)
	if w.calls <= len(all) {
		t.Errorf("got %d calls, want more than %d", w.calls, len(all))
	}
}

// interrupting calls a function once, before call number after, when the calls before it have
// ended.
type interrupting struct {
	repo.Writer
	mu           sync.Mutex
	calls, after int
	running      sync.WaitGroup
	do           func()
}

func (i *interrupting) Call(ctx context.Context, call *repo.Call) error {
	i.mu.Lock()
	i.calls++
	n := i.calls
	if n == i.after {
		i.running.Wait()
		i.do()
	}
	i.running.Add(1)
	i.mu.Unlock()
	defer i.running.Done()
	if err := i.Writer.Call(ctx, call); err != nil {
		return fmt.Errorf("call %d: %w", n, err)
	}
	return nil
}
