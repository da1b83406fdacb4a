package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"blog/internal/apperr"
	"blog/internal/cluster/decide"
	"blog/internal/litefs"
	"blog/internal/transport"
)

// PathUplink is where a primary's private listener accepts uplinks: websockets with JSON
// messages, Reports from the node and Heartbeats to it. PathNodes is where it says what it
// knows of all nodes: a list of Info.
const (
	PathUplink = "/internal/uplink"
	PathNodes  = "/internal/nodes"
)

// Limits of an uplink's messages.
const (
	maxMessage   = 64 << 10
	firstReport  = 5 * time.Second  // the first report must come by then
	silentReport = 10 * time.Second // and then one within this, or the uplink is dead
	sendLimit    = 5 * time.Second  // a message must be written by then
)

// Handler returns what the private listener answers with at PathUplink, PathNodes and
// PathForget. It knows no secret: put it behind transport.Authenticated.
func (c *Cluster) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+PathUplink, c.serveUplink)
	mux.HandleFunc("GET "+PathNodes, func(w http.ResponseWriter, _ *http.Request) {
		transport.WriteAnswer(w, c.known(), nil)
	})
	mux.HandleFunc("POST "+PathForget, c.serveForget)
	return mux
}

// errNotPrimary is what who needs the primary is answered by a node that has another role.
func errNotPrimary(role litefs.Role) *apperr.Error {
	err := apperr.NewUnavailable(apperr.WrongPrimary, "This node is not the primary: ask again.", time.Second, nil)
	err.Primary = role.URL
	return err
}

func (c *Cluster) serveUplink(w http.ResponseWriter, r *http.Request) {
	epoch := c.o.Node.Changed()
	if role := c.o.Node.Role(); role.State != litefs.Primary {
		transport.WriteError(w, errNotPrimary(role))
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return // it has answered
	}
	ws.SetReadLimit(maxMessage)
	// The request's context ends with the handler's connection, the cluster's with the server.
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	stop := context.AfterFunc(c.run, cancel) //nolint:contextcheck // see above
	defer stop()
	err = c.receiveReports(ctx, ws, epoch)
	c.log.Debug("an uplink has ended", "from", r.RemoteAddr, "err", err)
	_ = ws.Close(websocket.StatusGoingAway, "not the primary any more") // it may be closed
}

// receiveReports receives a node's reports until its uplink or this node's role ends.
func (c *Cluster) receiveReports(ctx context.Context, ws *websocket.Conn, epoch <-chan struct{}) error {
	first, err := receiveReport(ctx, ws, firstReport)
	if err != nil {
		return err
	}
	if first.Info == nil || first.Info.ID == "" {
		return errors.New("the first report does not say from whom it is")
	}
	s := &sender{c: c, to: first.Info.ID, epoch: epoch, ws: ws, due: make(chan struct{}, 1)}
	s.open()
	defer s.close()
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer cancel()
		s.send(ctx)
	}()
	defer func() { cancel(); <-ended }()
	for report := first; ; {
		s.accept(report)
		if report, err = receiveReport(ctx, ws, silentReport); err != nil {
			return err
		}
	}
}

func receiveReport(ctx context.Context, ws *websocket.Conn, limit time.Duration) (Report, error) {
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

// sender is another node's uplink to this one, over which heartbeats go.
type sender struct {
	c     *Cluster
	to    string          // the node's id
	epoch <-chan struct{} // closed when this node's role ends
	ws    *websocket.Conn
	due   chan struct{} // has room for one: a heartbeat is due now
}

func (s *sender) open() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.c.senders[s] = struct{}{}
	s.c.onLocked(decide.UplinkOpened{ID: s.to})
}

func (s *sender) close() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	delete(s.c.senders, s)
	s.c.onLocked(decide.UplinkClosed{ID: s.to})
}

// accept has the state handle a report.
func (s *sender) accept(report Report) {
	wall := s.c.o.Clock.Wall()
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.c.onLocked(decide.ReportReceived{ID: s.to, Report: report, Epoch: s.epoch, Over: ended(s.epoch), Wall: wall})
}

// send sends heartbeats until ctx, the uplink or the role ends.
func (s *sender) send(ctx context.Context) {
	tick := time.NewTicker(2 * decide.HeartbeatEvery)
	defer tick.Stop()
	for {
		if err := send(ctx, s.ws, s.next()); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-s.due:
		case <-s.epoch:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (s *sender) next() Heartbeat {
	confirmed := s.c.o.Clock.Confirmed()
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.c.state.NextHeartbeat(s.to, s.c.nowLocked(), confirmed)
}

// send sends v as a message.
func send(ctx context.Context, ws *websocket.Conn, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode for an uplink: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	if err := ws.Write(ctx, websocket.MessageText, raw); err != nil {
		return fmt.Errorf("write to an uplink: %w", err)
	}
	return nil
}
