package repo

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The private listener's paths. PathSuper takes what another node forwards and
// carries it out or refuses; PathCall takes what this node's command line asks
// and sends it down this node's chain.
const (
	PathSuper = "/internal/super"
	PathCall  = "/internal/call"
)

// maxWire is the largest call or reply, in bytes: a media chunk in base64 and
// the longest post fit.
const maxWire = 4 << 20

// reply is the wire form of what a call gives.
type reply struct {
	Reply
	Error *Error `json:"error,omitempty"`
}

// bearer derives what a call carries from the cluster's secret, so that the
// secret itself never travels.
func bearer(secret string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte("private listener, version 1"))
	return "Bearer " + hex.EncodeToString(m.Sum(nil))
}

// Transport carries calls to private listeners over keep-alive connections.
type Transport struct {
	auth   string
	client *http.Client
}

// NewTransport returns a transport that authenticates with secret.
func NewTransport(secret string) *Transport {
	dialer := &net.Dialer{Timeout: 2 * time.Second, KeepAlive: 5 * time.Second}
	return &Transport{auth: bearer(secret), client: &http.Client{Transport: &http.Transport{
		DialContext:         dialer.DialContext,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     10 * time.Minute,
		DisableCompression:  true,
	}}}
}

// Close closes the idle connections.
func (t *Transport) Close() { t.client.CloseIdleConnections() }

// Send posts call to the private listener at base and sets its Reply. A call
// that was never sent gives NotNow, one without a whole answer OutcomeUnknown.
func (t *Transport) Send(ctx context.Context, base, path string, call *Call) error {
	body, err := json.Marshal(call)
	if err != nil {
		return fmt.Errorf("encode call: %w", err)
	}
	var sent atomic.Bool
	tctx := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	req, err := http.NewRequestWithContext(tctx, http.MethodPost, strings.TrimSuffix(base, "/")+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("address of the primary: %w", err)
	}
	req.Header.Set("Authorization", t.auth)
	req.Header.Set("Content-Type", "application/json")
	// net/http sends such a request again by itself when a kept-alive
	// connection turns out to be closed.
	req.Header.Set("Idempotency-Key", call.Key)
	req.Header.Set("X-Request-Id", call.RequestID)
	res, err := t.client.Do(req)
	if err != nil {
		if sent.Load() {
			return lostAnswer(call, err)
		}
		return unavailable(NotNow, "The primary cannot be reached.", time.Second, err)
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxWire))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return lostAnswer(call, err)
	}
	return readReply(res.StatusCode, raw, call)
}

func readReply(status int, raw []byte, call *Call) error {
	var r reply
	if err := json.Unmarshal(raw, &r); err != nil {
		if status == http.StatusOK {
			return lostAnswer(call, fmt.Errorf("decode reply: %w", err))
		}
		return lostAnswer(call, fmt.Errorf("private listener answered %d: %.200q", status, raw))
	}
	call.Reply = r.Reply
	if r.Error != nil {
		return r.Error
	}
	if status != http.StatusOK {
		return lostAnswer(call, fmt.Errorf("private listener answered %d", status))
	}
	return nil
}

func lostAnswer(call *Call, err error) error {
	return &Error{Code: Unavailable, Reason: OutcomeUnknown, Key: call.Key, RetryAfter: 1, cause: err, Message: "The primary's answer was lost."}
}

// NewHandler returns the private listener's handler for calls. Only callers with
// the cluster's secret get in; the others are refused and named once in the log.
func NewHandler(r *Repo, secret string, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST "+PathSuper, receive(r.super, log))
	mux.Handle("POST "+PathCall, receive(r.Call, log))
	return Authenticated(mux, secret, log)
}

// Authenticated lets only callers with the secret through to next.
func Authenticated(next http.Handler, secret string, log *slog.Logger) http.Handler {
	want := []byte(bearer(secret))
	var seen sync.Map
	var count atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if hmac.Equal([]byte(req.Header.Get("Authorization")), want) {
			next.ServeHTTP(w, req)
			return
		}
		host, _, _ := net.SplitHostPort(req.RemoteAddr)
		if _, logged := seen.LoadOrStore(host, true); !logged && count.Add(1) <= 100 {
			log.Warn("refused a call without the cluster's secret: is CLUSTER_SECRET the same on every node?", "from", host, "path", req.URL.Path)
		}
		WriteReply(w, Reply{}, &Error{Code: Unauthorized, Reason: "bad_secret", Message: "The private listener refused the call: CLUSTER_SECRET differs between these two."})
	})
}

func receive(h Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var call Call
		d := json.NewDecoder(http.MaxBytesReader(w, req.Body, maxWire))
		d.DisallowUnknownFields()
		if err := d.Decode(&call); err != nil {
			WriteReply(w, Reply{}, wireError(err))
			return
		}
		ctx, cancel := context.WithDeadline(WithRequestID(As(req.Context(), call.Actor), call.RequestID), call.Deadline.Add(lateness))
		defer cancel()
		err := h(ctx, &call)
		if err != nil && AsError(err).Code == Internal {
			log.Error("carry out", "command", call.Name, "request_id", call.RequestID, "err", err)
		}
		WriteReply(w, call.Reply, err)
	})
}

// WriteReply writes what a call gave, or err, in the wire form.
func WriteReply(w http.ResponseWriter, rep Reply, err error) {
	out := reply{Reply: rep}
	status := http.StatusOK
	if err != nil {
		out.Error = AsError(err)
		out.Result = nil
		status = out.Error.Code.Status()
		if out.Error.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(out.Error.RetryAfter))
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out) // the caller is gone: nobody to tell
}
