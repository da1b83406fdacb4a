package live_test

import (
	"context"
	"sync"
	"testing"

	"blog/internal/live"
	"blog/internal/repo"
)

// blocked stops whoever comes to it, once, until it is opened.
type blocked struct {
	reached, pass chan struct{}
	open          func()
}

func newBlocked() *blocked {
	b := &blocked{reached: make(chan struct{}), pass: make(chan struct{})}
	b.open = sync.OnceFunc(func() { close(b.pass) })
	return b
}

func (b *blocked) wait() {
	close(b.reached)
	<-b.pass
}

// TestARowWhileMissedChangesAreRead: what is delivered while a socket's missed changes are being read comes after them,
// once.
func TestARowWhileMissedChangesAreRead(t *testing.T) {
	b := newBlocked()
	s := MustSite(t, change{options: func(o *live.Options) {
		view, first := o.View, true
		o.View = func(ctx context.Context, fn func(rd repo.Reader) error) error {
			if first { // of the one socket's
				first = false
				b.wait()
			}
			return view(ctx, fn)
		}
	}})
	t.Cleanup(b.open)
	start := MustDo(t, s, post(1, "a", "A"))
	missed := MustDo(t, s, post(1, "a", "B"))
	c := MustFollow(t, s, "posts", start.String())
	<-b.reached
	meanwhile := MustDo(t, s, post(1, "a", "C"))
	b.open()
	MustChange(t, c, missed)
	MustChange(t, c, meanwhile)
	MustChange(t, c, MustDo(t, s, post(1, "a", "D")))
}

// TestASocketThatOpensDuringARendering reads the row that is being rendered for others itself: it is not among those
// that get the frame.
func TestASocketThatOpensDuringARendering(t *testing.T) {
	s := MustSite(t, change{})
	start := MustDo(t, s, post(1, "a", "A"))
	other := MustFollow(t, s, "posts", start.String())
	b := newBlocked()
	t.Cleanup(b.open)
	hold := func() error { b.wait(); return nil }
	s.render.faulty.Store(&hold)
	written := make(chan repo.Cursor)
	go func() { written <- MustDo(t, s, post(1, "a", "B")) }()
	<-b.reached
	s.render.faulty.Store(nil)
	c := MustFollow(t, s, "posts", start.String())
	f := c.MustNext(t)
	b.open()
	at := <-written
	if f.Type != "change" {
		t.Errorf("got %+v, want a change", f)
	}
	if f.Cursor != at.String() {
		t.Errorf("got the cursor %s, want %s", f.Cursor, at)
	}
	MustChange(t, other, at)
	at = MustDo(t, s, post(1, "a", "C"))
	MustChange(t, c, at)
	MustChange(t, other, at)
}
