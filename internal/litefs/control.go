package litefs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// ControlVariable names the environment variable in which `blog mount` tells its child the path of the local socket
// that only the two share. It is set where there is a sync set: with a lease in Consul, and not under a stock `litefs
// mount`.
const ControlVariable = "LITEFS_CONTROL"

// The paths of the control socket, which speaks HTTP with JSON bodies. An answer that is not 200 holds a
// ControlProblem.
const (
	ControlStanding   = "/standing"    // GET: Standing
	ControlSync       = "/sync"        // PUT SyncChange: SyncSet as it is now
	ControlPromote    = "/promote"     // POST: asks the primary to hand off to this node; the role says whether it did
	ControlDemote     = "/demote"      // POST Giving: gives the lease up
	ControlAcceptLoss = "/accept-loss" // POST: Accepted
)

// Member is a node as the sync set names it. ID is made once for each data directory, so that a node with the name
// of another and an empty disk is somebody else.
type Member struct {
	ID   string `json:"id"`
	Name string `json:"name"` // for people: NODE, or else lease.hostname
}

// SyncSet is the nodes that have every acknowledged write. No other node is elected. It is stored next to the lease.
type SyncSet struct {
	Members []Member `json:"members"`
	// Seq is the newest write that the primary knew when it changed the set last: what was acknowledged by then.
	Seq int64 `json:"seq"`
	// Positions are some of the history that the members have, oldest first, each in the form of repo.Cursor: what a
	// copy from outside shares with theirs can be told by the newest of them that it has. A holder of the release
	// before leaves them out: then it is not known.
	Positions []string `json:"positions,omitempty"`
	// Required is the newest position, in the form of repo.Cursor, that every member had when the set was written:
	// whoever becomes primary must have it. "" demands nothing: there was no row yet, or the set was written by the
	// release before.
	Required string `json:"required,omitempty"`
	// Index is Consul's ModifyIndex of this version of the set. A change names the version that it changes.
	Index uint64 `json:"index,omitempty"`
}

// Has reports whether the node with that id is a member.
func (s *SyncSet) Has(id string) bool {
	if s == nil {
		return false
	}
	for _, m := range s.Members {
		if m.ID == id {
			return true
		}
	}
	return false
}

// Standing is what the LiteFS node knows about its place in the cluster. Set is read from Consul for each question.
type Standing struct {
	Self      Member `json:"self"`
	Candidate bool   `json:"candidate"`
	Primary   bool   `json:"primary"` // it holds the lease, as far as it knows
	// Term names this holding of the lease, and no other: it changes with each election and hand-off. "" unless
	// Primary.
	Term string   `json:"term,omitempty"`
	Set  *SyncSet `json:"set,omitempty"` // nil: there is none yet
}

// SyncChange asks for another sync set. It is made only while the lease is held under Term and the set is still at
// Index, all in one transaction of Consul's.
type SyncChange struct {
	Term      string   `json:"term"`
	Index     uint64   `json:"index"`
	Members   []Member `json:"members"`
	Seq       int64    `json:"seq"`
	Positions []string `json:"positions,omitempty"`
	Required  string   `json:"required,omitempty"`
}

// Giving is the body of ControlDemote. A node that gets none, or does not know Lacking, is of the release before.
type Giving struct {
	// Term is that of the lease that is given up: where another one is held by now, or none, nothing follows. "" means
	// whichever is held.
	Term string `json:"term,omitempty"`
	// Lacking is the position that the sync set requires and this node's copy does not have; "" for another reason. With
	// it the node is not elected again as long as its copy is the same.
	Lacking string `json:"lacking,omitempty"`
}

// Accepted is what AcceptLoss did: the set before (nil: there was none) and the one now, of this node alone.
type Accepted struct {
	Before *SyncSet `json:"before,omitempty"`
	Now    SyncSet  `json:"now"`
}

// The reasons of a ControlProblem. ErrNoAnswer is the only one after which it is not known whether the set changed.
var (
	ErrNotHeld    = errors.New("the lease is not held under that term")
	ErrSetChanged = errors.New("the sync set has changed meanwhile")
	ErrNoAnswer   = errors.New("the keeper of the lease did not answer")
	ErrRefused    = errors.New("refused") // its text says why and what to do
)

