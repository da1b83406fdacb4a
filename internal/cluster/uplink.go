package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"blog/internal/backoff"
	"blog/internal/litefs"
)

// Limits of this node's uplink.
const (
	dialLimit = 3 * time.Second
	// silentWord is how long the primary may be silent before the uplink counts as
	// dead: four of its heartbeats.
	silentWord  = 8 * heartbeat
	firstRedial = 100 * time.Millisecond
	lastRedial  = time.Second
	// complainAfter is how long an uplink must have failed before the log says so
	// loudly: a failover is no fault of anybody's.
	complainAfter = 15 * time.Second
)

// uplinks keeps one uplink to whoever is primary, as long as that is another node.
func (c *Cluster) uplinks() {
	client := &http.Client{Transport: &http.Transport{DialContext: (&net.Dialer{Timeout: dialLimit}).DialContext}}
	defer client.CloseIdleConnections()
	pauses := backoff.New(firstRedial, lastRedial)
	for c.run.Err() == nil {
		changed := c.o.Node.Changed()
		role := c.o.Node.Role()
		if role.State != litefs.Replica {
			pauses.Reset()
			c.tried(true)
			select {
			case <-changed:
			case <-c.run.Done():
			}
			continue
		}
		up, err := c.uplink(client, role.URL)
		if up {
			pauses.Reset()
		}
		failing := c.tried(up)
		if c.run.Err() != nil {
			return
		}
		c.complain(role, up, failing, err)
		rest := time.NewTimer(pauses.Next())
		select {
		case <-rest.C:
		case <-changed:
		case <-c.run.Done():
		}
		rest.Stop()
	}
}

// tried notes whether the last try was well, and returns for how long none has been.
func (c *Cluster) tried(well bool) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case well:
		c.failing = time.Time{}
		return 0
	case c.failing.IsZero():
		c.failing = time.Now()
	}
	return time.Since(c.failing)
}

// complain says what keeps the uplink from coming up, once it is no passing thing.
func (c *Cluster) complain(role litefs.Role, up bool, failing time.Duration, err error) {
	c.log.Debug("there is no uplink", "primary", role.Host, "was", up, "err", err)
	if up || err == nil {
		return
	}
	var problem string
	var refused *refusedError
	switch {
	case errors.As(err, &refused) && refused.status == http.StatusUnauthorized:
		problem = fmt.Sprintf("The primary at %s refuses this node: CLUSTER_SECRET differs between the two; set the same on every node.", role.URL)
	case failing > complainAfter && errors.Is(err, errOwnCopy):
		problem = fmt.Sprintf("This node's own database cannot be read, so it is no standby: %v.", err)
	case failing > complainAfter:
		problem = fmt.Sprintf("The primary's private listener at %s does not answer: check that its PRIVATE_ADDR is an address that other nodes can reach, and that PRIMARY_URL and its LITEFS_HOSTNAME make that address.", role.URL)
	default:
		return
	}
	c.mu.Lock()
	before := c.primary.Problem
	c.primary.Problem = problem
	c.mu.Unlock()
	if before != problem {
		c.log.Error(problem, "err", err)
	}
}

// errOwnCopy says that there is no uplink because of this node's own database.
var errOwnCopy = errors.New("read the newest write of this node's copy")

// refusedError says that the primary answered, but not with an uplink.
type refusedError struct {
	status int
	err    error
}

