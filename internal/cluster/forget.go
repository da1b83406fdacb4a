package cluster

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"blog/internal/apperr"
	"blog/internal/litefs"
	"blog/internal/transport"
)

// PathForget is where a primary's private listener forgets a node (POST, the node's id as the
// parameter id) and answers with Forgotten.
const PathForget = "/internal/forget"

// Poster posts to a private listener: transport.Client.
type Poster interface {
	Post(ctx context.Context, base, path string, v any) error
}

// Forget has the primary forget the node with that id: a status shows it no more, unless it
// reports again. A member of the sync set is not forgotten, since writes may wait for it, nor
// is a node that reports.
func (c *Cluster) Forget(ctx context.Context, t Poster, id string) (Forgotten, error) {
	switch role := c.o.Node.Role(); role.State {
	case litefs.Primary:
		return c.forget(id)
	case litefs.Replica:
		limited, cancel := context.WithTimeout(ctx, nodesLimit)
		defer cancel()
		var out Forgotten
		err := t.Post(limited, role.URL, PathForget+"?"+url.Values{"id": {id}}.Encode(), &out)
		var refused *apperr.Error
		switch {
		case errors.As(err, &refused) && refused.Reason == apperr.NoServer:
			return out, apperr.Errorf(apperr.Unavailable, "The primary does not answer: ask again.")
		case err != nil && refused == nil:
			return out, apperr.Errorf(apperr.Unavailable,
				"The primary does not understand this: ask again once it runs this release.")
		}
		return out, err
	default:
		return Forgotten{}, apperr.NewUnavailable(apperr.NoPrimary,
			"No primary is known, and only the primary can forget a node: ask again.", time.Second, nil)
	}
}

func (c *Cluster) serveForget(w http.ResponseWriter, r *http.Request) {
	out, err := c.forget(r.URL.Query().Get("id"))
	if err != nil {
		transport.WriteError(w, err)
		return
	}
	transport.WriteAnswer(w, out, nil)
}

// forget forgets a node here, on the primary.
func (c *Cluster) forget(id string) (Forgotten, error) {
	if role := c.o.Node.Role(); role.State != litefs.Primary {
		return Forgotten{}, errNotPrimary(role)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	out, effects, err := c.state.Forget(c.nowLocked(), id)
	c.carryOutLocked(effects)
	return out, err
}
