package repo_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"blog/internal/apperr"
	"blog/internal/repo"
)

// seen is what a caller may see of an error.
func seen(err error) apperr.Error {
	e := apperr.From(err)
	return apperr.Error{Code: e.Code, Reason: e.Reason, Message: e.Message, Fields: e.Fields, Key: e.Key,
		Primary: e.Primary, RetryAfter: e.RetryAfter}
}

// uncaused compares errors without their causes, which stay on their nodes.
var uncaused = cmpopts.IgnoreUnexported(apperr.Error{})

func TestErrorsAreEqualOnEveryNode(t *testing.T) {
	c := MustCluster(t)
	write := func(ctx context.Context, f func(ctx context.Context, r *repo.Repo) error) func(t *testing.T) {
		return func(t *testing.T) {
			t.Helper()
			local, forwarded := f(ctx, c.primary), f(ctx, c.replica)
			if local == nil {
				t.Error("on the primary: got no error, want one")
			}
			if diff := cmp.Diff(seen(local), seen(forwarded), uncaused); diff != "" {
				t.Errorf("forwarded, want what is seen on the primary (-want +got):\n%s", diff)
			}
			if apperr.From(local).Code == apperr.Internal {
				if got := seen(local).Message + seen(forwarded).Message; strings.Contains(got, "secret path") {
					t.Errorf("got the messages %q, want them without %q", got, "secret path")
				}
			}
		}
	}
	for _, how := range waysToFail() {
		t.Run(how, write(operator(), func(ctx context.Context, r *repo.Repo) error {
			_, err := repo.Write(ctx, r, fail{How: how})
			return err
		}))
	}
	for name, ctx := range map[string]context.Context{"visitor": context.Background(), "nobody": as(""),
		"somebody": as("root")} {
		t.Run(name, write(ctx, func(ctx context.Context, r *repo.Repo) error {
			_, err := repo.Write(ctx, r, put{Item: "a"})
			return err
		}))
	}
	t.Run("prepare", write(operator(), func(ctx context.Context, r *repo.Repo) error {
		_, err := repo.Write(ctx, r, guess{Item: "bad"})
		return err
	}))
	t.Run("panic in prepare", write(operator(), func(ctx context.Context, r *repo.Repo) error {
		_, err := repo.Write(ctx, r, guess{Item: "panic"})
		return err
	}))
	t.Run("too large", write(operator(), func(ctx context.Context, r *repo.Repo) error {
		_, err := repo.Write(ctx, r, put{Item: strings.Repeat("a", 5<<20)})
		return err
	}))
	t.Run("empty key", write(operator(), func(ctx context.Context, r *repo.Repo) error {
		_, err := repo.Write(ctx, r, put{Item: "a"}, func(c *repo.Call) { c.Key = "" })
		return err
	}))
	t.Run("unknown command", write(operator(), func(ctx context.Context, r *repo.Repo) error {
		_, err := repo.Write(ctx, r, put{Item: "a"}, func(c *repo.Call) { c.Name = "items.nope" })
		return err
	}))
	t.Run("bad body", write(operator(), func(ctx context.Context, r *repo.Repo) error {
		_, err := repo.Write(ctx, r, put{Item: "a"}, func(c *repo.Call) { c.Body = []byte(`{"item":7}`) })
		return err
	}))
	if n := MustCount(t, c.primary, "SELECT (SELECT COUNT(*) FROM writes) + (SELECT COUNT(*) FROM items)"); n != 0 {
		t.Errorf("%d rows of refused writes, want 0", n)
	}
	repo.MustWrite(operator(), c.replica, put{Item: "still works"})
}

// TestOnlyErrorsWithCodesLeave: whatever an Apply fails with, what super returns is itself an error as it comes out of
// the wire, and no other that has one inside.
func TestOnlyErrorsWithCodesLeave(t *testing.T) {
	c := MustCluster(t)
	for _, how := range waysToFail() {
		_, err := c.primary.Super(operator(), fail{}.Name(), "key", []byte(`{"how":"`+how+`"}`))
		e, ok := err.(*apperr.Error) //nolint:errorlint // it is to be one, and not to have one inside
		if !ok {
			t.Errorf("%s: got the %T %v, want an *apperr.Error", how, err, err)
			continue
		}
		if diff := cmp.Diff(seen(overTheWire(t, e)), seen(e), uncaused); diff != "" {
			t.Errorf("%s: want it as it comes out of the wire (-want +got):\n%s", how, diff)
		}
	}
}

// overTheWire is e as another node reads it.
func overTheWire(t *testing.T, e *apperr.Error) *apperr.Error {
	t.Helper()
	sent, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	got := &apperr.Error{}
	if err := json.Unmarshal(sent, got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestVisitorMayOnlyWhatIsPublic(t *testing.T) {
	eachNode(t, func(t *testing.T, _ *cluster, r *repo.Repo) {
		t.Helper()
		ok, err := repo.Write(context.Background(), r, loud{})
		if err != nil {
			t.Error(err)
		}
		if !ok {
			t.Error("public: got false, want true")
		}
	})
}