func (e *refusedError) Error() string { return e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

// uplink reports to the primary at base until the connection or this node's part in it
// ends, and says whether there was one.
func (c *Cluster) uplink(client *http.Client, base string) (up bool, err error) {
	ctx, cancel := context.WithCancel(c.run)
	defer cancel()
	dctx, dialed := context.WithTimeout(ctx, dialLimit)
	ws, res, err := websocket.Dial(dctx, "ws"+strings.TrimPrefix(base, "http")+PathUplink, &websocket.DialOptions{
		HTTPClient: client, HTTPHeader: c.o.Header.Clone(), CompressionMode: websocket.CompressionDisabled,
	})
	dialed()
	if err != nil {
		if res != nil {
			return false, &refusedError{res.StatusCode, errors.Join(err, res.Body.Close())}
		}
		return false, fmt.Errorf("open an uplink: %w", err)
	}
	defer func() { _ = ws.CloseNow() }()
	ws.SetReadLimit(maxReport)
	c.mu.Lock()
	line := &uplink{ws: ws, terms: c.terms}
	c.mu.Unlock()
	// What this node's feed has not told yet counts as well: a row that was written here
	// a moment ago, as primary, and that the new primary does not have. A report that
	// left it out would say that it is gone.
	if err := c.read(ctx); err != nil {
		return false, fmt.Errorf("%w: %w", errOwnCopy, err)
	}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		defer cancel()
		c.watch(ctx, base)
	}()
	defer func() { cancel(); <-watched }()
	c.countUplink(1)
	defer c.countUplink(-1)
	reported := make(chan struct{})
	go func() {
		defer close(reported)
		defer cancel()
		c.report(ctx, line)
	}()
	defer func() { cancel(); <-reported }()
	for {
		word, err := readWord(ctx, ws)
		if err != nil {
			return true, err
		}
		c.hearWord(ctx, line, word)
	}
}

func (c *Cluster) countUplink(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.uplinked += n
	c.changedLocked()
}

// watch returns when the node at base is no longer whom to report to. That no primary
// is known is no reason: the LiteFS node may have lost it while this program has not.
func (c *Cluster) watch(ctx context.Context, base string) {
	for {
		changed := c.o.Node.Changed()
		role := c.o.Node.Role()
		if role.State == litefs.Primary || role.State == litefs.Replica && role.URL != base {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// uplink is one connection to a primary. Cluster.mu guards what changes.
type uplink struct {
	ws     *websocket.Conn
	terms  uint64 // that this node had begun before
	newest uint64 // number of the newest Word
}

// report sends this node's position at each change and at each numbered Word, and
// everything at each heartbeat. It ends when this node has led since the uplink came up: an
// echo says that it has not.
func (c *Cluster) report(ctx context.Context, line *uplink) {
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	full := true
	for {
		c.mu.Lock()
		if c.terms != line.terms {
			c.mu.Unlock()
			return
		}
		rep := Report{Cursor: c.at, Leaving: c.leaving, Echo: line.newest}
		if full {
			info := c.self
			info.Clock, info.Problem = c.o.Clock.Wall().UTC(), c.o.Clock.Problem()
			rep.Info = &info
		}
		changed := c.changed
		c.mu.Unlock()
		if err := say(ctx, line.ws, rep); err != nil {
			return
		}
		if rep.Leaving {
			c.mu.Lock()
			c.said = true
			c.changedLocked()
			c.mu.Unlock()
		}
		for full = false; !full; {
			select {
			case <-tick.C:
				full = true
			case <-changed:
				c.mu.Lock()
				news := c.at != rep.Cursor || c.leaving != rep.Leaving || line.newest != rep.Echo
				changed = c.changed
				c.mu.Unlock()
				if !news {
					continue
				}
			case <-ctx.Done():
				return
			}
			break
		}
	}
}

func readWord(ctx context.Context, ws *websocket.Conn) (Word, error) {
	var w Word
	ctx, cancel := context.WithTimeout(ctx, silentWord)
	defer cancel()
	_, raw, err := ws.Read(ctx)
	if err != nil {
		return w, fmt.Errorf("hear from the primary: %w", err)
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return w, fmt.Errorf("decode the primary's word: %w", err)
	}
	return w, nil
}

// hearWord takes a word of the primary in.
func (c *Cluster) hearWord(ctx context.Context, line *uplink, w Word) {
	c.mu.Lock()
	if c.lead != nil { // it was on its way when this node became primary itself
		c.mu.Unlock()
		return
	}
	line.newest = max(line.newest, w.Number)
	before := c.primary.Problem
	c.primary, c.told = w, time.Now()
	if w.Leaving != "" {
		c.left[w.Leaving] = c.told
	}
	c.forgetAlsoLocked(w.Forgotten)
	c.changedLocked()
	c.mu.Unlock()
	if !w.Clock.IsZero() {
		c.o.Clock.Refer(w.Clock)
	}
	if w.Problem != "" && w.Problem != before {
		c.log.Error(w.Problem)
	}
	if !w.Promote || c.o.Control == nil {
		return
	}
	if err := c.o.Control.Promote(ctx); err != nil {
		c.log.Warn("the primary asks this node to take over, but", "err", err)
	}
}
