package compose_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/app"
	"blog/internal/transport"
	"blog/test/compose"
)

// TestRolesHold: rows may be late while no node is steadily primary, and after an election for as
// long as replicas may need to follow.
func TestRolesHold(t *testing.T) {
	s := changingRoles()
	want := map[int]bool{ // by when the reader was told, after a wait of 2 s
		30: false, 60: false,
		61: true,           // the primary has stepped down meanwhile
		66: true, 69: true, // there is no primary
		72: true, 81: true, // the next one has just begun
		82: false, 120: false,
		122: true, 133: true, // another node may have had the role meanwhile
		134: false, 200: false,
		202: true, // not known yet
	}
	for at := range want {
		s.Log.Add(compose.Observation{Node: "c", Reader: "reader", Cookie: true, Stale: 7,
			Start: time.Duration(at-2) * time.Second, End: time.Duration(at) * time.Second, Status: 200})
	}
	for _, v := range s.Observations() {
		if at := int(v.End / time.Second); v.Held != want[at] {
			t.Errorf("told at %d s: held is %t", at, v.Held)
		}
	}
}

// TestRolesUnsteady: a row that a page shows may be discarded where the primary has changed shortly before the page, or
// changes shortly after it.
func TestRolesUnsteady(t *testing.T) {
	s := changingRoles()
	want := map[int]bool{ // by the end of the page
		30: false, 50: false,
		51: true, 60: true, // the primary steps down soon
		66: true,           // there is no primary
		72: true, 81: true, // the next one has just begun
		82: false, 110: false,
		111: true, 133: true, // another node may have had the role meanwhile
		134: false, 190: false,
		191: true, // not known yet
	}
	for at := range want {
		s.Log.Add(compose.Observation{Node: "c", Reader: "reader", Start: time.Duration(at-2) * time.Second,
			End: time.Duration(at) * time.Second, Status: 404})
	}
	for _, v := range s.Observations() {
		if at := int(v.End / time.Second); v.Unsteady != want[at] {
			t.Errorf("a page at %d s: got unsteady %t, want %t", at, v.Unsteady, want[at])
		}
	}
}

// changingRoles returns a storm in which a is primary up to 60 s, and b from 70 s to 200 s, but for one lost answer.
func changingRoles() *compose.Storm {
	s := compose.NewStorm()
	lost := errors.New("no answer")
	for _, a := range []struct {
		from, to int // seconds, with an answer each
		node     string
		primary  bool
		err      error
	}{
		{0, 60, "a", true, nil}, {61, 80, "a", false, nil}, {81, 90, "a", false, lost}, {91, 200, "a", false, nil},
		{0, 69, "b", false, nil}, {70, 120, "b", true, nil}, {121, 121, "b", false, lost}, {122, 200, "b", true, nil},
	} {
		for at := a.from; at <= a.to; at++ {
			s.Roles.Note(a.node, time.Duration(at)*time.Second, a.primary, a.err)
		}
	}
	return s
}

// TestMoved: a role stays, or moves once. Anything else is neither.
func TestMoved(t *testing.T) {
	type seen struct {
		from, to int // seconds, with an answer each
		node     string
	}
	for name, c := range map[string]struct {
		seen  []seen
		now   string
		moved bool
		wrong string
	}{
		"kept":                           {seen: []seen{{0, 90, "a"}}, now: "a"},
		"kept, after a pause":            {seen: []seen{{0, 40, "a"}, {46, 90, "a"}}, now: "a"},
		"the other had it before":        {seen: []seen{{0, 20, "b"}, {21, 90, "a"}}, now: "a"},
		"moved":                          {seen: []seen{{0, 40, "a"}, {46, 90, "b"}}, now: "b", moved: true},
		"moved, and not noticed a while": {seen: []seen{{0, 46, "a"}, {46, 90, "b"}}, now: "b", moved: true},
		"there and back": {seen: []seen{{0, 40, "a"}, {46, 60, "b"}, {66, 90, "a"}}, now: "a",
			wrong: "b has been primary since: true"},
		"there, back and there": {seen: []seen{{0, 40, "a"}, {46, 60, "b"}, {66, 70, "a"}, {76, 90, "b"}},
			now: "b", wrong: "a was primary at 1m6s"},
		"two of them":            {seen: []seen{{0, 90, "a"}, {46, 90, "b"}}, now: "b", wrong: "a was primary at"},
		"somebody else's":        {seen: []seen{{0, 40, "a"}, {46, 90, "c"}}, now: "c", wrong: "c is primary now"},
		"not seen to have begun": {seen: []seen{{0, 40, "a"}}, now: "b", wrong: "b is primary now"},
	} {
		s := compose.NewStorm()
		for _, node := range []string{"a", "b", "c"} {
			for at := range 91 {
				s.Roles.Note(node, time.Duration(at)*time.Second,
					slices.ContainsFunc(c.seen, func(v seen) bool { return v.node == node && v.from <= at && at <= v.to }), nil)
			}
		}
		moved, err := s.Roles.Moved("a", "b", c.now, 30*time.Second)
		expect(t, name, err, c.wrong)
		if c.wrong == "" && moved != c.moved {
			t.Errorf("%s: got moved %t, want %t", name, moved, c.moved)
		}
	}
}

// MustRead returns a reader's next n observations.
func MustRead(tb testing.TB, s *compose.Storm, r *compose.Reader, n int) []compose.Observation {
	tb.Helper()
	before := len(s.Log.Observations(0))
	ctx, end := context.WithTimeout(tb.Context(), 20*time.Second)
	var reading sync.WaitGroup
	reading.Go(func() { r.Run(ctx) })
	defer reading.Wait()
	defer end()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for len(s.Log.Observations(before)) < n {
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatal("the reader has seen nothing")
		}
	}
	return s.Log.Observations(before)[:n]
}

