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
		if o := w.run(t, "post", "new", "--title", "In words"); o.code != 0 || strings.Contains(o.err, message) != alone {
			t.Errorf("%s: exit code %d: %s%s", assurance, o.code, o.out, o.err)
		}
		o := w.run(t, "post", "new", "--title", "In JSON", "--json")
		if o.code != 0 || o.err != "" || decode[map[string]any](t, o.out)["durability"] != string(assurance) {
			t.Errorf("%s: exit code %d: %s%s", assurance, o.code, o.out, o.err)
		}
		// So does the answer to a write that was refused because of something that is stored.
		const refusalMessage = "the primary alone says so"
		if o = w.run(t, "post", "edit", "in-words", "--title", "x", "--revision", "9"); o.code != 1 ||
			strings.Contains(o.err, refusalMessage) != alone || strings.Contains(o.err, message) {
			t.Errorf("%s: refused with exit code %d: %s%s", assurance, o.code, o.out, o.err)
		}
		o = w.run(t, "post", "edit", "in-words", "--title", "x", "--revision", "9", "--json")
		if o.code != 1 || o.err != "" || decode[map[string]any](t, o.out)["durability"] != string(assurance) {
			t.Errorf("%s: refused with exit code %d: %s%s", assurance, o.code, o.out, o.err)
		}
		if !strings.Contains(log.String(), "durability="+string(assurance)) {
			t.Errorf("%s: the log says %s", assurance, log.String())
		}
	}
}
