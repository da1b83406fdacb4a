package app

import (
	"net/http"

	"blog/internal/apperr"
	"blog/internal/transport"
)

// PathForget is where the private listener accepts an operator's request (POST, parameter id) to
// leave a node that is gone for good out of the status. The answer is a cluster.Forgotten. Any node
// may be asked; the primary does it.
const PathForget = "/internal/node/forget"

func (s *Server) serveForget(w http.ResponseWriter, r *http.Request) {
	if s.cluster == nil {
		transport.WriteError(w, apperr.Errorf(apperr.Conflict, "This node is the only one: it runs on a plain file."))
		return
	}
	out, err := s.cluster.Forget(r.Context(), s.transport, r.URL.Query().Get("id"))
	if err != nil {
		transport.WriteError(w, err)
		return
	}
	transport.WriteAnswer(w, out, nil)
}
