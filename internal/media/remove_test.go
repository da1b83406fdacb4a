package media_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"blog/internal/media"
	"blog/internal/repo"
)

func TestRemovedWithItsLastPostAndUploadedAgain(t *testing.T) {
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
		t.Error("public before a post shows it")
	}
	repo.MustWrite(ctx, replica, show{pic.Hash})
	if !public() {
		t.Error("not public in a published post")
	}
	repo.MustWrite(ctx, replica, drop{media.Hash(nil)}) // another one: this stays
	if _, _, err := stored(ctx, replica, pic.Hash); err != nil || public() {
		t.Errorf("without a post: %v", err)
	}
	repo.MustWrite(ctx, replica, drop{pic.Hash})
	if _, _, err := stored(ctx, replica, pic.Hash); !errors.Is(err, repo.NotFound) {
		t.Errorf("removed: %v", err)
	}
	if n := count(t, primary, "SELECT COUNT(*) FROM media_chunks"); n != 0 {
		t.Errorf("%d chunks are left", n)
	}
	if again, err := media.Upload(ctx, replica, data); err != nil || again != pic {
		t.Errorf("again: %+v, %v", again, err)
	}
	if _, read, err := stored(ctx, primary, pic.Hash); err != nil || !bytes.Equal(read, data) {
		t.Errorf("read: %v", err)
	}
}

// A picture that is removed while it is stored again is stored as a whole.
func TestRemovedWhileUploaded(t *testing.T) {
	ctx, primary, replica := mustRepos(t)
	data := MustNoise(t, 720, 8)
	all := puts(t, data)
	w := &interrupting{Writer: replica, after: len(all), do: func() { repo.MustWrite(ctx, primary, drop{all[0].Hash}) }}
	if _, err := media.Upload(ctx, w, data); err != nil {
		t.Fatal(err)
	}
	if _, read, err := stored(ctx, primary, all[0].Hash); err != nil || !bytes.Equal(read, data) || w.calls <= len(all) {
		t.Errorf("read: %v, %d calls", err, w.calls)
	}
}

// interrupting does something once, between two calls.
type interrupting struct {
	repo.Writer
	calls, after int
	do           func()
}

func (i *interrupting) Call(ctx context.Context, call *repo.Call) error {
	if i.calls++; i.calls == i.after {
		i.do()
	}
	if err := i.Writer.Call(ctx, call); err != nil {
		return fmt.Errorf("call %d: %w", i.calls, err)
	}
	return nil
}
