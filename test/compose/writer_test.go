package compose_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/transport"
	"blog/test/compose"
)

// TestWriterNotesWhenItWasAnswered: an answer has come before it is compared with the disks, which takes a while.
func TestWriterNotesWhenItWasAnswered(t *testing.T) {
	result, err := json.Marshal(posts.Ref{ID: 1, Slug: "p", Revision: 1})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reply := repo.Reply{Result: result, Cursor: repo.Cursor{Seq: 1, Mark: repo.Mark{1}}, Assurance: repo.Two}
		if err := json.NewEncoder(w).Encode(reply); err != nil {
			t.Errorf("answer: %v", err)
		}
	}))
	t.Cleanup(server.Close)
	client := transport.NewClient("a secret of the cluster")
	t.Cleanup(client.Close)
	s := compose.NewStorm()
	node := &compose.Node{Name: "n", Private: server.URL}
	w := compose.NewWriter(node, client, s.Ledger, s.Board, func() string { return "" })
	compared := time.Duration(0)
	w.Acknowledged = func(context.Context, compose.Ask, compose.Answer) { compared = s.Ledger.Now() }
	w.Ask(t.Context(), compose.Write{Key: "k", Kind: compose.Create, Post: "p"}, 10*time.Second)
	asks := s.Ledger.Asks()
	if len(asks) != 1 || asks[0].Outcome != compose.OK || compared == 0 {
		t.Fatalf("got %+v, compared at %s, want one that is acknowledged and compared", asks, compared)
	}
	if a := asks[0]; a.End <= a.Start || a.End > compared {
		t.Errorf("got the end %s of what was asked at %s and compared at %s, want it between", a.End, a.Start, compared)
	}
}
