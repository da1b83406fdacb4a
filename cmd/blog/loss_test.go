package main_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"blog/internal/app"
	"blog/internal/repo"
)

// TestSaysWhatIsGivenUp, for each thing that a node can know of its copy.
func TestSaysWhatIsGivenUp(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	var answer atomic.Value // of the server
	server := httptest.NewServer(repo.Authenticated(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != app.PathAcceptLoss {
			w.WriteHeader(http.StatusNotFound)
		}
		done := `,"done":false}`
		if r.Method == http.MethodPost {
			done = `,"done":true}`
		}
		_, _ = w.Write([]byte(`{"node":"fra1",` + answer.Load().(string) + done)) // who is gone has asked in vain
	}), secret, slog.New(slog.DiscardHandler)))
	t.Cleanup(server.Close)
	w := newWorld(t).with("LITEFS_URL=http://127.0.0.1:1", "CLUSTER_SECRET="+secret, "PRIMARY_URL=http://{hostname}", "PRIVATE_ADDR="+server.Listener.Addr().String())

	const onFra2 = "every acknowledged write was on fra2. "
	for name, c := range map[string]struct{ answer, want string }{
		"all of its copy is shared": {
			`"before":["fra2"],"seq":102,"shared":102,"known":110`,
			"Given up: every write after 102, the newest on fra1; " + onFra2 + "At least 103 to 110 are known to have been made; there may be more.",
		},
		"nothing later is known": {
			`"before":[],"seq":102,"shared":102,"known":102`,
			"Given up: every write after 102, the newest on fra1; nobody is known to have had them. None of them is known, but there may be some.",
		},
		"its own last write is perhaps another one": {
			`"before":["fra2"],"seq":103,"shared":102,"known":110`,
			"Given up: every write after 102 that is not on fra1; " + onFra2 + "At least 103 to 110 are known to have been made; there may be more. " +
				"fra1 has 103 as well, and keeps what it has. Whether this is the write that was acknowledged under the same number is not known.",
		},
		"its own last writes are perhaps others": {
			`"before":["fra2"],"seq":105,"shared":102,"known":103`,
			"Given up: every write after 102 that is not on fra1; " + onFra2 + "At least 103 is known to have been made; there may be more. " +
				"fra1 has 103 to 105 as well, and keeps what it has. Whether these are the writes that were acknowledged under the same numbers is not known.",
		},
		"its own last writes are others": {
			`"before":["fra2"],"seq":105,"shared":102,"other":104,"known":110`,
			"Given up: every write after 102 that is not on fra1; " + onFra2 + "At least 103 to 110 are known to have been made; there may be more. " +
				"fra1 has 103 to 105 as well, and keeps what it has. From 104 on at the latest its writes are others than those that were acknowledged.",
		},
		"nothing is known": {
			`"before":["fra2"],"seq":103,"shared":null,"known":110`,
			"It is not known which writes are given up: the copy on fra1 goes up to 103, but nothing says how far it is what was acknowledged; " + onFra2 +
				"The newest write that is known to have been made is 110; there may be more.",
		},
		"only that it is another one": {
			`"before":["fra2"],"seq":103,"shared":null,"other":103,"known":110`,
			"It is not known which writes are given up: the copy on fra1 goes up to 103, but nothing says how far it is what was acknowledged; " + onFra2 +
				"From 103 on at the latest its writes are others than those that were acknowledged. The newest write that is known to have been made is 110; there may be more.",
		},
		"nothing at all": {
			`"before":[],"seq":103,"shared":null,"known":0`,
			"It is not known which writes are given up: the copy on fra1 goes up to 103, but nothing says how far it is what was acknowledged; nobody is known to have had them. " +
				"Nor is any write known to have been made elsewhere, but there may be some.",
		},
		"a server of the release before": {
			`"before":["fra2"],"seq":103,"known":110`,
			"It is not known which writes are given up: the copy on fra1 goes up to 103, but nothing says how far it is what was acknowledged; " + onFra2 +
				"The newest write that is known to have been made is 110; there may be more.",
		},
	} {
		answer.Store(c.answer)
		if got, want := w.must(t, "accept-loss"), c.want+"\nNothing has been changed. To accept this: blog accept-loss --yes\n"; got != want {
			t.Errorf("%s:\n%s, want\n%s", name, got, want)
		}
	}
	const divergent = `{"node":"fra1","before":["fra2"],"seq":103,"shared":102,"other":103,"known":110,"done":true}`
	answer.Store(strings.TrimSuffix(strings.TrimPrefix(divergent, `{"node":"fra1",`), `,"done":true}`))
	if got := w.must(t, "accept-loss", "--yes"); !strings.HasPrefix(got, "Given up: every write after 102 ") || !strings.HasSuffix(got, "\nfra1 is elected now: `blog status` says when.\n") {
		t.Errorf("--yes: %s", got)
	}
	got, want := decode[map[string]any](t, w.must(t, "accept-loss", "--yes", "--json")), decode[map[string]any](t, divergent)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("--json: %v, want %v", got, want)
	}
}
