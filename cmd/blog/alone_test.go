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

// TestSaysWhatIsOnOneNodeAlone: who has saved something on a machine under LiteFS is told
// that no standby has it, in words or in JSON, and so is the log of the server.
func TestSaysWhatIsOnOneNodeAlone(t *testing.T) {
	for _, rests := range []repo.Assurance{repo.Two, repo.Alone} {
		alone := rests == repo.Alone
		registry, err := app.Registry()
		if err != nil {
			t.Fatal(err)
		}
		var log repotest.Journal
		seat := repotest.NewSeat(repotest.Primary())
		primary := repotest.MustOpen(t, repo.Options{
			Path: filepath.Join(t.TempDir(), "blog.db"), Node: seat, Registry: registry, Authorize: accounts.Authorize,
			Durability: repotest.Rests(rests), Middleware: []repo.Middleware{repo.Log(log.Text(), seat)},
		})
		const secret = "0123456789abcdef0123456789abcdef"
		server := httptest.NewServer(repo.NewHandler(primary, secret, log.Text()))
		t.Cleanup(server.Close)
		w := newWorld(t).with("LITEFS_URL=http://127.0.0.1:1", "CLUSTER_SECRET="+secret, "PRIMARY_URL=http://{hostname}", "PRIVATE_ADDR="+server.Listener.Addr().String())
		w.mustAuthor(t)

		const words = "the primary alone has this"
		if o := w.run(t, "post", "new", "--title", "In words"); o.code != 0 || strings.Contains(o.err, words) != alone {
			t.Errorf("%s: exit code %d: %s%s", rests, o.code, o.out, o.err)
		}
		o := w.run(t, "post", "new", "--title", "In JSON", "--json")
		if o.code != 0 || o.err != "" || decode[map[string]any](t, o.out)["durability"] != string(rests) {
			t.Errorf("%s: exit code %d: %s%s", rests, o.code, o.out, o.err)
		}
		// So is who was refused because of something that is there.
		const wordsOfRefusal = "the primary alone says so"
		if o = w.run(t, "post", "edit", "in-words", "--title", "x", "--revision", "9"); o.code != 1 || strings.Contains(o.err, wordsOfRefusal) != alone || strings.Contains(o.err, words) {
			t.Errorf("%s: refused with exit code %d: %s%s", rests, o.code, o.out, o.err)
		}
		o = w.run(t, "post", "edit", "in-words", "--title", "x", "--revision", "9", "--json")
		if o.code != 1 || o.err != "" || decode[map[string]any](t, o.out)["durability"] != string(rests) {
			t.Errorf("%s: refused with exit code %d: %s%s", rests, o.code, o.out, o.err)
		}
		if !strings.Contains(log.String(), "durability="+string(rests)) {
			t.Errorf("%s: the log says %s", rests, log.String())
		}
	}
}
