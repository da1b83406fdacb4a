package app

import (
	"encoding/json"
	"net/http"

	"blog/internal/repo"
)

// PathForget is where the private listener takes an operator's wish (POST, the parameter id) that a node that is gone for
// good is in no status any more, and answers with cluster.Forgotten. Whichever node is asked, the primary does it.
const PathForget = "/internal/node/forget"

func (s *Server) serveForget(w http.ResponseWriter, r *http.Request) {
	if s.cluster == nil {
		repo.WriteReply(w, repo.Reply{}, repo.Errorf(repo.Conflict, "This node is the only one: it runs on a plain file."))
		return
	}
	out, err := s.cluster.Forget(r.Context(), s.transport, r.URL.Query().Get("id"))
	if err != nil {
		repo.WriteReply(w, repo.Reply{}, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // the caller is gone: nobody to tell
}
