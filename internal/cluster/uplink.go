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
	"blog/internal/cluster/decide"
	"blog/internal/litefs"
)

// Limits of this node's uplink.
const (
	dialLimit = 3 * time.Second
	// silentHeartbeat is how long the primary may be silent before the uplink counts as dead:
	// four of its heartbeats.
	silentHeartbeat = 8 * decide.HeartbeatEvery
	firstRedial     = 100 * time.Millisecond
	lastRedial      = time.Second
	// logAfter is how long an uplink must have failed before the log and the status say so: a
	// failover is no fault of anybody's.
	logAfter = 15 * time.Second
)

// uplinks has one uplink to whoever is primary, as long as that is another node.
func (c *Cluster) uplinks() {
	client := &http.Client{Transport: &http.Transport{DialContext: (&net.Dialer{Timeout: dialLimit}).DialContext}}
	defer client.CloseIdleConnections()
	pauses := backoff.New(firstRedial, lastRedial)
	for c.run.Err() == nil {
		changed := c.o.Node.Changed()
		role := c.o.Node.Role()
		if role.State != litefs.Replica {
			pauses.Reset()
			c.countFailing(true)
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
		failing := c.countFailing(up)
		if c.run.Err() != nil {
			return
		}
		c.logFailing(role, up, failing, err)
		pause := time.NewTimer(pauses.Next())
		select {
		case <-pause.C:
		case <-changed:
		case <-c.run.Done():
		}
		pause.Stop()
	}
}

// countFailing notes whether the newest attempt was well, and returns for how long none has
// been.
func (c *Cluster) countFailing(well bool) time.Duration {
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

// logFailing says why no uplink comes up, once it is no passing thing.
func (c *Cluster) logFailing(role litefs.Role, up bool, failing time.Duration, err error) {
	c.log.Debug("there is no uplink", "primary", role.Host, "was", up, "err", err)
	if up || err == nil {
		return
	}
	var problem string
	var refused *refusedError
	switch {
	case errors.As(err, &refused) && refused.status == http.StatusUnauthorized:
		problem = fmt.Sprintf("The primary at %s refuses this node: CLUSTER_SECRET differs between the two; "+
			"set the same on every node.", role.URL)
	case failing > logAfter && errors.Is(err, errUnreadable):
		problem = fmt.Sprintf("This node's own database cannot be read, so it is no standby: %v.", err)
	case failing > logAfter:
		problem = fmt.Sprintf("The primary's private listener at %s does not answer: check that its PRIVATE_ADDR is "+
			"an address that other nodes can reach, and that PRIMARY_URL and its LITEFS_HOSTNAME make that address.",
			role.URL)
	default:
		return
	}
	c.on(decide.UplinkFailed{Problem: problem, Err: err})
}

// errUnreadable says that there is no uplink because of this node's own database.
var errUnreadable = errors.New("read the newest write of this node's copy")

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
	url := "ws" + strings.TrimPrefix(base, "http") + PathUplink
	ws, res, err := websocket.Dial(dctx, url, &websocket.DialOptions{
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
	ws.SetReadLimit(maxMessage)
	c.on(decide.Dialed{})
	defer c.on(decide.HungUp{})
	// What this node's feed has not delivered yet counts as well: a row that was written here
	// a moment ago, as primary, and that the new primary does not have. A report that
	// left it out would say that it is gone.
	if err := c.readPosition(ctx); err != nil {
		return false, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		defer cancel()
		c.watch(ctx, base)
	}()
	defer func() { cancel(); <-watched }()
	reported := make(chan struct{})
	go func() {
		defer close(reported)
		defer cancel()
		c.report(ctx, ws)
	}()
	defer func() { cancel(); <-reported }()
	for {
		heartbeat, err := receiveHeartbeat(ctx, ws)
		if err != nil {
			return true, err
		}
		c.on(decide.HeartbeatReceived{Heartbeat: heartbeat})
	}
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

// report sends reports until ctx ends, the uplink fails, or the state says that it has to end:
// a whole one at each heartbeat, and one at once when the state wants it.
func (c *Cluster) report(ctx context.Context, ws *websocket.Conn) {
	tick := time.NewTicker(decide.HeartbeatEvery)
	defer tick.Stop()
	for whole := true; ; {
		wall, problem := c.o.Clock.Wall(), c.o.Clock.Problem()
		c.mu.Lock()
		rep, ok := c.state.NextReport(whole, wall, problem)
		c.mu.Unlock()
		if !ok || send(ctx, ws, rep) != nil {
			return
		}
		c.on(decide.ReportSent{Report: rep})
		select {
		case <-tick.C:
			whole = true
		case <-c.reports:
			whole = false
		case <-ctx.Done():
			return
		}
	}
}

func receiveHeartbeat(ctx context.Context, ws *websocket.Conn) (Heartbeat, error) {
	var h Heartbeat
	ctx, cancel := context.WithTimeout(ctx, silentHeartbeat)
	defer cancel()
	_, raw, err := ws.Read(ctx)
	if err != nil {
		return h, fmt.Errorf("read a heartbeat: %w", err)
	}
	if err := json.Unmarshal(raw, &h); err != nil {
		return h, fmt.Errorf("decode a heartbeat: %w", err)
	}
	return h, nil
}
