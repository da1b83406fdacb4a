package compose

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/superfly/ltx"

	"blog/internal/repo"
	"blog/internal/transport"
)

// NewStorm returns a storm of nobody, without a project.
func NewStorm() *Storm {
	s := &Storm{
		Ledger: NewLedger(io.Discard), Log: &Log{}, Board: NewBoard(rand.New(rand.NewPCG(1, 2))),
		Sockets: map[string]*Socket{}, rng: rand.New(rand.NewPCG(1, 3)),
		excuses: map[string]bool{}, avoid: map[string]bool{}, holds: map[string]bool{},
	}
	s.Roles = NewRoles(s.Ledger.Now)
	return s
}

// Forgive is what the storm does when the cluster is whole.
func (s *Storm) Forgive() { s.forgive() }

// HoldMeanwhile holds rows back from nodes until do has returned and its rows have arrived.
func (s *Storm) HoldMeanwhile(tb testing.TB, do func(), nodes ...*Node) {
	tb.Helper()
	s.holdMeanwhile(tb, do, nodes...)
}

// Held reports whether rows are held back from a node now.
func (s *Storm) Held(node string) bool { return s.held(node) }

// Note notes a node's answer to whether it is primary, given in an instant.
func (r *Roles) Note(node string, at time.Duration, primary bool, err error) {
	r.note(roleSeen{node: node, start: at, end: at, primary: primary, err: err})
}

// Sum is what is printed of observations.
func (s *Storm) Sum(observations []Observation) string { return s.sum(nil, nil, observations) }

// Ask makes nodes of it that are asked with transport.
func (s *Storm) Ask(transport *transport.Client, nodes ...*Node) {
	s.Project, s.transport = &Project{Nodes: nodes}, transport
}

// Arrived says which node is not known to have an acknowledged row.
func (s *Storm) Arrived(ctx context.Context, newest int64, been map[string][]string) error {
	return s.arrived(ctx, newest, been)
}

// Have makes a storm have nodes and Consul, without containers.
func (s *Storm) Have(consul *Node, nodes ...*Node) {
	s.Project = &Project{Nodes: nodes, consul: consul}
}

// HaveConsul makes a storm have Consul's servers at these addresses, without containers.
func (s *Storm) HaveConsul(addrs ...string) {
	consul := &Node{Name: Consul}
	for i, addr := range addrs {
		consul.servers = append(consul.servers, &Node{Name: consulServers[i], Private: addr})
	}
	s.Have(consul)
}

// Succeeded is the probe of the loss of Consul's leader in the present term, or in the one before it.
func (s *Storm) Succeeded(ctx context.Context, before uint64) error {
	_, term, err := s.consulLeader(ctx, nil)
	if err != nil {
		return err
	}
	return s.succeeds(ctx, &Node{Name: "nobody"}, term-before)
}

// Draw says what is drawn.
func Draw(seed uint64, number, injections int) string {
	return fmt.Sprintf("%+v", draw(seed, number, injections))
}

// Drawn are the places of the injections that are drawn.
func Drawn(seed uint64, number, injections int) (all []int) {
	for _, d := range draw(seed, number, injections).strikes {
		all = append(all, d.injection)
	}
	return all
}

// Injections are the names of all injections, in their order.
func (s *Storm) Injections(primary, standby *Node) (all []string) {
	for _, b := range s.injections(primary, standby) {
		if b.only == nil || b.inject == nil || b.undo == nil {
			panic(b.String() + " cannot be run")
		}
		all = append(all, b.String())
	}
	return all
}

// Chosen is how many of two injections strike.
func (s *Storm) Chosen(primary, standby *Node, first, second int) int {
	return len(plan{strikes: []drawn{{injection: first}, {injection: second}}}.of(s.injections(primary, standby)))
}

// Surviving are the names of the nodes on which writes must be acknowledged under two injections.
func (s *Storm) Surviving(primary, standby *Node, first, second int) []string {
	all := s.injections(primary, standby)
	return names(s.surviving([]*injection{all[first], all[second]}))
}

// Groundless are the keys that were acknowledged on nodes that are cut off meanwhile.
func Groundless(asks []Ask, cut, until time.Duration, nodes ...*Node) (keys []string) {
	for _, a := range groundless(asks, cut, until, nodes...) {
		keys = append(keys, a.Key)
	}
	return keys
}

// Waiting says which of the writes nobody waits for on which of the nodes.
func Waiting(asks []Ask, nodes []*Node, writes ...Write) error {
	return waiting(asks, nodes, writes...)
}

// Bystand takes a node away that is not primary.
func (s *Storm) Bystand(tb testing.TB, away *Node, refuses bool, inject, undo func(ctx context.Context) error) {
	tb.Helper()
	strikes := func(ctx context.Context) error {
		s.expect("nothing", func(context.Context) error { return nil })
		return inject(ctx)
	}
	bystanders(away, &injection{name: "nothing", victims: []*Node{away}, refuses: refuses, inject: strikes,
		undo: undo}).only(s.spell(tb))
}

