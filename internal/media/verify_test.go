package media_test

import (
	"bytes"
	"context"
	"testing"

	"blog/internal/media"
	"blog/internal/repo"
)

// late is a Put between whose Prepare and Apply something happens: what hook put
// into the context.
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

// What Prepare has seen is no word on chunks that came after it looked.
func TestChunksThatChangeWhileThePictureIsLookedAt(t *testing.T) {
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
			if err != nil || got.Complete != c.complete {
				t.Errorf("got %+v, %v", got, err)
			}
			_, read, err := stored(ctx, primary, all[0].Hash)
			if (err == nil) != c.complete || c.complete && !bytes.Equal(read, data) {
				t.Errorf("read: %v", err)
			}
			if n := count(t, primary, "SELECT COUNT(*) FROM media"); !c.complete && n != 0 {
				t.Error("what is wrong stays")
			}
		})
	}
}
