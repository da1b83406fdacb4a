package main_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"blog/internal/app"
	"blog/internal/transport"
)

// TestSaysWhatIsGivenUp: a copy that is known to be the members' up to a write.
func TestSaysWhatIsGivenUp(t *testing.T) {
	const onFra2 = "every acknowledged write was on fra2. "
	saysLosses(t, map[string]lossCase{
		"all of its copy is shared": {
			`"before":["fra2"],"seq":102,"shared":102,"known":110`,
			"Given up: every write after 102, the newest on fra1; " + onFra2 +
				"At least 103 to 110 are known to have been made; there may be more.",
		},
		"nothing later is known": {
			`"before":[],"seq":102,"shared":102,"known":102`,
			"Given up: every write after 102, the newest on fra1; nobody is known to have had them. None of them is known, " +
				"but there may be some.",
		},
		"its own last write is perhaps another one": {
			`"before":["fra2"],"seq":103,"shared":102,"known":110`,
			"Given up: every write after 102 that is not on fra1; " + onFra2 +
				"At least 103 to 110 are known to have been made; there may be more. " +
				"fra1 has 103 as well, and keeps what it has. Whether this is the write that was acknowledged under the same " +
				"number is not known.",
		},
		"its own last writes are perhaps others": {
			`"before":["fra2"],"seq":105,"shared":102,"known":103`,
			"Given up: every write after 102 that is not on fra1; " + onFra2 +
				"At least 103 is known to have been made; there may be more. " +
				"fra1 has 103 to 105 as well, and keeps what it has. Whether these are the writes that were acknowledged under " +
				"the same numbers is not known.",
		},
		"its own last writes are others": {
			`"before":["fra2"],"seq":105,"shared":102,"other":104,"known":110`,
			"Given up: every write after 102 that is not on fra1; " + onFra2 +
				"At least 103 to 110 are known to have been made; there may be more. " +
				"fra1 has 103 to 105 as well, and keeps what it has. From 104 on at the latest its writes are others than those " +
				"that were acknowledged.",
		},
	})
}

// TestSaysThatALossIsNotKnown: a copy of which nothing shows how far it is the members'.
func TestSaysThatALossIsNotKnown(t *testing.T) {
	const onFra2 = "every acknowledged write was on fra2. "
	saysLosses(t, map[string]lossCase{
		"nothing is known": {
			`"before":["fra2"],"seq":103,"shared":null,"known":110`,
			"It is not known which writes are given up: the copy on fra1 goes up to 103, but nothing says how far it is what " +
				"was acknowledged; " + onFra2 +
				"The newest write that is known to have been made is 110; there may be more.",
		},
		"only that it is another one": {
			`"before":["fra2"],"seq":103,"shared":null,"other":103,"known":110`,
			"It is not known which writes are given up: the copy on fra1 goes up to 103, but nothing says how far it is what " +
				"was acknowledged; " + onFra2 +
				"From 103 on at the latest its writes are others than those that were acknowledged. The newest write that is " +
				"known to have been made is 110; there may be more.",
		},
		"nothing at all": {
			`"before":[],"seq":103,"shared":null,"known":0`,
			"It is not known which writes are given up: the copy on fra1 goes up to 103, but nothing says how far it is what " +
				"was acknowledged; nobody is known to have had them. " +
				"Nor is any write known to have been made elsewhere, but there may be some.",
		},
		"a server of the release before": {
			`"before":["fra2"],"seq":103,"known":110`,
			"It is not known which writes are given up: the copy on fra1 goes up to 103, but nothing says how far it is what " +
				"was acknowledged; " + onFra2 +
				"The newest write that is known to have been made is 110; there may be more.",
		},
	})
}

// TestSaysThatALossIsAccepted: --yes makes the node the one that is elected, and --json prints what the server answers.
func TestSaysThatALossIsAccepted(t *testing.T) {
	w, answer := newLossWorld(t)
	const divergent = `{"node":"fra1","before":["fra2"],"seq":103,"shared":102,"other":103,"known":110,"done":true}`
	answer.Store(strings.TrimSuffix(strings.TrimPrefix(divergent, `{"node":"fra1",`), `,"done":true}`))
	printed := w.must(t, "accept-loss", "--yes")
	if begin := "Given up: every write after 102 "; !strings.HasPrefix(printed, begin) {
		t.Errorf("--yes: got %q, want it to begin with %q", printed, begin)
	}
	if end := "\nfra1 is elected now: `blog status` says when.\n"; !strings.HasSuffix(printed, end) {
		t.Errorf("--yes: got %q, want it to end with %q", printed, end)
	}
	got, want := decode[map[string]any](t, w.must(t, "accept-loss", "--yes", "--json")),
		decode[map[string]any](t, divergent)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("--json (-want +got):\n%s", diff)
	}
}

// lossCase is what the server answers, without the fields node and done, and what the command prints.
type lossCase struct{ answer, want string }

// saysLosses checks what the command prints for each answer of the server.
func saysLosses(t *testing.T, cases map[string]lossCase) {
	t.Helper()
	w, answer := newLossWorld(t)
	for name, c := range cases {
		answer.Store(c.answer)
		if got, want := w.must(t, "accept-loss"), c.want+
			"\nNothing has been changed. To accept this: blog accept-loss --yes\n"; got != want {
			t.Errorf("%s:\n%s, want\n%s", name, got, want)
		}
	}
}

// newLossWorld returns the world of an operator on the node fra1, and the answer of its server, which the test sets.
func newLossWorld(t *testing.T) (*world, *atomic.Value) {
	t.Helper()
	answer := new(atomic.Value)
	const secret = "0123456789abcdef0123456789abcdef"
	server := httptest.NewServer(transport.Authenticated(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
	return newWorld(t).
		with("LITEFS_URL=http://127.0.0.1:1", "CLUSTER_SECRET="+secret, "PRIMARY_URL=http://{hostname}",
			"PRIVATE_ADDR="+server.Listener.Addr().String()), answer
}
