package main_test

import (
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"blog/internal/accounts"
	"blog/internal/app"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
)

// TestSaysWhatIsOnOneNodeAlone: under LiteFS the answer to a write says, in words and in JSON, when
// no standby has it, and so does the log of the server.
func TestSaysWhatIsOnOneNodeAlone(t *testing.T) {
	for _, assurance := range []repo.Assurance{repo.Two, repo.Alone} {
		alone := assurance == repo.Alone
		registry, err := app.Registry()
		if err != nil {
			t.Fatal(err)
		}
		var log repotest.Journal
		role := repotest.NewNode(repotest.Primary())
		primary := repotest.MustOpen(t, repo.Options{
			Path: filepath.Join(t.TempDir(), "blog.db"), Node: role, Registry: registry, Authorize: accounts.Authorize,
			Durability: repotest.Assured(assurance), Middleware: []repo.Middleware{repo.Log(log.Text(), role)},
		})
		const secret = "0123456789abcdef0123456789abcdef"
		server := httptest.NewServer(repo.NewHandler(primary, secret, log.Text()))
		t.Cleanup(server.Close)
		w := newWorld(t).
			with("LITEFS_URL=http://127.0.0.1:1", "CLUSTER_SECRET="+secret, "PRIMARY_URL=http://{hostname}",
				"PRIVATE_ADDR="+server.Listener.Addr().String())
		w.mustAuthor(t)

		const message = "the primary alone has this"
		in := string(assurance)
		o := w.run(t, "post", "new", "--title", "In words")
		o.expectCode(t, in, 0)
		if got := strings.Contains(o.err, message); got != alone {
			t.Errorf("%s: got %q on standard error, want %q in it: %t", assurance, o.err, message, alone)
		}
		o = w.run(t, "post", "new", "--title", "In JSON", "--json")
		o.expectCode(t, in, 0)
		o.expectNoErr(t, in)
		if got := decode[map[string]any](t, o.out)["durability"]; got != in {
			t.Errorf("%s: got the durability %v, want %q", assurance, got, in)
		}
		// So does the answer to a write that was refused because of something that is stored.
		const refusalMessage = "the primary alone says so"
		o = w.run(t, "post", "edit", "in-words", "--title", "x", "--revision", "9")
		o.expectCode(t, in+", refused", 1)
		if got := strings.Contains(o.err, refusalMessage); got != alone {
			t.Errorf("%s, refused: got %q on standard error, want %q in it: %t", assurance, o.err, refusalMessage, alone)
		}
		if strings.Contains(o.err, message) {
			t.Errorf("%s, refused: got %q on standard error, want it without %q", assurance, o.err, message)
		}
		o = w.run(t, "post", "edit", "in-words", "--title", "x", "--revision", "9", "--json")
		o.expectCode(t, in+", refused", 1)
		o.expectNoErr(t, in+", refused")
		if got := decode[map[string]any](t, o.out)["durability"]; got != in {
			t.Errorf("%s, refused: got the durability %v, want %q", assurance, got, in)
		}
		if want := "durability=" + in; !strings.Contains(log.String(), want) {
			t.Errorf("%s: got the log %s, want %q in it", assurance, log.String(), want)
		}
	}
}
