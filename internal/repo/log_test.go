package repo_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
	"blog/internal/transport"
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
			[]string{`"level":"INFO"`, `"msg":"write"`, `"command":"items.put"`, `"actor":"operator"`, `"key":"k"`,
				`"request_id":"r"`, `"role":"replica"`, `"seq":1`, `"replayed":false`, `"took":`}},
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
		if n := strings.Count(text, "\n"); n != 1 {
			t.Errorf("got %d lines, want 1: %s", n, text)
		}
		for _, want := range x.want {
			if !strings.Contains(text, want) {
				t.Errorf("got %s, want %s in it", text, want)
			}
		}
	}
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 3 {
		o := options(t, filepath.Join(t.TempDir(), "blog.db"), repotest.NewNode(repotest.Primary()))
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
	repotest.Eventually(t, patience, "as few goroutines as before",
		func() bool { return runtime.NumGoroutine() <= before })
}

// TestLogSaysInWhichRoleACallWasCarriedOut: a call that came to a primary may be carried out by the next one.
func TestLogSaysInWhichRoleACallWasCarriedOut(t *testing.T) {
	j, c := &repotest.Journal{}, MustCluster(t)
	successor := c.node.Role()
	node := repotest.NewNode(repotest.Primary())
	client := transport.NewClient(repotest.Secret)
	defer client.Close()
	lost := func(context.Context, *repo.Call) error {
		node.Set(successor)
		return apperr.NewUnavailable(apperr.NotNow, "The role is lost.", 0, nil)
	}
	handle := repo.Log(j.JSON(), node)(repo.Forward(node, client, slog.New(slog.DiscardHandler))(lost))
	call := &repo.Call{
		Name: "items.put", Key: "k", Actor: repo.Actor{Name: repo.Operator}, Deadline: time.Now().Add(time.Minute),
		Body: []byte(`{"item":"a"}`),
	}
	if err := handle(operator(), call); err != nil {
		t.Fatal(err)
	}
	if got, want := j.String(), `"role":"replica"`; !strings.Contains(got, want) {
		t.Errorf("the log says %s, want %s", got, want)
	}
}

// TestRefusalsThatAreAskedAgainAreLoggedSeldom: once for each cause, and then with how many were left out.
func TestRefusalsThatAreAskedAgainAreLoggedSeldom(t *testing.T) {
	starting := func(why string) error {
		return apperr.NewUnavailable(apperr.NotNow, "The primary is starting.", 0, errors.New(why))
	}
	unknown := apperr.NewUnavailable(apperr.OutcomeUnknown, "Who knows.", 0, nil)
	refused := apperr.Errorf(apperr.Conflict, "No.")
	var r repo.Refusals
	began := time.Now()
	for i, c := range []struct {
		err     error
		after   time.Duration
		skipped int
		due     bool
	}{
		{starting("a"), 0, 0, true},
		{starting("a"), time.Second, 0, false},
		{starting("b"), time.Second, 0, true},
		{starting("a"), 9 * time.Second, 0, false},
		{unknown, 9 * time.Second, 0, true}, {unknown, 9 * time.Second, 0, true},
		{refused, 9 * time.Second, 0, true}, {refused, 9 * time.Second, 0, true},
		{nil, 9 * time.Second, 0, true}, {nil, 9 * time.Second, 0, true},
		{starting("a"), 10 * time.Second, 2, true},
		{starting("a"), 11 * time.Second, 0, false},
		{starting("a"), 20 * time.Second, 1, true},
	} {
		skipped, due := r.Due(c.err, began.Add(c.after))
		if skipped != c.skipped {
			t.Errorf("%d: %v after %s: %d were left out, want %d", i, c.err, c.after, skipped, c.skipped)
		}
		if due != c.due {
			t.Errorf("%d: %v after %s: got due %t, want %t", i, c.err, c.after, due, c.due)
		}
	}
}

// TestAttemptsAtAPrimaryWithoutATermAreLoggedSeldom: those of a write that goes on asking.
func TestAttemptsAtAPrimaryWithoutATermAreLoggedSeldom(t *testing.T) {
	c := MustCluster(t)
	if err := c.primary.Retire(); err != nil {
		t.Fatal(err)
	}
	call, client := &repo.Call{
		Name: "items.put", Key: "k", Actor: repo.Actor{Name: repo.Operator}, Deadline: time.Now().Add(time.Minute),
		Body: []byte(`{"item":"a"}`),
	}, transport.NewClient(repotest.Secret)
	defer client.Close()
	const attempts = 60
	for range attempts {
		if err := repo.Send(t.Context(), client, c.server.URL, repo.PathSuper, call); !apperr.HasReason(err, apperr.NotNow) {
			t.Fatalf("%v, want the reason %v", err, apperr.NotNow)
		}
	}
	if n := strings.Count(c.log.String(), "write refused"); n < 1 || n > attempts/2 {
		t.Errorf("%d lines of %d attempts, want 1 to %d", n, attempts, attempts/2)
	}
}
