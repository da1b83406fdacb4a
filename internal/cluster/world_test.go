package cluster_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"blog/internal/apperr"
	"blog/internal/clock"
	"blog/internal/cluster"
	"blog/internal/litefs"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
	"blog/internal/transport"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// put is a command that changes nothing but the history.
type put struct {
	Item string `json:"item"`
}

func (put) Name() string { return "items.put" }
func (p put) Apply(_ context.Context, tx *repo.Tx) (string, error) {
	tx.Touch("items", p.Item)
	return p.Item, nil
}

// nodeRole is a node whose role and whose replication the test moves.
type nodeRole struct {
	*repotest.Node
	mu   sync.Mutex
	open chan struct{} // closed while replication is not held
	late int           // how often the feed has come to what is held
}

func newRole(r litefs.Role) *nodeRole {
	s := &nodeRole{Node: repotest.NewNode(r), open: make(chan struct{})}
	close(s.open)
	return s
}

// hold keeps what is written from now on from arriving at this node.
func (s *nodeRole) hold(held bool) {
	s.mu.Lock()
	select {
	case <-s.open:
		if held {
			s.open = make(chan struct{})
		}
	default:
		if !held {
			close(s.open)
		}
	}
	s.mu.Unlock()
	s.Notify()
}

func (s *nodeRole) held() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.open:
		return false
	default:
		return true
	}
}

// waits is how often the feed has come to what is held.
func (s *nodeRole) waits() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.late
}

// heldTail is the feed's first tail: nobody behind it hears of a row that is held.
type heldTail struct{ *nodeRole }

func (d heldTail) Rows(context.Context, []repo.Row)   { d.wait() }
func (d heldTail) Reset(context.Context, repo.Cursor) { d.wait() }

func (d heldTail) wait() {
	d.mu.Lock()
	open := d.open
	select {
	case <-open:
	default:
		d.late++
	}
	d.mu.Unlock()
	<-open
}

// node is one node: a repository and a cluster over a file that all share, as if
// replication took no time when it is not held; but for the one that is apart.
type node struct {
	id      string
	path    string // of its database
	role    *nodeRole
	repo    *repo.Repo
	cluster *cluster.Cluster
	server  *httptest.Server
	log     *repotest.Journal
	elapsed *repotest.Elapsed // what its cluster's events are dated by
	boot    *repotest.Elapsed // what its log says of its beliefs is dated by
}

func (n *node) url() string { return n.server.URL }

// logged is all that the node has logged so far.
func (n *node) logged() string {
	n.cluster.FlushLog()
	return n.log.String()
}

// world is nodes around one consul.
type world struct {
	path   string
	consul *consul
	nodes  []*node
	apart  string // the id of a node to come that has a copy of its own
	at     string // where the next node has its database, if not where the others have it
	schema *schema
}

// schema is migrations that cannot be read while it is broken.
type schema struct {
	fs.FS
	broken atomic.Bool
}

func (s *schema) Open(name string) (fs.File, error) {
	if s.broken.Load() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return s.FS.Open(name)
}

type change func(*cluster.Options, *cluster.Info)

func MustWorld(t *testing.T) *world {
	t.Helper()
	return &world{path: filepath.Join(t.TempDir(), "blog.db"), consul: &consul{},
		schema: &schema{FS: repotest.MustSchema(t)}}
}

// MustNode opens a node. The first one leads.
func (w *world) MustNode(t *testing.T, id string, changes ...change) *node {
	t.Helper()
	first := repotest.Unknown()
	if len(w.nodes) == 0 {
		w.consul.grant(id)
		first = repotest.Primary()
	}
	n := &node{
		id: id, role: newRole(first), log: &repotest.Journal{}, elapsed: repotest.NewElapsed(), boot: repotest.NewElapsed(),
	}
	log := n.log.Text()
	info := cluster.Info{ID: id, Node: id, Region: "fra", Candidate: true}
	client := transport.NewClient(repotest.Secret)
	o := cluster.Options{
		Node: n.role, Control: control{w.consul, id}, Policy: cluster.Two, Header: client.Header(),
		Wait: time.Minute, Stall: time.Minute, Elapsed: n.elapsed.Read, Boot: n.boot.Read, Logger: log,
	}
	for _, f := range changes {
		f(&o, &info)
	}
	o.Info = func(context.Context) cluster.Info { return info }
	if o.Clock == nil {
		o.Clock = clock.OpenMember(clock.Machine(), log)
	}
	n.cluster = cluster.New(t.Context(), o)
	path := w.path
	if id == w.apart {
		path = w.MustReplicate(t, n)
	}
	if w.at != "" {
		path, w.at = w.at, ""
	}
	n.path = path
	var err error
	n.repo, err = repo.Open(t.Context(), repo.Options{
		Path: path, LiteFS: true, Node: n.role, Transport: client, Now: o.Clock.Now, Dated: o.Clock.Dated, Logger: log,
		Durability: n.cluster,
		Registry:   repotest.MustRegistry(t, []repo.Registration{repo.Register[put]()}), Migrations: w.schema,
	})
	if err != nil {
		t.Fatal(err)
	}
	n.repo.Feed().Attach(heldTail{n.role})
	n.cluster.Attach(n.repo)
	calls := repo.NewHandler(n.repo, repotest.Secret, log)
	uplinks := transport.Authenticated(n.cluster.Handler(), repotest.Secret, log)
	mux := http.NewServeMux()
	mux.Handle(cluster.PathUplink, uplinks)
	mux.Handle(cluster.PathNodes, uplinks)
	mux.Handle(cluster.PathForget, uplinks)
	mux.Handle("/", calls)
	n.server = httptest.NewServer(mux)
	t.Cleanup(func() {
		n.role.hold(false)
		if err := n.repo.Close(); err != nil {
			t.Error(err)
		}
		if err := n.cluster.Close(); err != nil {
			t.Error(err)
		}
		n.server.Close()
		client.Close()
	})
	w.nodes = append(w.nodes, n)
	if first.State == litefs.Primary {
		repotest.Eventually(t, patience, "the first node leads", func() bool {
			return n.repo.Writing().State == repo.WriteFit
		})
	} else {
		n.role.Set(replicaOf(w.nodes[0]))
	}
	return n
}

