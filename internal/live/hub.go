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

// Renderer renders what readers see.
type Renderer interface {
	// Render returns the present state of what t names: Change with the very component of the page, Gone, Moved, or None
	// for what no reader may know. It runs inside a short read transaction, so it must neither use the network nor leave
	// anything open. A card that is in several lists must be touched in all of them at each change, those that it leaves
	// included.
	Render(ctx context.Context, rd repo.Reader, t repo.Touch) (Frame, error)
}

// Options are what New needs. View, FeedView, Feed, Render and Logger are required.
type Options struct {
	// View reads on a connection of the pool, and FeedView on the feed's: Repo.View and Repo.ViewReserved.
	View     func(ctx context.Context, fn func(rd repo.Reader) error) error
	FeedView func(ctx context.Context, fn func(rd repo.Reader) error) error
	Feed     *repo.Feed
	Render   Renderer
	Logger   *slog.Logger
	Version  string // names the assets, so that a page notices that its release is older

	// Identity returns the touches that the request's user must not outlive, such as their session as subject of the
	// private topic sessions:7, and nothing for a stranger. When a row has such a touch, the socket is closed with
	// SignedOut. No subject, here or in the row, stands for the whole topic. Nobody can follow such a topic.
	Identity func(r *http.Request) []repo.Touch
	// OriginPatterns are hosts, in addition to the request's, whose pages may open sockets: that of PUBLIC_URL.
	OriginPatterns []string

	MaxSockets   int           // on this node; 20,000 when 0
	PingEvery    time.Duration // a client that has not answered a ping after this is dead; 30 s when 0
	WriteTimeout time.Duration // of a write of what is queued; 5 s when 0
	ResyncEvery  time.Duration // a socket gets at most one resync in it, but for a rewritten history; 2 s when 0
	Patience     time.Duration // how long a socket waits for a cursor that is not here yet; 5 s when 0
}

// Hub serves the sockets of this node and sends them what the feed delivers. It is a repo.Tail. Attach it to the feed
// after whatever must know of a row first, such as the page cache: a page that is fetched because of a frame then shows
// what the frame shows.
type Hub struct {
	o     Options
	ctx   context.Context // ends with Close
	stop  context.CancelFunc
	work  sync.WaitGroup // every goroutine and request of the hub
	slots chan struct{}  // one for each socket whose missed changes are being read

	pendingResyncs pendingResyncs

	frames, dropped, refused atomic.Uint64

	mu      sync.Mutex
	closing bool
	open    int // admitted
	pos     repo.Cursor
	started bool // pos is set; until then the position of the feed holds
	sockets map[*socket]struct{}
	groups  map[string]*group // by topics, joined
	topics  map[string]map[*group]struct{}
	private map[string]map[*socket]struct{}
}

// group is the sockets that follow the same topics and therefore get the same messages.
type group struct {
	topics  []string // sorted
	sockets map[*socket]struct{}
}

var _ repo.Tail = (*Hub)(nil)

// maxCatchUps is for how many sockets missed changes are read at a time: when all clients reconnect at once, the read
// pool has to serve pages too.
const maxCatchUps = 4

// New returns a hub that runs until Close. It uses only the values of ctx.
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
		o.Patience = repo.SocketWithin
	}
	if o.ResyncEvery == 0 {
		o.ResyncEvery = 2 * time.Second
	}
	h := &Hub{
		o: o, slots: make(chan struct{}, maxCatchUps), sockets: map[*socket]struct{}{}, groups: map[string]*group{},
		pendingResyncs: pendingResyncs{sockets: map[*socket]struct{}{}},
		topics:         map[string]map[*group]struct{}{}, private: map[string]map[*socket]struct{}{},
	}
	// An empty pattern would allow an Origin without a host: null.
	h.o.OriginPatterns = slices.DeleteFunc(slices.Clone(o.OriginPatterns), func(p string) bool { return p == "" })
	h.ctx, h.stop = context.WithCancel(context.WithoutCancel(ctx))
	h.work.Add(1)
	go func() { defer h.work.Done(); h.pings() }()
	return h
}

// Stats is what /metrics and `blog status` report of the hub.
type Stats struct {
	Sockets int    `json:"sockets"` // open, or being opened, now
	Topics  int    `json:"topics"`  // followed now
	Frames  uint64 `json:"frames"`  // given to sockets since the start
	Dropped uint64 `json:"dropped"` // sockets closed for being too slow, or dead
	Refused uint64 `json:"refused"` // requests refused: full, malformed or a foreign Origin
}

// Stats returns the present counts.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Stats{
		Sockets: h.open, Topics: len(h.topics),
		Frames: h.frames.Load(), Dropped: h.dropped.Load(), Refused: h.refused.Load(),
	}
}

// admit reserves room for one socket and makes Close wait for its request. It returns false when there is no room.
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

func (h *Hub) cancelAdmission() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open--
}

// position returns the newest row whose messages registered sockets have got or are about to get.
func (h *Hub) position() repo.Cursor {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.positionLocked()
}

func (h *Hub) positionLocked() repo.Cursor {
	if h.started {
		return h.pos
	}
	return h.o.Feed.Position()
}

// register makes s follow topics and returns the position after which s gets everything.
func (h *Hub) register(s *socket, topics []string) repo.Cursor {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.left { // it has ended already
		return h.positionLocked()
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
	return h.positionLocked()
}

// unregister ends every subscription of s. It may be called more than once.
func (h *Hub) unregister(s *socket) {
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
