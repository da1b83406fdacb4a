package main_test

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	main "blog/cmd/blog"
	"blog/internal/accounts"
	"blog/internal/app"
	"blog/internal/media"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// beforeImports is a Writer that calls a function once, before the first file is stored.
type beforeImports struct {
	repo.Writer
	do func()
}

func (b *beforeImports) Call(ctx context.Context, call *repo.Call) error {
	if call.Name == "posts.import" && b.do != nil {
		b.do()
		b.do = nil
	}
	return b.Writer.Call(ctx, call)
}

// TestAPictureIsGoneWhenItsFileIsStored: a run that takes longer than a picture stays that no post
// shows uploads the picture again. The progress on a terminal counts its bytes.
func TestAPictureIsGoneWhenItsFileIsStored(t *testing.T) {
	registry, err := app.Registry()
	if err != nil {
		t.Fatal(err)
	}
	clock := repotest.NewClock(time.Now().UTC())
	r := repotest.MustOpen(t, repo.Options{
		Path: filepath.Join(t.TempDir(), "blog.db"), Node: repotest.NewNode(repotest.Primary()),
		Registry: registry, Now: clock.Now, Authorize: accounts.Authorize,
	})
	hasher := accounts.NewHasher(accounts.Params{Memory: 64, Time: 1, Threads: 1})
	if _, _, err = accounts.AddUser(t.Context(), r, hasher, accounts.NewUser{
		Email: "a@example.org", Name: "A", Password: "correct horse battery",
	}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var picture bytes.Buffer
	if err = png.Encode(&picture, image.NewGray(image.Rect(0, 0, 3, 3))); err != nil {
		t.Fatal(err)
	}
	mustWriteFile(t, filepath.Join(dir, "a.md"), "---\nslug: a\npublished_at: 2024-05-01\n---\n![](a.png)\n")
	if err = os.WriteFile(filepath.Join(dir, "a.png"), picture.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	hash := media.Hash(picture.Bytes())
	w := &beforeImports{Writer: r, do: func() {
		clock.Advance(26 * time.Hour)
		got, serr := repo.Write(repotest.As(t.Context(), repo.System), r, media.Sweep{Hash: hash})
		if serr != nil {
			t.Error(serr) // not Fatal: this may be another goroutine
		}
		if !got.Removed {
			t.Errorf("swept: got %+v, want Removed true", got)
		}
	}}
	var shown bytes.Buffer
	n, err := main.Import(t.Context(), w, dir, &shown)
	if err != nil {
		t.Fatalf("%v: %s", err, shown.String())
	}
	if n != 1 {
		t.Errorf("got %d new, want 1: %s", n, shown.String())
	}
	if want := "a.png  100 %"; !strings.Contains(shown.String(), want) {
		t.Errorf("shown: got %q, want %q in it", shown.String(), want)
	}
	err = r.View(t.Context(), func(rd repo.Reader) error {
		public, perr := media.Public(t.Context(), rd, hash)
		if !public {
			t.Errorf("the picture %s: got public false, want true, as the post shows it", hash)
		}
		return perr
	})
	if err != nil {
		t.Error(err)
	}
}