// staleNode is a node that reports which row has not arrived.
type staleNode struct {
	mu  sync.Mutex
	row string
}

func (n *staleNode) Say(row string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.row = row
}

func (n *staleNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if r.URL.Path == "/login" {
		http.Redirect(w, r, "/admin", http.StatusSeeOther)
		return
	}
	if n.row != "" {
		w.Header().Set("X-Stale-Read", n.row)
	}
	if strings.HasPrefix(r.URL.Path, "/posts/") {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// MustSignIn returns a reader who is signed in on a staleNode.
func MustSignIn(tb testing.TB, s *compose.Storm) (*staleNode, *compose.Node, *compose.Reader) {
	tb.Helper()
	stale := &staleNode{}
	server := httptest.NewServer(stale)
	tb.Cleanup(server.Close)
	node := &compose.Node{Name: "n", Public: server.URL}
	r := compose.NewReader("reader", node, s)
	if err := r.SignIn(tb.Context(), "a@example.org", "password", nil); err != nil {
		tb.Fatal(err)
	}
	return stale, node, r
}

func TestReaderNotesWhatIsMissing(t *testing.T) {
	s := compose.NewStorm()
	s.Board.NoteAnswer(compose.Write{Key: "k", Kind: compose.Create, Post: "p"},
		compose.Answer{Outcome: compose.OK, PostID: 1, Slug: "the-post", Revision: 1})
	node, _, r := MustSignIn(t, s)
	node.Say("41")
	responses := MustRead(t, s, r, 2)
	for _, v := range responses {
		got := compose.Observation{Stale: v.Stale, Cookie: v.Cookie, Held: v.Held, Err: v.Err}
		if diff := cmp.Diff(compose.Observation{Stale: 41, Cookie: true}, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	if got := responses[0].Status; got != http.StatusServiceUnavailable {
		t.Errorf("the first: got status %d, want 503", got)
	}
	if got := responses[0].Only; got != "p" {
		t.Errorf("the first: got only post %q, want p", got)
	}
	if got := responses[1].Status; got != http.StatusOK {
		t.Errorf("the second: got status %d, want 200", got)
	}
	node.Say("")
	v := MustRead(t, s, r, 1)[0]
	if v.Stale != 0 {
		t.Errorf("told nothing: got stale %d, want 0", v.Stale)
	}
	if v.Err != "" {
		t.Errorf("told nothing: got error %q, want none", v.Err)
	}
	node.Say("some")
	v = MustRead(t, s, r, 1)[0]
	if v.Err == "" {
		t.Errorf("what is no row is taken: got %+v, want an error", v)
	}
	if v.Status != 0 {
		t.Errorf("what is no row is taken: got status %d, want 0", v.Status)
	}
}

// TestFaultsHold: rows are held back from a node, or from all nodes when the primary's do not leave
// it.
func TestFaultsHold(t *testing.T) {
	s := compose.NewStorm()
	_, node, r := MustSignIn(t, s)
	s.Roles.Note("primary", 0, true, nil)
	for _, c := range []struct {
		name string
		held bool
	}{{node.Name, true}, {"primary", true}, {"another", false}} {
		s.Hold(&compose.Node{Name: c.name})
		if v := MustRead(t, s, r, 1)[0]; v.Held != c.held {
			t.Errorf("%s is held: %+v", c.name, v)
		}
		s.Forgive()
		if v := MustRead(t, s, r, 1)[0]; v.Held {
			t.Errorf("%s, and forgiven: %+v", c.name, v)
		}
	}
}

// TestHoldMeanwhile: rows may be late while something is done, and until they have arrived.
func TestHoldMeanwhile(t *testing.T) {
	const before, after = "1-a", "2-a"
	node := &compose.Node{Name: "n"}
	s := compose.NewStorm()
	acknowledge := func(seq int64, cursor string) {
		s.Ledger.End(s.Ledger.Begin(compose.Ask{Node: "m"}),
			compose.Answer{Outcome: compose.OK, Seq: seq, Cursor: cursor})
	}
	var asked []bool // whether rows were held back from the node at each question where it is
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		st := app.Status{}
		st.Seq, st.Mark = 1, before
		if asked = append(asked, s.Held(node.Name)); len(asked) == 3 {
			st.Seq, st.Mark = 2, after
		}
		if err := json.NewEncoder(w).Encode(st); err != nil {
			t.Errorf("answer: %v", err)
		}
	}))
	t.Cleanup(server.Close)
	client := transport.NewClient("a secret of the cluster")
	t.Cleanup(client.Close)
	node.Private = server.URL
	s.Ask(client, node)
	acknowledge(1, before)
	s.HoldMeanwhile(t, func() {
		if !s.Held(node.Name) {
			t.Error("meanwhile: got not held, want held")
		}
		acknowledge(2, after)
	}, node)
	if diff := cmp.Diff([]bool{true, true, true}, asked); diff != "" {
		t.Errorf("held until the row arrives: -want +got:\n%s", diff)
	}
	if s.Held(node.Name) {
		t.Error("after the row has arrived: got held, want not held")
	}
}

// TestExcusesAreCounted: a run in which everything is excused has shown little, and its sum shows
// that.
func TestExcusesAreCounted(t *testing.T) {
	observations := []compose.Observation{{Status: 200}, {Stale: 1}, {Stale: 1, Held: true}, {Stale: 1, Excused: true},
		{Held: true, Excused: true}}
	if sum := compose.NewStorm().Sum(observations); !strings.Contains(sum,
		"5 pages read, 3 after a wait in vain (2 excused, 1 late)") {
		t.Error(sum)
	}
}
