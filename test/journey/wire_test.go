package journey_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"blog/internal/accounts"
	"blog/internal/app"
	"blog/internal/apperr"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/transport"
	"blog/test/cluster"
)

// operator returns a client of node for the command line, and a context of the operator.
func operator(tb testing.TB, c *cluster.Cluster, node *cluster.Node) (context.Context, *repo.Client) {
	tb.Helper()
	transport := transport.NewClient(c.Secret)
	tb.Cleanup(transport.Close)
	return repo.As(tb.Context(), repo.Actor{Name: repo.Operator}), repo.NewClient(node.PrivateURL, transport)
}

// withEmptyBody are the commands for which an empty body is right, and who may give them. When no clock was ahead
// clock.reset has nothing to do, which is no error.
var withEmptyBody = map[string][]string{
	repo.ClockReset:           {repo.Operator},
	accounts.Confirm{}.Name(): {repo.Operator, repo.Visitor},
}

// equalErrors sends what every command of this release must refuse to the primary and to a replica,
// and compares the answers field by field.
func equalErrors(t *testing.T, c *cluster.Cluster, replica *cluster.Node) {
	t.Helper()
	registry, err := app.Registry()
	if err != nil {
		t.Fatal(err)
	}
	names := registry.Names()
	slices.Sort(names)
	if len(names) < 10 {
		t.Fatalf("only %d commands: %v", len(names), names)
	}
	ctx, atPrimary := operator(t, c, c.Primary())
	_, atReplica := operator(t, c, replica)
	for _, name := range names {
		for _, actor := range []string{repo.Operator, repo.Visitor} {
			for _, body := range []string{
				`{}`, `{"no_such_field":1}`, `[]`, `{"id":-1,"post":"nobody","revision":7,"title":"","slug":"/"}`,
			} {
				here := ask(ctx, atPrimary, name, actor, body)
				there := ask(ctx, atReplica, name, actor, body)
				if here == "" && (body != `{}` || !slices.Contains(withEmptyBody[name], actor)) {
					t.Errorf("%s by %s took %s", name, actor, body)
				}
				if here != there {
					t.Errorf("%s by %s with %s:\nthe primary: %s\na replica:   %s", name, actor, body, here, there)
				}
			}
		}
	}
}

// ask sends one call and returns the refusal in its wire form, or "" when it was not refused.
func ask(ctx context.Context, client *repo.Client, name, actor, body string) string {
	err := client.Call(ctx, &repo.Call{
		Name: name, Key: repo.NewKey(), Actor: repo.Actor{Name: actor}, Deadline: time.Now().Add(repo.DefaultDeadline),
		Body: json.RawMessage(body),
	})
	if err == nil {
		return ""
	}
	wire, err := json.Marshal(apperr.From(err))
	if err != nil {
		return err.Error()
	}
	return string(wire)
}

// framesShowPages edits a post 200 times on one replica. When a frame arrives on another, a page
// that is fetched there shows that change or a later one.
func framesShowPages(t *testing.T, c *cluster.Cluster, here, there *cluster.Node) {
	t.Helper()
	const edits = 200
	ctx, client := operator(t, c, here)
	ref, err := repo.Write(ctx, client, posts.Create{Title: "Counted", Slug: "counted", Body: "edit 0.", Publish: true})
	if err != nil {
		t.Fatal(err)
	}
	cluster.Poll(t, patience, "the post is there", func(ctx context.Context) error {
		p, err := newVisitor(t).try(ctx, http.MethodGet, there.PublicURL+"/posts/counted", nil)
		if err == nil && p.status != http.StatusOK {
			err = errors.New("not yet")
		}
		return err
	})
	frames := follow(t, there, "/posts/counted")
	next(t, frames, "hello")
	written := make(chan error, 1)
	go func() { written <- editTimes(ctx, client, ref, edits) }()
	reader := newVisitor(t)
	for seen := 0; seen < edits; {
		f := next(t, frames, "change")
		var n, shown int
		if _, err := fmt.Sscanf(f.HTML[strings.Index(f.HTML, "edit "):], "edit %d.", &n); err != nil {
			t.Fatalf("frame without a number: %v", err)
		}
		body := reader.get(there.PublicURL+"/posts/counted").want(t, http.StatusOK).body
		if _, err := fmt.Sscanf(body[strings.Index(body, "edit "):], "edit %d.", &shown); err != nil {
			t.Fatalf("page without a number: %v", err)
		}
		if shown < n {
			t.Fatalf("the frame said edit %d, the page said %d", n, shown)
		}
		if n < seen {
			t.Fatalf("edit %d after edit %d", n, seen)
		}
		seen = n
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
}

func editTimes(ctx context.Context, w repo.Writer, ref posts.Ref, times int) error {
	for i := range times {
		body := fmt.Sprintf("edit %d.", i+1)
		var err error
		if ref, err = repo.Write(ctx, w, posts.Update{
			Target: posts.Target{ID: ref.ID}, Revision: ref.Revision, Body: &body,
		}); err != nil {
			return err
		}
	}
	return nil
}
