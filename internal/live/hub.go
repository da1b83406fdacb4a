package live

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"blog/internal/repo"
)

// Renderer says what readers see.
type Renderer interface {
	// Render returns the present state of what t names: Change with the very
	// component of the page, Gone, Moved, or None for what no reader may know of.
	// It runs inside a short read transaction: no network, nothing kept open. A
	// card that is in several lists must be touched in all of them at each change,
	// those it leaves included.
	Render(ctx context.Context, rd repo.Reader, t repo.Touch) (Frame, error)
}

// Options are what New needs. View, Look, Feed, Render and Logger are required.
type Options struct {
	View    func(ctx context.Context, fn func(rd repo.Reader) error) error // repo.Repo's
	Look    func(ctx context.Context, fn func(rd repo.Reader) error) error // repo.Repo's
	Feed    *repo.Feed
	Render  Renderer
	Logger  *slog.Logger
	Version string // names the assets, so that a page can tell that it is of an older release

	// Identity returns what the request's user must not outlive, such as their
	// session as subject of the private topic sessions:7, nothing for a stranger.
	// When a row touches it, the socket is closed with SignedOut. No subject, here
	// or in the row, stands for the whole topic. Nobody can follow such a topic.
	Identity func(r *http.Request) []repo.Touch
	// OriginPatterns are hosts, besides the request's own, whose pages may open
	// sockets: PUBLIC_URL's.
	OriginPatterns []string

	MaxSockets   int           // on this node; 20,000 when 0
	PingEvery    time.Duration // a client that leaves a ping unanswered for as long is dead; 30 s when 0
	WriteTimeout time.Duration // for what is queued to leave; 5 s when 0
	ResyncEvery  time.Duration // a socket gets one resync in it, or history is rewritten; 2 s when 0
	Patience     time.Duration // how long a cursor that has not arrived here is waited for; 5 s when 0
}

// Hub serves the sockets of this node and tells them what the feed tells it. It
// is a repo.Tail: attach it to the feed after whatever must know first (the page
// cache), so that a page fetched on a frame's word shows what the frame shows.
type Hub struct {
	o     Options
	ctx   context.Context // ends with Close
	stop  context.CancelFunc
	work  sync.WaitGroup // every goroutine and request of the hub
	slots chan struct{}  // missed changes are read for so many sockets at a time

	owing owing

	frames, dropped, refused atomic.Uint64

	mu      sync.Mutex
	closing bool
	open    int // admitted
	pos     repo.Cursor
	started bool // pos has been told; until then the feed's own position holds
	sockets map[*socket]struct{}
	groups  map[string]*group // by topics, joined
	topics  map[string]map[*group]struct{}
	private map[string]map[*socket]struct{}
}

// group is the sockets that follow the same topics: they are told the same.
type group struct {
	topics  []string // sorted
	sockets map[*socket]struct{}
}

var _ repo.Tail = (*Hub)(nil)

// catchUps is how many sockets' missed changes are read at a time: when
// everybody comes back at once, the read pool has to serve pages too.
const catchUps = 4

// New returns a hub that runs until Close. Only the values of ctx are used.
func New(ctx context.Context, o Options) *Hub {
	if o.MaxSockets == 0 {
		o.MaxSockets = 20_000
	}
	if o.PingEvery == 0 {
		o.PingEvery = 30 * time.Second
	}
	if o.WriteTimeout == 0 {
		o.WriteTimeout = 5 * time.Second
	}
	if o.Patience == 0 {
		o.Patience = 5 * time.Second
	}
	if o.ResyncEvery == 0 {
		o.ResyncEvery = 2 * time.Second
	}
	h := &Hub{
		owing: owing{sockets: map[*socket]struct{}{}},
		o:     o, slots: make(chan struct{}, catchUps), sockets: map[*socket]struct{}{}, groups: map[string]*group{},
		topics: map[string]map[*group]struct{}{}, private: map[string]map[*socket]struct{}{},
	}
	// An empty pattern would let through what has no host: Origin: null.
	h.o.OriginPatterns = slices.DeleteFunc(slices.Clone(o.OriginPatterns), func(p string) bool { return p == "" })
	h.ctx, h.stop = context.WithCancel(context.WithoutCancel(ctx))
	h.work.Add(1)
	go func() { defer h.work.Done(); h.pings() }()
	return h
}

// Stats is what /metrics and `blog status` say of the hub.
type Stats struct {
	Sockets int    `json:"sockets"` // open, or being opened, now
	Topics  int    `json:"topics"`  // followed now
	Frames  uint64 `json:"frames"`  // given to sockets since the start
	Dropped uint64 `json:"dropped"` // sockets closed for being too slow, or dead
	Refused uint64 `json:"refused"` // requests refused: full, malformed or a foreign Origin
}

// Stats returns the counts as of now.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Stats{
		Sockets: h.open, Topics: len(h.topics),
		Frames: h.frames.Load(), Dropped: h.dropped.Load(), Refused: h.refused.Load(),
	}
}

// admit takes a place for one request, and the hub's promise to wait for it.
func (h *Hub) admit() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing || h.open >= h.o.MaxSockets {
		return false
	}
	h.open++
	h.work.Add(1)
	return true
}

func (h *Hub) vacate() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open--
}

// position is the newest row that registered sockets have been, or are being,
// told of.
func (h *Hub) position() repo.Cursor {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at()
}

func (h *Hub) at() repo.Cursor {
	if h.started {
		return h.pos
	}
	return h.o.Feed.Position()
}

// register makes s follow topics, and returns the position after which it is
// told of everything.
func (h *Hub) register(s *socket, topics []string) repo.Cursor {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.left { // gone again already
		return h.at()
	}
	key := strings.Join(topics, ",")
	g := h.groups[key]
	if g == nil {
		g = &group{topics: topics, sockets: map[*socket]struct{}{}}
		h.groups[key] = g
		for _, t := range topics {
			if h.topics[t] == nil {
				h.topics[t] = map[*group]struct{}{}
			}
			h.topics[t][g] = struct{}{}
		}
	}
	s.group = g
	g.sockets[s] = struct{}{}
	for _, p := range s.private {
		if h.private[p.Topic] == nil {
			h.private[p.Topic] = map[*socket]struct{}{}
		}
		h.private[p.Topic][s] = struct{}{}
	}
	return h.at()
}

// forget ends every subscription of s. It may be called more than once.
func (h *Hub) forget(s *socket) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.left = true
	g := s.group
	if g == nil {
		return
	}
	s.group = nil
	for _, p := range s.private {
		delete(h.private[p.Topic], s)
		if len(h.private[p.Topic]) == 0 {
			delete(h.private, p.Topic)
		}
	}
	delete(g.sockets, s)
	if len(g.sockets) > 0 {
		return
	}
	delete(h.groups, strings.Join(g.topics, ","))
	for _, t := range g.topics {
		delete(h.topics[t], g)
		if len(h.topics[t]) == 0 {
			delete(h.topics, t)
		}
	}
}