// ControlProblem is the wire form of a refusal.
type ControlProblem struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// controlReasons are the refusals by their name on the wire.
func controlReasons() map[string]error {
	return map[string]error{
		"not_held": ErrNotHeld, "set_changed": ErrSetChanged, "no_answer": ErrNoAnswer, "refused": ErrRefused,
	}
}

// Problem returns err as it goes over the control socket. What is none of the reasons becomes ErrNoAnswer, since it
// does not say that nothing was done.
func Problem(err error) ControlProblem {
	for name, reason := range controlReasons() {
		if errors.Is(err, reason) {
			return ControlProblem{Reason: name, Message: err.Error()}
		}
	}
	return ControlProblem{Reason: "no_answer", Message: err.Error()}
}

// controlLimit bounds a question to the LiteFS node: longer than its own calls to Consul.
const controlLimit = 5 * time.Second

// Control is the child's side of the control socket.
type Control struct{ client *http.Client }

// NewControl returns a control that uses the socket at path. Nothing is connected before the first question.
func NewControl(path string) *Control {
	dialer := &net.Dialer{Timeout: controlLimit}
	return &Control{client: &http.Client{Timeout: controlLimit, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", path)
		},
		MaxIdleConns: 4,
	}}}
}

// Close closes the idle connections.
func (c *Control) Close() { c.client.CloseIdleConnections() }

// Standing returns what the LiteFS node knows now. It fails with ErrNoAnswer when Consul does not answer.
func (c *Control) Standing(ctx context.Context) (Standing, error) {
	var s Standing
	return s, c.ask(ctx, http.MethodGet, ControlStanding, nil, &s)
}

// Change changes the sync set and returns it as it is then. ErrNotHeld and ErrSetChanged say that nothing was done;
// after ErrNoAnswer only Standing can tell.
func (c *Control) Change(ctx context.Context, change SyncChange) (SyncSet, error) {
	var set SyncSet
	return set, c.ask(ctx, http.MethodPut, ControlSync, change, &set)
}

// Promote asks the primary to hand the lease to this node. That it was asked is no promise: the role tells.
func (c *Control) Promote(ctx context.Context) error {
	return c.ask(ctx, http.MethodPost, ControlPromote, nil, nil)
}

// Demote gives the lease of a term up, if this node still holds it. Another member of the sync set can then be elected.
// With Lacking the node is not elected again before its copy is another one, since it would win again and again.
func (c *Control) Demote(ctx context.Context, giving Giving) error {
	return c.ask(ctx, http.MethodPost, ControlDemote, giving, nil)
}

// AcceptLoss makes this node the only member of the sync set although it was outside, or lacks what the set requires.
// It is refused while somebody holds the lease, for any other member, and for a node that has no data.
func (c *Control) AcceptLoss(ctx context.Context) (Accepted, error) {
	var a Accepted
	return a, c.ask(ctx, http.MethodPost, ControlAcceptLoss, nil, &a)
}

func (c *Control) ask(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode for the LiteFS node: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://control"+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask the LiteFS node: %w", err)
	}
	res, err := c.client.Do(req)
	if err != nil {
		return fmt.Errorf("%w: ask the LiteFS node: %w", ErrNoAnswer, err)
	}
	const longest = 1 << 20
	raw, err := io.ReadAll(io.LimitReader(res.Body, longest))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	if res.StatusCode != http.StatusOK {
		var p ControlProblem
		if err := json.Unmarshal(raw, &p); err != nil {
			return fmt.Errorf("%w: status %d", ErrNoAnswer, res.StatusCode)
		}
		if reason, ok := controlReasons()[p.Reason]; ok {
			return fmt.Errorf("%w: %s", reason, p.Message)
		}
		return fmt.Errorf("%w: %s", ErrNoAnswer, p.Message)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%w: decode its answer: %w", ErrNoAnswer, err)
	}
	return nil
}
