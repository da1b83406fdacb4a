//go:build linux

package mount

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	nethttp "net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/superfly/litefs"
	"github.com/superfly/litefs/http"

	node "blog/internal/litefs"
)

// promoteLimit bounds the primary's answer to the wish for a hand-off; the child gives up after 5 s.
const promoteLimit = 4 * time.Second

// control answers the child's questions (internal/litefs, control.go) on a socket that only this user can reach.
type control struct {
	log    *slog.Logger
	store  *litefs.Store
	leaser *consulLeaser
	client *http.Client

	promoting sync.Mutex // held while the primary is asked to hand off

	path   string // of the socket
	server *nethttp.Server
	ended  chan error
}

// open starts to listen. The folder is new, so nothing can be in it.
func (c *control) open() error {
	dir, err := os.MkdirTemp("", "litefs-control-*")
	if err != nil {
		return fmt.Errorf("make a folder for the control socket: %w", err)
	}
	c.path = filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: c.path, Net: "unix"})
	if err != nil {
		return errors.Join(fmt.Errorf("listen on the control socket (is TMPDIR very long?): %w", err), os.Remove(dir))
	}
	mux := nethttp.NewServeMux()
	mux.HandleFunc("GET "+node.ControlStanding, c.answer(func(r *nethttp.Request) (any, error) {
		return c.standing(r.Context())
	}))
	mux.HandleFunc("PUT "+node.ControlSync, c.answer(c.change))
	mux.HandleFunc("POST "+node.ControlPromote, c.answer(func(r *nethttp.Request) (any, error) {
		return struct{}{}, c.promote(r.Context())
	}))
	mux.HandleFunc("POST "+node.ControlDemote, c.answer(func(r *nethttp.Request) (any, error) {
		return struct{}{}, c.demote(r)
	}))
	mux.HandleFunc("POST "+node.ControlAcceptLoss, c.answer(c.acceptLoss))
	c.server = &nethttp.Server{Handler: mux, ReadHeaderTimeout: promoteLimit}
	c.ended = make(chan error, 1)
	go func() { c.ended <- c.server.Serve(l) }()
	return nil
}

// Close ends the server and removes the socket. A nil control is one that was not needed.
func (c *control) Close() error {
	if c == nil {
		return nil
	}
	err := c.server.Close()
	if e := <-c.ended; !errors.Is(e, nethttp.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return errors.Join(err, os.RemoveAll(filepath.Dir(c.path)))
}

// answer sends what do returns, as JSON.
func (c *control) answer(do func(*nethttp.Request) (any, error)) nethttp.HandlerFunc {
	return func(w nethttp.ResponseWriter, r *nethttp.Request) {
		const longest = 1 << 20
		r.Body = nethttp.MaxBytesReader(w, r.Body, longest)
		out, err := do(r)
		w.Header().Set("Content-Type", "application/json")
		if err != nil {
			c.log.Info("the child was refused", "path", r.URL.Path, "err", err)
			out = node.Problem(err)
			w.WriteHeader(problemStatus(err))
		}
		if err := json.NewEncoder(w).Encode(out); err != nil {
			c.log.Warn("answer the child", "path", r.URL.Path, "err", err)
		}
	}
}

func problemStatus(err error) int {
	switch {
	case errors.Is(err, node.ErrNoAnswer):
		return nethttp.StatusServiceUnavailable
	default:
		return nethttp.StatusConflict
	}
}

func (c *control) standing(ctx context.Context) (node.Standing, error) {
	s := node.Standing{Self: c.leaser.self(), Candidate: c.store.Candidate()}
	v, err := c.leaser.resolve(ctx)
	if err != nil {
		return node.Standing{}, err
	}
	s.Set = v.set
	// What Consul has counts, not only what this node knows: set and lock were read at one moment, so they are of one
	// term, and a node that was stopped for a while learns here that its lease is over. Whether the set is the one that
	// was written last in this term the child knows: that the lock is as it was does not say so of a Consul that was
	// restored.
	l := c.leaser.held()
	held := l != nil && v.lock != nil && v.lock.Session == l.session && v.lock.ModifyIndex == l.index
	if s.Primary = held && c.store.IsPrimary(); s.Primary {
		s.Term = l.term()
	}
	return s, nil
}

func (c *control) change(r *nethttp.Request) (any, error) {
	var change node.SyncChange
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&change); err != nil {
		return nil, fmt.Errorf("%w: decode the change: %w", node.ErrRefused, err)
	}
	set, err := c.leaser.change(r.Context(), change)
	if err == nil {
		c.log.Info("the sync set has changed", "members", set.Members, "seq", set.Seq)
	}
	return set, err
}

