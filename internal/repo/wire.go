package repo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"blog/internal/apperr"
	"blog/internal/transport"
)

// The private listener's paths. A call of another node comes in at PathSuper, and is executed
// here or refused. A call of this node's command line comes in at PathCall, and goes down this
// node's chain.
const (
	PathSuper = "/internal/super"
	PathCall  = "/internal/call"
)

// reply is the wire form of what a call gives.
type reply struct {
	Reply
	Error *apperr.Error `json:"error,omitempty"`
}

// Send posts call to the private listener at base by way of t and sets its Reply. The reason of
// its error is NotNow when the call was never sent, and OutcomeUnknown when no whole answer came.
func Send(ctx context.Context, t *transport.Client, base, path string, call *Call) error {
	if err := call.check(); err != nil {
		return err
	}
	body, err := json.Marshal(call)
	if err != nil {
		return fmt.Errorf("encode call: %w", err)
	}
	status, answer, err := t.Send(ctx, base, path, call.Key, body)
	if err != nil {
		return fail(atSend, err, call.Key)
	}
	return readReply(status, answer, call)
}

// readReply sets the reply of call from an answer, or returns its error.
func readReply(status int, raw []byte, call *Call) error {
	var r reply
	if err := json.Unmarshal(raw, &r); err != nil {
		if status == http.StatusOK {
			return fail(atSend, fmt.Errorf("decode reply: %w", err), call.Key)
		}
		return fail(atSend, fmt.Errorf("private listener answered %d: %.200q", status, raw), call.Key)
	}
	if r.Error != nil {
		if !r.Error.Code.Known() {
			r.Error.Code = apperr.Internal
		}
		// The assurance is passed on as it is, also one that only the other release knows.
		call.Reply = Reply{Cursor: r.Cursor, Assurance: r.Assurance}
		return r.Error
	}
	if status != http.StatusOK {
		return fail(atSend, fmt.Errorf("private listener answered %d", status), call.Key)
	}
	call.Reply = r.Reply
	return nil
}

// NewHandler returns the private listener's handler for calls. It refuses callers without the
// cluster's secret, and logs each of their addresses once. Calls at PathSuper are logged here,
// since they pass no chain.
func NewHandler(r *Repo, secret string, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST "+PathSuper, receive(r.bodies, logReceived(log, r.node)(r.received)))
	mux.Handle("POST "+PathCall, receive(r.bodies, r.Call))
	return transport.Authenticated(mux, secret, log)
}

// receive admits a call by the length of its body, before the body is read, and gives the call to h.
func receive(bodies *transport.Bodies, h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.ContentLength > transport.MaxMessage {
			transport.RefuseUnread(w, req, errTooLarge())
			return
		}
		leave, err := bodies.AdmitRequest(req, transport.MaxMessage)
		if err != nil {
			transport.RefuseUnread(w, req, err)
			return
		}
		defer leave()
		call, err := readCall(http.MaxBytesReader(w, req.Body, transport.MaxMessage))
		if err != nil {
			transport.WriteError(w, err)
			return
		}
		ctx := context.WithValue(req.Context(), admittedKey, true)
		ctx, cancel := context.WithDeadline(WithRequestID(As(ctx, call.Actor), call.RequestID), call.Deadline.Add(lateness))
		defer cancel()
		err = h(ctx, call)
		writeReply(w, call.Reply, err)
	})
}

func readCall(body io.Reader) (*Call, error) {
	raw, err := io.ReadAll(body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, errTooLarge()
	case err != nil:
		return nil, fail(atReceive, err, "")
	}
	call, err := decode[Call](raw)
	return &call, err
}

// writeReply writes what a call gave, or err, in the wire form.
func writeReply(w http.ResponseWriter, rep Reply, err error) {
	out := reply{Reply: rep}
	if err != nil {
		out.Error = apperr.From(err)
		out.Result = nil
	}
	transport.WriteAnswer(w, out, out.Error)
}
