package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"blog/internal/litefs"
	"blog/internal/repo"
)

// PathForget is where a primary's private listener forgets a node (POST, the node's id as the parameter id) and answers
// with Forgotten.
const PathForget = "/internal/forget"

// forgetAfter is how long after its last report the primary forgets a node that is gone.
const forgetAfter = 24 * time.Hour

// Forgotten is a node that is in no status any more.
type Forgotten struct {
	ID   string `json:"id"`
	Node string `json:"node"`
	// Heard is how long ago the primary heard of it, in milliseconds.
	Heard int64 `json:"heard_ms"`
}

// Teller tells a private listener something: repo.Transport.
type Teller interface {
	Tell(ctx context.Context, base, path string, v any) error
}

// Forget has the primary forget the node with that id: a status shows it no more, unless it reports again. A member of
// the sync set is not forgotten, since writes may wait for it, nor is a node that reports.
func (c *Cluster) Forget(ctx context.Context, t Teller, id string) (Forgotten, error) {
	switch role := c.o.Node.Role(); role.State {
	case litefs.Primary:
		return c.forget(id)
	case litefs.Replica:
		limited, cancel := context.WithTimeout(ctx, nodesLimit)
		defer cancel()
		var out Forgotten
		err := t.Tell(limited, role.URL, PathForget+"?"+url.Values{"id": {id}}.Encode(), &out)
		var refused *repo.Error
		switch {
		case errors.As(err, &refused) && refused.Reason == repo.NoServer:
			return out, repo.Errorf(repo.Unavailable, "The primary does not answer: ask again.")
		case err != nil && refused == nil:
			return out, repo.Errorf(repo.Unavailable, "The primary does not understand this: ask again once it runs this release.")
		}
		return out, err
	default:
		return Forgotten{}, &repo.Error{
			Code: repo.Unavailable, Reason: repo.NoPrimary, RetryAfter: 1, Message: "No primary is known, and only the primary can forget a node: ask again.",
		}
	}
}

func (c *Cluster) serveForget(w http.ResponseWriter, r *http.Request) {
	out, err := c.forget(r.URL.Query().Get("id"))
	if err != nil {
		repo.WriteReply(w, repo.Reply{}, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // the caller is gone: nobody to tell
}

// forget forgets a node here, on the primary.
func (c *Cluster) forget(id string) (Forgotten, error) {
	role := c.o.Node.Role()
	c.mu.Lock()
	defer c.mu.Unlock()
	p, now := c.nodes[id], time.Now()
	switch {
	case role.State != litefs.Primary:
		return Forgotten{}, &repo.Error{
			Code: repo.Unavailable, Reason: repo.WrongPrimary, Primary: role.URL, RetryAfter: 1, Message: "This node is not the primary: ask again.",
		}
	case c.lead == nil && c.o.Control != nil:
		return Forgotten{}, &repo.Error{Code: repo.Unavailable, Reason: repo.NotNow, RetryAfter: 1, Message: "The primary is starting: ask again."}
	case id == c.self.ID:
		return Forgotten{}, repo.Errorf(repo.Conflict, "%s is the primary itself.", c.self.Node)
	case c.memberLocked(id):
		return Forgotten{}, repo.Errorf(repo.Conflict, "%s is in the sync set, so writes may wait for it: a primary that goes on alone takes it out first.", c.nameLocked(id))
	case p == nil:
		return Forgotten{}, repo.Errorf(repo.NotFound, "No node with the id %q is known: `blog status --json` has the ids.", id)
	case p.conns > 0:
		return Forgotten{}, repo.Errorf(repo.Conflict, "%s is there: it reported %s ago. Stop it first.", p.info.Node, now.Sub(p.heard).Round(time.Second/10))
	}
	c.log.Info("a node is forgotten, as an operator wants it", "node", p.info.Node, "id", id)
	delete(c.nodes, id)
	if c.forgotten == nil {
		c.forgotten = map[string]time.Time{}
	}
	c.forgotten[id] = now
	return Forgotten{ID: id, Node: p.info.Node, Heard: max(1, now.Sub(p.heard).Milliseconds())}, nil
}

// memberLocked reports whether a node is in the sync set, may be in it, or is about to be.
func (c *Cluster) memberLocked(id string) bool {
	l := c.lead
	if l == nil {
		return false
	}
	tried := litefs.SyncSet{Members: l.tried}
	return l.set.Has(id) || l.need[id] || tried.Has(id)
}

func (c *Cluster) nameLocked(id string) string {
	if p := c.nodes[id]; p != nil && p.info.Node != "" {
		return p.info.Node
	}
	return id
}

// forgetOld forgets, on a primary, nodes that have not reported for a day.
func (c *Cluster) forgetOld() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgetOldLocked()
}

func (c *Cluster) forgetOldLocked() {
	now := time.Now()
	for id, at := range c.forgotten {
		if now.Sub(at) > forgetAfter { // by now everybody has forgotten it
			delete(c.forgotten, id)
		}
	}
	if c.o.Node.Role().State != litefs.Primary || c.lead == nil && c.o.Control != nil {
		return // who is a member is not known
	}
	for id, p := range c.nodes {
		if p.conns == 0 && now.Sub(p.heard) > forgetAfter && !c.memberLocked(id) {
			c.log.Info("a node is forgotten: it has not reported for a day", "node", p.info.Node, "id", id)
			delete(c.nodes, id)
		}
	}
}

// forgottenLocked returns the ids of those that an operator had forgotten within a day.
func (c *Cluster) forgottenLocked() []string {
	var out []string
	for id := range c.forgotten {
		out = append(out, id)
	}
	return out
}

// forgetAlsoLocked forgets what the primary was told to: this node may be the next one, and knows it from a time when it
// was primary itself.
func (c *Cluster) forgetAlsoLocked(ids []string) {
	for _, id := range ids {
		if p := c.nodes[id]; p != nil && p.conns == 0 {
			delete(c.nodes, id)
		}
	}
}