// MustPair opens a leading node and a standby that is in the set.
func (w *world) MustPair(t *testing.T, changes ...change) (a, b *node) {
	t.Helper()
	a = w.MustNode(t, "a", changes...)
	b = w.MustNode(t, "b", changes...)
	w.MustSet(t, "a", "b")
	return a, b
}

func (w *world) MustSet(t *testing.T, ids ...string) {
	t.Helper()
	repotest.Eventually(t, patience, fmt.Sprintf("the set is %v", ids), func() bool {
		return slices.Equal(w.consul.members(), ids)
	})
}

func replicaOf(n *node) litefs.Role {
	return litefs.Role{State: litefs.Replica, Host: n.id, URL: n.url()}
}

// replicate notifies every node's feed that there is something new.
func (w *world) replicate() {
	for _, n := range w.nodes {
		n.role.Notify()
	}
}

// rewrite makes the row at seq that of another history.
func (w *world) rewrite(t *testing.T, seq int64, key string) {
	t.Helper()
	mark := bytes.Repeat([]byte{7}, 32)
	repotest.MustExec(t, w.path, "UPDATE writes SET mark = ?, key = ? WHERE seq = ?", mark, key, seq)
	repotest.MustExec(t, w.path, "UPDATE topics SET mark = ? WHERE seq = ?", mark, seq)
}

// cut removes the row at seq.
func (w *world) cut(t *testing.T, seq int64) {
	t.Helper()
	repotest.MustExec(t, w.path, "DELETE FROM writes WHERE seq = ?", seq)
	repotest.MustExec(t, w.path, "DELETE FROM topics WHERE seq = ?", seq)
	repotest.MustExec(t, w.path, "UPDATE sqlite_sequence SET seq = ? WHERE name = 'writes'", seq-1)
}

// add adds a row at seq, as another primary would.
func (w *world) add(t *testing.T, seq int64) {
	t.Helper()
	repotest.MustExec(t, w.path, `
		INSERT INTO writes (seq, key, digest, mark, name, actor, topics, result, at)
		SELECT ?1, 'added ' || ?1, digest, randomblob(32), name, actor, topics, result, at FROM writes WHERE seq = 1`, seq)
}

// written is what came of a write.
type written struct {
	receipt repo.Receipt
	err     error
}

// expectAssurance fails unless the write succeeded with an answer that rests on want.
func (g written) expectAssurance(t *testing.T, what string, want repo.Assurance) {
	t.Helper()
	if g.err != nil {
		t.Errorf("%s: got the error %v, want none", what, g.err)
	}
	if a := g.receipt.Assurance; a != want {
		t.Errorf("%s: got an answer that rests on %q, want on %q", what, a, want)
	}
}

// expectReplayed fails unless the write succeeded, and was answered with the row of an earlier one if want, with its
// own otherwise.
func (g written) expectReplayed(t *testing.T, what string, want bool) {
	t.Helper()
	if g.err != nil {
		t.Errorf("%s: got the error %v, want none", what, g.err)
	}
	if g.receipt.Replayed != want {
		t.Errorf("%s: got %+v, want Replayed %t", what, g.receipt, want)
	}
}

// expectUnknown fails unless the outcome of the write is not known, and key is the one to ask again with.
func (g written) expectUnknown(t *testing.T, what, key string) {
	t.Helper()
	if !apperr.HasReason(g.err, apperr.OutcomeUnknown) {
		t.Errorf("%s: got %v, want the reason %v", what, g.err, apperr.OutcomeUnknown)
	}
	if e := apperr.From(g.err); e.Key != key {
		t.Errorf("%s: got the key %q, want %q", what, e.Key, key)
	}
}

// write starts a write on n, notifies the others of it as replication would, and gives its
// end.
func (w *world) write(ctx context.Context, n *node, item, key string) <-chan written {
	out := make(chan written, 1)
	go func() {
		_, receipt, err := repo.Do(repotest.As(ctx, repo.Operator), n.repo, put{Item: item}, repo.WithKey(key))
		out <- written{receipt, err}
	}()
	return out
}

// MustWrite writes on n and wants an answer that rests on want.
func (w *world) MustWrite(t *testing.T, n *node, item string, want repo.Assurance) repo.Receipt {
	t.Helper()
	got := w.MustEnd(t, w.write(t.Context(), n, item, "key of "+item))
	if got.err != nil {
		t.Fatalf("write %s: got the error %v, want none", item, got.err)
	}
	if a := got.receipt.Assurance; a != want {
		t.Fatalf("write %s: got an answer that rests on %q, want on %q", item, a, want)
	}
	return got.receipt
}
