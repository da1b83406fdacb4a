package compose_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"blog/internal/app"
	"blog/internal/repo"
	"blog/internal/transport"
	"blog/test/compose"
)

// TestArrived: a node has a row when it was at that row, or at a later one of the history that
// writers were told of, and not when it has a row with the same number.
func TestArrived(t *testing.T) {
	var st app.Status
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewEncoder(w).Encode(st); err != nil {
			t.Errorf("answer: %v", err)
		}
		if r.URL.Path != app.PathStatus {
			t.Errorf("got a call of %s, want %s", r.URL.Path, app.PathStatus)
		}
	}))
	t.Cleanup(server.Close)
	transport := transport.NewClient("a secret of the cluster")
	t.Cleanup(transport.Close)
	s := compose.NewStorm()
	s.Ask(transport, &compose.Node{Name: "n", Private: server.URL})
	note := func(outcome compose.Outcome, seq int64, cursor string) {
		s.Ledger.End(s.Ledger.Begin(compose.Ask{Node: "m"}), compose.Answer{Outcome: outcome, Seq: seq, Cursor: cursor})
	}
	note(compose.OK, 6, "6-a")
	note(compose.OK, 7, "7-a")
	note(compose.Refused, 0, "")
	been := map[string][]string{}
	for _, c := range []struct {
		what   string
		seq    int64
		cursor string
		wrong  string
	}{
		{"before it", 6, "6-a", "row 7 is not known to be on n"},
		{"at the number, in a history that is given up", 7, "7-b", "row 7 is not known to be on n"},
		{"no database", 0, "", "row 7 is not known to be on n"},
		{"after it, and nobody was told yet", 8, "8-a", "row 7 is not known to be on n"},
	} {
		st.Seq, st.Mark = c.seq, c.cursor
		expect(t, c.what, s.Arrived(t.Context(), 7, been), c.wrong)
	}
	note(compose.OK, 8, "8-a")
	st.Seq, st.Mark = 9, "9-a" // an answer comes after the row, and the node goes on
	expect(t, "it was at a row that somebody is told of now", s.Arrived(t.Context(), 7, been), "")
	st.Seq, st.Mark = 7, "7-a"
	expect(t, "at it", s.Arrived(t.Context(), 7, map[string][]string{}), "")
}

// TestNewestAssurance: only an answer that says what it rests on shows whether the primary is alone, and only one to
// what was asked for after the moment.
func TestNewestAssurance(t *testing.T) {
	ask := func(start, end int, outcome compose.Outcome, assurance repo.Assurance) compose.Ask {
		note := compose.Answer{Outcome: outcome, End: ms(end), Assurance: assurance}
		return compose.Ask{Start: ms(start), Answer: note}
	}
	upload, two := ask(13, 19, compose.OK, ""), ask(11, 14, compose.OK, repo.Two)
	for name, c := range map[string]struct {
		asks []compose.Ask
		want repo.Assurance
	}{
		"an upload":                     {of(upload), ""},
		"an upload after a write":       {of(two, upload), repo.Two},
		"two, then alone":               {of(two, ask(12, 16, compose.OK, repo.Alone)), repo.Alone},
		"alone, then two":               {of(ask(12, 13, compose.OK, repo.Alone), two, upload), repo.Two},
		"asked for before the moment":   {of(ask(9, 16, compose.OK, repo.Alone), two), repo.Two},
		"nothing that was acknowledged": {of(ask(12, 16, compose.Unknown, repo.Alone)), ""},
	} {
		if got := compose.NewestAssurance(c.asks, ms(10)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
