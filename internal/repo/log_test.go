package repo_test

import (
	"context"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

func TestLogHasOneLineForEachWrite(t *testing.T) {
	j := &repotest.Journal{}
	c := MustCluster(t)
	o := options(t, c.path, c.node)
	o.LiteFS, o.Middleware = true, []repo.Middleware{repo.Log(j.JSON(), c.node)}
	r := repotest.MustOpen(t, o)
	for _, x := range []struct {
		write func(ctx context.Context) error
		want  []string
	}{
		{func(ctx context.Context) error {
			_, err := repo.Write(ctx, r, put{Item: "a"}, repo.WithKey("k"))
			return err
		},
			[]string{`"level":"INFO"`, `"msg":"write"`, `"command":"items.put"`, `"actor":"operator"`, `"key":"k"`, `"request_id":"r"`, `"role":"replica"`, `"seq":1`, `"replayed":false`, `"took":`}},
		{func(ctx context.Context) error {
			_, err := repo.Write(ctx, r, put{Item: "a"}, repo.WithKey("k"))
			return err
		},
			[]string{`"level":"INFO"`, `"seq":1`, `"replayed":true`}},
		{func(ctx context.Context) error { _, err := repo.Write(ctx, r, put{}); return err },
			[]string{`"level":"INFO"`, `"msg":"write refused"`, `"code":"invalid"`}},
		{func(ctx context.Context) error { _, err := repo.Write(ctx, r, fail{How: "unavailable"}); return err },
			[]string{`"level":"WARN"`, `"code":"unavailable"`, `"reason":"full"`}},
		{func(ctx context.Context) error { _, err := repo.Write(ctx, r, fail{How: "internal"}); return err },
			[]string{`"level":"ERROR"`, `"code":"internal"`}},
	} {
		before := len(j.String())
		_ = x.write(repo.WithRequestID(operator(), "r"))
		text := j.String()[before:]
		if strings.Count(text, "\n") != 1 {
			t.Errorf("not one line: %s", text)
		}
		for _, want := range x.want {
			if !strings.Contains(text, want) {
				t.Errorf("no %s in %s", want, text)
			}
		}
	}
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 3 {
		o := options(t, filepath.Join(t.TempDir(), "blog.db"), repotest.NewSeat(repotest.Primary()))
		o.Tasks = []repo.Task{func(ctx context.Context, _ *repo.Repo) { <-ctx.Done() }}
		r, err := repo.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		repo.MustWrite(operator(), r, put{Item: "a"})
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	repotest.Eventually(t, patience, "as few goroutines as before", func() bool { return runtime.NumGoroutine() <= before })
}