func (c *control) acceptLoss(r *nethttp.Request) (any, error) {
	accepted, err := c.leaser.acceptLoss(r.Context())
	if err == nil {
		c.log.Warn("this node has been made the only member of the sync set; what others acknowledged may be lost",
			"before", accepted.Before)
	}
	return accepted, err
}

// promote asks the primary to hand off to this node. A node that could not acquire the lock must not ask: the primary
// would step down in vain. While it asks it refuses to ask once more: the primary would carry that out after the first
// hand-off has failed, and renew its lease neither during the one nor during the other.
func (c *control) promote(ctx context.Context) error {
	if !c.promoting.TryLock() {
		return fmt.Errorf("%w: the primary is being asked already to hand off to this node", node.ErrRefused)
	}
	defer c.promoting.Unlock()
	ctx, cancel := context.WithTimeout(ctx, promoteLimit)
	defer cancel()
	primary, info := c.store.PrimaryInfo()
	switch {
	case primary:
		return nil
	case !c.store.Candidate():
		return fmt.Errorf("%w: this node is no candidate", node.ErrRefused)
	case info == nil:
		return fmt.Errorf("%w: no primary is known that could hand off", node.ErrRefused)
	}
	v, err := c.leaser.read(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", node.ErrNoAnswer, err)
	}
	if err = c.leaser.mayHold(v.set); err != nil {
		return fmt.Errorf("%w: %w", node.ErrRefused, err)
	}
	refusal, err := c.askHandoff(ctx, info.AdvertiseURL)
	if err != nil {
		return fmt.Errorf("%w: ask %s to hand off: %w", node.ErrNoAnswer, info.Hostname, err)
	}
	if refusal != "" {
		return fmt.Errorf("%w: %s does not hand off: %s", node.ErrRefused, info.Hostname, refusal)
	}
	return nil
}

// askHandoff asks the LiteFS node at that address to hand the lease to this node, and returns its sentence when it
// refuses. LiteFS's own client drops the sentence.
func (c *control) askHandoff(ctx context.Context, address string) (refusal string, err error) {
	query := url.Values{"nodeID": {litefs.FormatNodeID(c.store.ID())}}.Encode()
	req, err := nethttp.NewRequestWithContext(ctx, nethttp.MethodPost, address+"/handoff?"+query, nil)
	if err != nil {
		return "", err
	}
	res, err := c.client.HTTPClient.Do(req)
	if err != nil {
		return "", err
	}
	const longest = 1 << 10
	text, err := io.ReadAll(io.LimitReader(res.Body, longest))
	if err = errors.Join(err, res.Body.Close()); err != nil || res.StatusCode == nethttp.StatusOK {
		return "", err
	}
	return fmt.Sprintf("%s (status %d)", strings.TrimSpace(string(text)), res.StatusCode), nil
}

// demote makes LiteFS give the lease up, if it has it. Where the child lacks what the set requires this node is out of
// the election before it lets go.
func (c *control) demote(r *nethttp.Request) error {
	var giving node.Giving
	// leniently: a child may say more
	if err := json.NewDecoder(r.Body).Decode(&giving); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: decode why: %w", node.ErrRefused, err)
	}
	// What a child says of a lease that is over need not be true of the copy that there is now.
	if l := c.leaser.held(); giving.Term != "" && (l == nil || l.term() != giving.Term) {
		return nil
	}
	if giving.Lacking != "" {
		c.leaser.lack(giving.Lacking)
	}
	c.store.Demote()
	return nil
}
