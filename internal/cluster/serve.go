package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"blog/internal/litefs"
	"blog/internal/repo"
)

// peer is another node, as this one knows it from its uplink. Cluster.mu guards it.
type peer struct {
	info    Info
	cursor  repo.Cursor
	over    <-chan struct{} // of the term to which it was reported
	heard   time.Time
	conns   int // open uplinks: a new one may come before the old one is known to be dead
	leaving bool
	asked   chan struct{} // has room for one: a Word is due now
	// said is the number of the newest Word to it, echo that of the newest which a report of
	// it has echoed, and wanted the least of which an answer waits for the echo.
	said, echo, wanted uint64
	promote            *lead     // the term whose next Word asks for it; nil: none does
	skewed             int       // reports in a row with another time of day
	clocked            time.Time // when that was last looked at
	// notBefore is when it may be tried to bring it into the sync set again.
	notBefore time.Time
}

func (p *peer) live(now time.Time) bool { return p.conns > 0 && now.Sub(p.heard) < lostAfter }

func (p *peer) member() litefs.Member { return litefs.Member{ID: p.info.ID, Name: p.info.Node} }

// Limits of an uplink's messages.
const (
	maxReport    = 64 << 10
	firstReport  = 5 * time.Second  // the first report must come by then
	silentReport = 10 * time.Second // and then one within this, or the uplink is dead
	sayLimit     = 5 * time.Second  // a message must be taken by then
)

// Handler returns what the private listener answers with at PathUplink and PathNodes.
// It knows no secret: put it behind repo.Authenticated.
func (c *Cluster) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+PathUplink, c.serveUplink)
	mux.HandleFunc("GET "+PathNodes, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(c.known()) // the caller is gone: nobody to tell
	})
	mux.HandleFunc("POST "+PathForget, c.serveForget)
	return mux
}

func (c *Cluster) serveUplink(w http.ResponseWriter, r *http.Request) {
	changed := c.o.Node.Changed()
	if role := c.o.Node.Role(); role.State != litefs.Primary {
		repo.WriteReply(w, repo.Reply{}, &repo.Error{
			Code: repo.Unavailable, Reason: repo.WrongPrimary, Primary: role.URL, RetryAfter: 1, Message: "This node is not the primary.",
		})
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return // it has answered
	}
	ws.SetReadLimit(maxReport)
	// The request's context ends with the handler's connection, the cluster's with the server.
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	stop := context.AfterFunc(c.run, cancel) //nolint:contextcheck // see above
	defer stop()
	err = c.hear(ctx, ws, changed)
	c.log.Debug("an uplink has ended", "from", r.RemoteAddr, "err", err)
	_ = ws.Close(websocket.StatusGoingAway, "not the primary any more") // it may be closed
}

// hear takes a node's reports until its uplink or this node's role ends.
func (c *Cluster) hear(ctx context.Context, ws *websocket.Conn, over <-chan struct{}) error {
	first, err := readReport(ctx, ws, firstReport)
	if err != nil {
		return err
	}
	if first.Info == nil || first.Info.ID == "" {
		return errors.New("the first report does not say from whom it is")
	}
	id := first.Info.ID
	p := c.greet(id)
	defer c.lost(p)
	ctx, cancel := context.WithCancel(ctx)
	spoken := make(chan struct{})
	go func() {
		defer close(spoken)
		defer cancel()
		c.speak(ctx, ws, p, over)
	}()
	defer func() { cancel(); <-spoken }()
	for rep := first; ; {
		c.note(id, p, rep, over)
		if rep, err = readReport(ctx, ws, silentReport); err != nil {
			return err
		}
	}
}

func readReport(ctx context.Context, ws *websocket.Conn, limit time.Duration) (Report, error) {
	var rep Report
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, raw, err := ws.Read(ctx)
	if err != nil {
		return rep, fmt.Errorf("read a report: %w", err)
	}
	if err := json.Unmarshal(raw, &rep); err != nil { // leniently: a newer release may say more
		return rep, fmt.Errorf("decode a report: %w", err)
	}
	return rep, nil
}

func (c *Cluster) greet(id string) *peer {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.nodes[id]
	if p == nil {
		p = &peer{asked: make(chan struct{}, 1)}
		c.nodes[id] = p
	}
	p.conns++
	delete(c.forgotten, id)
	return p
}

func (c *Cluster) lost(p *peer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.conns--
	c.changedLocked()
}

// note takes a report in. What a copy had in another term says nothing about this one: it
// may have got another history meanwhile. Once the role is over to which it was reported
// it says nothing at all: a newer uplink may have come.
func (c *Cluster) note(id string, p *peer, rep Report, over <-chan struct{}) {
	select {
	case <-over:
		return
	default:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p.heard, p.cursor, p.over, p.leaving = time.Now(), rep.Cursor, over, rep.Leaving
	if rep.Info != nil {
		p.info = *rep.Info
		c.checkClockLocked(p)
	}
	if rep.Leaving {
		c.left[id] = p.heard
	} else {
		delete(c.left, id)
	}
	if rep.Echo <= c.words { // what nobody has said cannot be echoed
		p.echo = max(p.echo, rep.Echo)
	}
	p.askLocked()
	if l := c.lead; l != nil && l.over == over {
		c.coverLocked(l, id, rep.Cursor)
	}
	c.changedLocked()
}

// askLocked has a Word go out where an answer waits for a later echo than any Word so far
// can have. There is one on its way at most: a node that does not echo gets no more than
// the heartbeat.
func (p *peer) askLocked() {
	if p.wanted <= p.said || p.echo < p.said {
		return
	}
	select {
	case p.asked <- struct{}{}:
	default: // it is about to be said
	}
}

// speak says Words until ctx, the uplink or the role ends.
func (c *Cluster) speak(ctx context.Context, ws *websocket.Conn, p *peer, over <-chan struct{}) {
	tick := time.NewTicker(2 * heartbeat)
	defer tick.Stop()
	for {
		c.mu.Lock()
		word := c.wordLocked(p)
		c.mu.Unlock()
		if err := say(ctx, ws, word); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-p.asked:
		case <-over:
			return
		case <-ctx.Done():
			return
		}
	}
}

// wordLocked is what p is to be told now, with a number of its own.
func (c *Cluster) wordLocked(p *peer) Word {
	c.words++
	p.said = c.words
	w := Word{From: c.self.ID, Number: c.words, Cursor: c.at, Problem: c.problemLocked(p), Clock: c.o.Clock.Confirmed()}
	if l := c.lead; l != nil {
		w.Durability, w.SyncSet, w.StandbySeq, w.InSet = string(l.assurance()), c.namesLocked(&l.set), l.standbySeq(), l.set.Has(p.info.ID)
		if p.promote == l {
			w.Promote, w.Leaving = true, l.self.ID
		}
	}
	p.promote, w.Forgotten = nil, c.forgottenLocked()
	return w
}

// standbySeq is up to which write the others in the set have this history.
func (l *lead) standbySeq() int64 {
	var seq int64
	for _, m := range l.set.Members {
		if m.ID != l.self.ID {
			seq = max(seq, l.covered[m.ID])
		}
	}
	return seq
}

// say sends v as a message.
func say(ctx context.Context, ws *websocket.Conn, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode for an uplink: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, sayLimit)
	defer cancel()
	if err := ws.Write(ctx, websocket.MessageText, raw); err != nil {
		return fmt.Errorf("write to an uplink: %w", err)
	}
	return nil
}