// Heard is how many changes a socket was told of, and how many pages it has begun with.
func (s *Socket) Heard() (changes, pages int) {
	h := s.heard()
	return h.frames, h.loads
}

// MarkIdle is what the storm does when all is idle.
func (s *Storm) MarkIdle() { s.idleSince, s.heardBy = s.Ledger.Now(), s.hear() }

// Unheard says to whose socket nothing has come since then.
func (s *Storm) Unheard() error { return s.unheard(s.Ledger.Asks()) }

// Unnotified says whose socket has been told of no change since then.
func (s *Storm) Unnotified() error { return s.unnotified(s.heardBy) }

// Forget notes that the test deleted the file of a transaction.
func (n *Node) Forget(id ltx.TXID) { n.forgotten.Store(id, true) }

// At makes the node's data folder a test's own.
func (n *Node) At(dir string) *Node {
	n.data = dir
	return n
}

// Acknowledged compares an answer with the disks, if it is one of the sample.
func (d *Disks) Acknowledged(ctx context.Context, a Ask, t Answer) { d.acknowledged(ctx, a, t) }

// KilledIn reports whether a process with that status has to end.
func KilledIn(status string) bool { return killedIn(status) }

// SampleEvery is how many answers there are for one that is compared.
const SampleEvery = sampleEvery

// AnswerIn is what a page says that answers the form of w.
func (w Write) AnswerIn(status int, header http.Header, body string) Answer {
	return w.answerIn(got{status: status, header: header, body: body})
}

// FromEditor fills a form from the editor's page.
func (w *Write) FromEditor(page string, form url.Values) bool { return w.fromEditor(page, form) }

// AnyNode is one of the nodes to which a form goes.
func (r *Reader) AnyNode(nodes ...*Node) *Node {
	r.others = nodes
	return r.anyNode()
}

// Enter reports whether a reader may write now, and has to leave.
func (s *Storm) Enter() bool { return s.forms.enter() }

// Leave ends what Enter began.
func (s *Storm) Leave() { s.forms.leave() }

// OpenForms lets readers write, or keeps them from it once all have left.
func (s *Storm) OpenForms(open bool) { s.forms.set(open) }

// SessionIn is what an answer says of a session.
func SessionIn(kind SessionKind, status int, stale int64, location string) (alive, known bool) {
	return sessionIn(kind, got{status: status, stale: stale, header: http.Header{"Location": {location}}})
}

// On starts everybody on nodes that are ready and have an author.
func (s *Storm) On(tb testing.TB, transport *transport.Client, nodes ...*Node) {
	tb.Helper()
	s.Ask(transport, nodes...)
	s.Writers = map[string]*Writer{}
	s.start(tb)
}

// HasIdled stops whoever writes.
func (s *Storm) HasIdled(tb testing.TB) {
	tb.Helper()
	s.hush(tb)
}

// Check asks every question there is.
func (s *Storm) Check(tb testing.TB, copies []*Copy, start time.Duration) {
	tb.Helper()
	s.check(tb, copies, start)
}

// Events are what happened with sessions so far.
func (s *Storm) Events() []SessionEvent {
	s.visitor.mu.Lock()
	defer s.visitor.mu.Unlock()
	return slices.Clone(s.visitor.events)
}

// The author of a storm.
const (
	Email    = email
	Password = password
)

// Expect leaves a probe.
func (p *Project) Expect(name string, moved func(ctx context.Context) error) { p.expect(name, moved) }

// Unmoved names the injections whose probes do not move within the limit.
func (p *Project) Unmoved(ctx context.Context, limit time.Duration) error {
	return p.unmoved(ctx, limit)
}

// CountDropped is how many packets a firewall's listing says were dropped.
func CountDropped(listing string) int { return countDropped(listing) }

// ReadPaced is what tc says of a replica's queue.
func ReadPaced(text string, replica int) (bytes, waits int, err error) {
	return readPaced(text, replica)
}

// ReadDevice is the network device in what ip says of a container's addresses.
func ReadDevice(text string) (string, error) { return readDevice(text) }

// NewestAssurance is what the newest acknowledgement after a moment rests on.
func NewestAssurance(asks []Ask, since time.Duration) repo.Assurance {
	return newestAssurance(asks, since)
}

// Exceeds is what fails where something took too long.
func Exceeds(took, limit, work time.Duration) error { return exceeds(took, limit, work) }

// CheckSpeed fails for a machine that is too slow.
func CheckSpeed(start, write time.Duration) error { return speed{start, write}.check() }

// The slowest machine, the longest limit, and how long a storm waits for anything.
var (
	SlowestStart, SlowestWrite = slowest.start, slowest.write
	LongestLimit, UpLimit      = both, upLimit
)
