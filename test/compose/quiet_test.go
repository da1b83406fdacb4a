package compose_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"blog/internal/app"
	"blog/internal/repo"
	"blog/test/compose"
)

// TestArrived: a node has a row when it was at that row or a later one of the history
// that writers were told of, not when it has one of the same number.
func TestArrived(t *testing.T) {
	var st app.Status
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewEncoder(w).Encode(st); err != nil || r.URL.Path != app.PathStatus {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
	}))
	t.Cleanup(server.Close)
	transport := repo.NewTransport("a secret of the cluster")
	t.Cleanup(transport.Close)
	s := compose.NewStorm()
	s.Ask(transport, &compose.Node{Name: "n", Private: server.URL})
	told := func(outcome compose.Outcome, seq int64, cursor string) {
		s.Ledger.End(s.Ledger.Begin(compose.Ask{Node: "m"}), compose.Told{Outcome: outcome, Seq: seq, Cursor: cursor})
	}
	told(compose.OK, 6, "6-a")
	told(compose.OK, 7, "7-a")
	told(compose.Refused, 0, "")
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
	told(compose.OK, 8, "8-a")
	st.Seq, st.Mark = 9, "9-a" // an answer comes after the row, and the node goes on
	expect(t, "it was at a row that somebody is told of now", s.Arrived(t.Context(), 7, been), "")
	st.Seq, st.Mark = 7, "7-a"
	expect(t, "at it", s.Arrived(t.Context(), 7, map[string][]string{}), "")
}
