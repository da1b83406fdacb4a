//go:build linux

package receive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	nethttp "net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/superfly/litefs"
	"github.com/superfly/litefs/http"
	"github.com/superfly/ltx"
)

// The headers of a resumed image. Their value is the database's name, the image's id and the offset, with one space in
// between. The id is the hex SHA-256 of the image's LTX header; the offset is the number of the image's encoded bytes
// that the replica has. The request's header offers to resume; the answer's header, with the same value, says that the
// first LTX frame of that database carries the image's bytes from the offset on. A primary that cannot do that sends no
// such header and a whole frame.
const (
	HeaderResume  = "Blog-Image-Resume"
	HeaderResumed = "Blog-Image-Resumed"
)

var _ litefs.Client = (*Client)(nil)

// Client is LiteFS's own client but for Stream. LiteFS opens one stream at a time, and closes it before the next.
type Client struct {
	*http.Client
	log   *slog.Logger
	spool *spool

	mu      sync.Mutex
	partial *partial // nil where no image has been interrupted
}

// New returns a client that reaches the primary by base. Payloads that are too large for memory lie in a folder of
// dataDir, which New empties: what is in there is left from a process that was killed. New fails when the folder cannot
// be emptied or made.
func New(base *http.Client, dataDir string, logger *slog.Logger) (*Client, error) {
	s, err := newSpool(dataDir)
	if err != nil {
		return nil, err
	}
	return &Client{Client: base, log: logger, spool: s}, nil
}

// Stream implements litefs.Client. It fails without a call while the disk is known to have no room for the frame that
// comes next.
func (c *Client) Stream(
	ctx context.Context, primaryURL string, nodeID uint64, positions map[string]ltx.Pos, filter []string,
) (litefs.Stream, error) {
	if err := c.spool.checkShortage(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &stream{client: c, cancel: cancel, positions: make(map[string]ltx.Pos, len(positions)), queue: newQueue()}
	for name, pos := range positions {
		s.positions[name] = pos
	}
	offered := c.acceptPartial(positions)
	header, body, err := c.post(ctx, primaryURL, nodeID, positions, filter, offered)
	if err != nil {
		cancel()
		c.retainPartial(offered)
		return nil, err
	}
	if offered != nil {
		if header.Get(HeaderResumed) == offered.header() {
			c.log.Info("the image is resumed", "db", offered.name, "offset", offered.payload.size)
			s.resumed = offered
		} else {
			c.log.Info("the image cannot be resumed from this primary", "db", offered.name, "offset", offered.payload.size)
			offered.payload.discard()
		}
	}
	s.clusterID = header.Get(http.HeaderClusterID)
	s.start(ctx, body)
	return s, nil
}

// post asks the primary for the stream and returns the response's header and body. The caller closes the body.
func (c *Client) post(
	ctx context.Context, primaryURL string, nodeID uint64, positions map[string]ltx.Pos, filter []string, offered *partial,
) (nethttp.Header, io.ReadCloser, error) {
	u, err := url.Parse(primaryURL)
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("the primary's URL: %w", err)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return nil, nil, fmt.Errorf("the primary's URL %q is not of the form http://host:port", primaryURL)
	}
	to := url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/stream"}
	if len(filter) > 0 {
		to.RawQuery = url.Values{"filter": {strings.Join(filter, ",")}}.Encode()
	}
	var body bytes.Buffer
	if err = http.WritePosMapTo(&body, positions); err != nil {
		return nil, nil, fmt.Errorf("encode the positions: %w", err)
	}
	req, err := nethttp.NewRequestWithContext(ctx, nethttp.MethodPost, to.String(), &body)
	if err != nil {
		return nil, nil, fmt.Errorf("ask for the stream: %w", err)
	}
	req.Header.Set(http.HeaderNodeID, litefs.FormatNodeID(nodeID))
	if offered != nil {
		req.Header.Set(HeaderResume, offered.header())
	}
	resp, err := c.HTTPClient.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("ask for the stream: %w", err)
	}
	if resp.StatusCode != nethttp.StatusOK {
		const longest = 200
		why, err := io.ReadAll(io.LimitReader(resp.Body, longest))
		err = errors.Join(err, resp.Body.Close())
		refused := fmt.Errorf("ask for the stream: status %d: %s", resp.StatusCode, bytes.TrimSpace(why))
		return nil, nil, errors.Join(refused, err)
	}
	return resp.Header, resp.Body, nil
}

// acceptPartial returns the interrupted image if a replica at positions needs it still, and nil otherwise. The replica
// was at the image's position when the image began; at any other it has followed or been a primary since.
func (c *Client) acceptPartial(positions map[string]ltx.Pos) *partial {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.partial
	c.partial = nil
	if p != nil && positions[p.name] != p.position {
		c.log.Info("the interrupted image is not needed any more", "db", p.name, "offset", p.payload.size)
		p.payload.discard()
		return nil
	}
	return p
}

// retainPartial stores p, which may be nil, for the next stream in place of any other.
func (c *Client) retainPartial(p *partial) {
	if p == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.partial != nil {
		c.partial.payload.discard()
	}
	c.partial = p
}

// partial is the beginning of an image whose connection broke.
type partial struct {
	name     string  // of the database
	position ltx.Pos // of the replica, when the image began
	payload  *payload
}

// header is the value of HeaderResume and HeaderResumed.
func (p *partial) header() string {
	return fmt.Sprintf("%s %s %d", p.name, p.payload.id, p.payload.size)
}
