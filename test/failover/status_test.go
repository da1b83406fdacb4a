package failover_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"blog/internal/app"
	"blog/internal/cluster"
	"blog/internal/repo"
	nodes "blog/test/cluster"
)

// MustFollow opens a socket on n until the end of the test.
func MustFollow(t *testing.T, n *nodes.Node) {
	t.Helper()
	conn, res, err := websocket.Dial(t.Context(),
		"ws"+strings.TrimPrefix(n.PublicURL, "http")+"/live?topics=posts&after=0", nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.Body != nil {
		_ = res.Body.Close()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, _, err := conn.Read(context.WithoutCancel(t.Context())); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { _ = conn.CloseNow(); <-done })
}

// wanted returns what a node's status has to be after last, with so many sockets. What only LiteFS
// knows is that of seen, which has to be the same on all nodes.
func (w *world) wanted(i int, last repo.Receipt, sockets int, seen cluster.Info) cluster.Info {
	n := w.Nodes[i]
	want := cluster.Info{
		Node: n.Name, Region: n.Region, Role: "replica", Primary: strings.TrimPrefix(w.Nodes[0].PrivateURL, "http://"),
		Candidate: i < 2, Seq: last.Seq, Mark: last.Cursor.String(), Durability: string(repo.Two),
		SyncSet:    []string{"node1", "node2"},
		StandbySeq: last.Seq, Sockets: sockets,
		Release: seen.Release, Schema: seen.Schema, TXID: seen.TXID, Checksum: seen.Checksum,
	}
	if i == 0 {
		want.Role = "primary"
	}
	return want
}

// complete returns what is wrong with the status of all nodes in the answer of node i.
func (w *world) complete(st app.Status, i int, last repo.Receipt, sockets []int) error {
	if st.Release == "" || st.Schema == 0 || st.TXID == "" || st.Checksum == "" || !st.Ready || st.Version != st.Release ||
		st.SchemaWant != st.Schema || st.Live.Sockets != sockets[i] {
		return fmt.Errorf("%+v", st)
	}
	if len(st.Nodes) != len(w.Nodes) || st.Nodes[0].Node != w.Nodes[i].Name {
		return fmt.Errorf("%d nodes: %+v", len(st.Nodes), st.Nodes)
	}
	ids := map[string]bool{}
	var errs []error
	for at, got := range append([]cluster.Info{st.Info}, st.Nodes...) {
		ids[got.ID] = true
		if got.Clock.IsZero() || got.ID == "" {
			errs = append(errs, fmt.Errorf("%s: id %q, clock %s", got.Node, got.ID, got.Clock))
		}
		j := slices.IndexFunc(w.Nodes, func(n *nodes.Node) bool { return n.Name == got.Node })
		if j < 0 || at == 0 && j != i {
			return fmt.Errorf("who is %q?", got.Node)
		}
		slices.Sort(got.SyncSet)
		want := w.wanted(j, last, sockets[j], st.Info)
		want.ID, want.Clock, want.Heard = got.ID, got.Clock, got.Heard
		if diff := cmp.Diff(want, got); diff != "" {
			errs = append(errs, fmt.Errorf("%s (-want +got):\n%s", got.Node, diff))
		}
	}
	if len(ids) != len(w.Nodes) {
		errs = append(errs, fmt.Errorf("ids %v", ids))
	}
	return errors.Join(errs...)
}

// fields are the fields of a status in JSON, for the node that answers and for each node.
var fields = []string{
	"node", "region", "role", "primary", "candidate", "release", "schema", "seq", "mark", "txid", "checksum",
	"durability", "sync_set", "standby_seq", "lag", "sockets",
}

// hasFields fails unless text has all of them.
func hasFields(text []byte) error {
	var raw map[string]json.RawMessage
	var each struct{ Nodes []map[string]json.RawMessage }
	if err := errors.Join(json.Unmarshal(text, &raw), json.Unmarshal(text, &each)); err != nil {
		return err
	}
	for _, have := range append(each.Nodes, raw) {
		for _, f := range fields {
			if _, ok := have[f]; !ok {
				return fmt.Errorf("%q is not among %v", f, slices.Sorted(maps.Keys(have)))
			}
		}
	}
	return nil
}

var gap = regexp.MustCompile(` {2,}`)

// blocks returns the parts of a status in words: for the node that answers a value for each name,
// and for each node its cells in both tables, by the heads of their columns.
func blocks(text string) (self map[string]string, each []map[string]string, err error) {
	parts := strings.Split(strings.TrimSpace(text), "\n\n")
	if len(parts) != 3 {
		return nil, nil, fmt.Errorf("%d parts", len(parts))
	}
	self = map[string]string{}
	for line := range strings.SplitSeq(parts[0], "\n") {
		name, value, _ := strings.Cut(line, " ")
		self[name] = strings.TrimSpace(value)
	}
	for _, part := range parts[1:] {
		lines := strings.Split(part, "\n")
		heads := gap.Split(lines[0], -1)
		for i, line := range lines[1:] {
			cells := gap.Split(strings.TrimSpace(line), -1)
			if len(cells) != len(heads) {
				return nil, nil, fmt.Errorf("%q has not the columns %q", cells, heads)
			}
			if i == len(each) {
				each = append(each, map[string]string{})
			}
			for c, head := range heads {
				if before, ok := each[i][head]; ok && before != cells[c] {
					return nil, nil, fmt.Errorf("line %d is of %q in one table and of %q in the other", i, before, cells[c])
				}
				each[i][head] = cells[c]
			}
		}
	}
	return self, each, nil
}

// sameAsText fails unless the status in words says what st does, and fits into 120 columns.
func sameAsText(text string, st app.Status) error {
	self, each, err := blocks(text)
	if err != nil {
		return err
	}
	yes := map[bool]string{true: "yes", false: "no"}
	var errs []error
	expect := func(of, what, got, want string) {
		if got != want {
			errs = append(errs, fmt.Errorf("%s: %s is %q, want %q", of, what, got, want))
		}
	}
	seq := strconv.FormatInt(st.Seq, 10)
	for name, want := range map[string]string{
		"node": st.Node, "region": st.Region, "role": st.Role, "primary": "node1", "candidate": yes[st.Candidate],
		"ready":  "yes",
		"schema": fmt.Sprintf("%d of %d", st.Schema, st.SchemaWant), "position": seq + ", mark " + st.Mark, "lag": "0",
		"litefs":     "transaction " + st.TXID + ", checksum " + st.Checksum,
		"durability": "two, every acknowledged write is on " + strings.Join(st.SyncSet, " and ") + "; the standby has " + seq,
		"sockets":    fmt.Sprintf("%d, following %d topics", st.Sockets, st.Live.Topics),
	} {
		expect("itself", name, self[name], want)
	}
	if !strings.HasPrefix(self["release"], st.Release+", running since ") {
		expect("itself", "release", self["release"], st.Release)
	}
	if len(each) != len(st.Nodes) {
		return fmt.Errorf("%d nodes in the tables, want %d", len(each), len(st.Nodes))
	}
	for i, n := range st.Nodes {
		_, mark, _ := strings.Cut(n.Mark, "-")
		want := map[string]string{
			"NODE": n.Node, "REGION": n.Region, "ROLE": n.Role, "PRIMARY": "node1", "CANDIDATE": yes[n.Candidate],
			"RELEASE": n.Release,
			"SCHEMA":  strconv.FormatInt(n.Schema, 10), "SOCKETS": strconv.Itoa(n.Sockets), "SEQ": seq, "MARK": mark[:10],
			"TXID": strings.TrimLeft(n.TXID, "0"), "CHECKSUM": n.Checksum[:10], "LAG": "0", "DURABILITY": "two",
			"SYNC SET": strings.Join(n.SyncSet, ","), "STANDBY": seq,
		}
		if (each[i]["HEARD"] == "-") != (n.Heard == 0) {
			expect(n.Node, "HEARD", each[i]["HEARD"], strconv.FormatInt(n.Heard, 10))
		}
		want["HEARD"] = each[i]["HEARD"]
		expect(n.Node, "columns", fmt.Sprint(slices.Sorted(maps.Keys(each[i]))), fmt.Sprint(slices.Sorted(maps.Keys(want))))
		for head, value := range want {
			expect(n.Node, head, each[i][head], value)
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		if len(line) > 120 {
			errs = append(errs, fmt.Errorf("%d columns: %s", len(line), line))
		}
	}
	return errors.Join(errs...)
}

// TestStatusOfAllNodes: any node reports every field, for itself and, through the uplinks, for all
// nodes, in JSON and in words.
func TestStatusOfAllNodes(t *testing.T) {
	w := MustWorld(t, 3)
	last := w.MustWrite(t, w.Nodes[2], "One")
	if last.Assurance != repo.Two {
		t.Errorf("acknowledged with %q, want %q", last.Assurance, repo.Two)
	}
	sockets := []int{0, 1, 2}
	for i, many := range sockets {
		for range many {
			MustFollow(t, w.Nodes[i])
		}
	}
	for i, n := range w.Nodes {
		var text string
		nodes.Poll(t, patience, n.Name+" knows everything", func(ctx context.Context) error {
			out, err := n.Command(ctx, "status", "--json").Output()
			if err != nil {
				return err
			}
			var st app.Status
			if err = errors.Join(hasFields(out), json.Unmarshal(out, &st)); err != nil {
				return err
			}
			if err = w.complete(st, i, last, sockets); err != nil {
				return err
			}
			asText, err := n.Command(ctx, "status").Output()
			if err != nil {
				return err
			}
			text = string(asText)
			return sameAsText(text, st)
		})
		t.Logf("%s:\n%s", n.Name, text)
	}
}
