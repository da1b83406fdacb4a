package media_test

import (
	"bytes"
	"context"
	"testing"

	"blog/internal/media"
	"blog/internal/repo"
)

// late is a Put that calls a hook between its Prepare and its Apply. The context has the hook.
type late struct {
	Put media.Put `json:"put"`
}

func (late) Name() string { return "test.late" }

func (l late) Apply(ctx context.Context, tx *repo.Tx) (media.Stored, error) {
	return l.Put.Apply(ctx, tx)
}

func (l late) Prepare(ctx context.Context, v repo.Viewer) (repo.Command[media.Stored], error) {
	cmd, err := l.Put.Prepare(ctx, v)
	if f, ok := ctx.Value(hookKey{}).(func()); ok && err == nil {
		f()
	}
	return cmd, err
}

type hookKey struct{}

// TestChunksThatChangeWhileThePictureIsVerified: the verdict of Prepare does not count for chunks
// that are stored after it.
func TestChunksThatChangeWhileThePictureIsVerified(t *testing.T) {
	data := MustNoise(t, 720, 9)
	all := puts(t, data)
	last := len(all) - 1
	for name, c := range map[string]struct {
		before, meanwhile []media.Put
		complete          bool
	}{
		"as they were":                 {all[:last], nil, true},
		"one for worse":                {all[:last], []media.Put{flipped(all[0])}, false},
		"one for good":                 {append([]media.Put{flipped(all[0])}, all[1:last]...), all[:1], true},
		"the last that was missing":    {all[1:last], all[:1], true},
		"a wrong one that was missing": {all[1:last], []media.Put{flipped(all[0])}, false},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, primary, _ := mustRepos(t)
			put := func(list []media.Put) {
				for _, p := range list {
					repo.MustWrite(ctx, primary, p)
				}
			}
			put(c.before)
			got, err := repo.Write(context.WithValue(ctx, hookKey{}, func() { put(c.meanwhile) }), primary, late{all[last]})
			if err != nil {
				t.Fatal(err)
			}
			if got.Complete != c.complete {
				t.Errorf("got %+v, want Complete %t", got, c.complete)
			}
			_, read, err := stored(ctx, primary, all[0].Hash)
			if (err == nil) != c.complete {
				t.Errorf("read: got the error %v, want complete %t", err, c.complete)
			}
			if c.complete && !bytes.Equal(read, data) {
				t.Errorf("read: got other %d bytes, want the %d bytes", len(read), len(data))
			}
			if n := count(t, primary, "SELECT COUNT(*) FROM media"); !c.complete && n != 0 {
				t.Errorf("%d rows of what is wrong are left, want 0", n)
			}
		})
	}
}
