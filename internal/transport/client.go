package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"blog/internal/apperr"
)

// Client sends requests to private listeners over keep-alive connections.
type Client struct {
	auth   string
	client *http.Client
}

// NewClient returns a client that authenticates with secret.
func NewClient(secret string) *Client {
	dialer := &net.Dialer{Timeout: 2 * time.Second, KeepAlive: 5 * time.Second}
	return &Client{auth: bearer(secret), client: &http.Client{
		Transport: &http.Transport{ // no Proxy: the secret goes to the primary alone
			DialContext:         dialer.DialContext,
			MaxIdleConnsPerHost: 64,
			IdleConnTimeout:     10 * time.Minute,
			DisableCompression:  true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Header is what authenticates this node at a private listener, for requests that the
// client does not send itself.
func (c *Client) Header() http.Header { return http.Header{"Authorization": {c.auth}} }

// Close closes the idle connections.
func (c *Client) Close() { c.client.CloseIdleConnections() }

// Errors of Send after which nothing has left this node.
var (
	ErrNotSent = errors.New("not sent")
	ErrAddress = errors.New("address of the private listener")
)

// Send posts body, as JSON, to the private listener at base and returns the answer's status and body. key names the
// request: where a kept-alive connection turns out to be closed it is sent once more. The error wraps ErrAddress
// where base is none, and ErrNotSent where nothing left this node; after any other the request may have been carried
// out.
func (c *Client) Send(ctx context.Context, base, path, key string, body []byte) (status int, answer []byte, err error) {
	// From the moment when there is a connection the request counts as sent: when its
	// first byte leaves is net/http's affair, and "nothing was saved" must be true.
	var sent atomic.Bool
	tctx := httptrace.WithClientTrace(ctx,
		&httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }})
	req, err := http.NewRequestWithContext(tctx, http.MethodPost, strings.TrimSuffix(base, "/")+path,
		bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", ErrAddress, err)
	}
	req.Header.Set("Authorization", c.auth)
	req.Header.Set("Content-Type", "application/json")
	// net/http sends such a request again by itself when a kept-alive
	// connection turns out to be closed.
	req.Header.Set("Idempotency-Key", key)
	res, err := c.client.Do(req)
	if err != nil {
		if !sent.Load() {
			err = errors.Join(ErrNotSent, err)
		}
		return 0, nil, err
	}
	answer, err = io.ReadAll(io.LimitReader(res.Body, MaxMessage))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return 0, nil, err
	}
	return res.StatusCode, answer, nil
}

// Ask gets what the private listener at base answers at path, which changes
// nothing, and decodes its JSON into v. When nothing answers there the error is
// Unavailable with reason NoServer.
func (c *Client) Ask(ctx context.Context, base, path string, v any) error {
	return c.do(ctx, http.MethodGet, base, path, v)
}

// Post is Ask for what changes something, but is no write.
func (c *Client) Post(ctx context.Context, base, path string, v any) error {
	return c.do(ctx, http.MethodPost, base, path, v)
}

func (c *Client) do(ctx context.Context, method, base, path string, v any) error {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(base, "/")+path, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAddress, err)
	}
	req.Header.Set("Authorization", c.auth)
	res, err := c.client.Do(req)
	if err != nil {
		return apperr.NewUnavailable(apperr.NoServer,
			fmt.Sprintf("No server answers at %s: start it with `blog serve`.", base), time.Second, err)
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, MaxMessage))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return apperr.NewUnavailable(apperr.Interrupted, "The server's answer was lost.", time.Second, err)
	}
	var refused failure
	if err := json.Unmarshal(raw, &refused); err == nil && refused.Error != nil {
		return refused.Error
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("private listener answered %d: %.200q", res.StatusCode, raw)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("decode answer of the private listener: %w", err)
	}
	return nil
}
