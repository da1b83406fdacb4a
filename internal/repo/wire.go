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

// maxWire is the largest call or reply on the wire, in bytes: a command's body and
// what is around it.
const maxWire = maxBody + 64<<10

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
	return &Transport{auth: bearer(secret), client: &http.Client{
		Transport: &http.Transport{ // no Proxy: the secret goes to the primary alone
			DialContext:         dialer.DialContext,
			MaxIdleConnsPerHost: 64,
			IdleConnTimeout:     10 * time.Minute,
			DisableCompression:  true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Header is what authenticates this node at a private listener, for requests that are
// no calls.
func (t *Transport) Header() http.Header { return http.Header{"Authorization": {t.auth}} }

// errNotSent is in the cause of an error of Send when nothing left this node.
var errNotSent = errors.New("not sent")

// Close closes the idle connections.
func (t *Transport) Close() { t.client.CloseIdleConnections() }

// Send posts call to the private listener at base and sets its Reply. A call
// that was never sent gives NotNow, one without a whole answer OutcomeUnknown.
func (t *Transport) Send(ctx context.Context, base, path string, call *Call) error {
	if err := call.check(); err != nil {
		return err
	}
	body, err := json.Marshal(call)
	if err != nil {
		return fmt.Errorf("encode call: %w", err)
	}
	// From the moment when there is a connection the call counts as sent: when its
	// first byte leaves is the transport's affair, and "nothing was saved" must be true.
	var sent atomic.Bool
	tctx := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }})
	req, err := http.NewRequestWithContext(tctx, http.MethodPost, strings.TrimSuffix(base, "/")+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("address of the primary: %w", err)
	}
	req.Header.Set("Authorization", t.auth)
	req.Header.Set("Content-Type", "application/json")
	// net/http sends such a request again by itself when a kept-alive
	// connection turns out to be closed.
	req.Header.Set("Idempotency-Key", call.Key)
	res, err := t.client.Do(req)
	if err != nil {
		if sent.Load() {
			return lostAnswer(call, err)
		}
		return unavailable(NotNow, "The primary cannot be reached.", time.Second, errors.Join(errNotSent, err))
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
	if r.Error != nil {
		if !r.Error.Code.known() {
			r.Error.Code = Internal
		}
		// Whatever word the other release has for it, as with an answer that is no refusal.
		call.Reply = Reply{Cursor: r.Cursor, Assurance: r.Assurance}
		return r.Error
	}
	if status != http.StatusOK {
		return lostAnswer(call, fmt.Errorf("private listener answered %d", status))
	}
	call.Reply = r.Reply
	return nil
}

func lostAnswer(call *Call, err error) error {
	return &Error{Code: Unavailable, Reason: OutcomeUnknown, Key: call.Key, RetryAfter: 1, cause: err, Message: "The primary's answer was lost."}
}

// NewHandler returns the private listener's handler for calls. Only callers with
// the cluster's secret get in; the others are refused and named once in the log.
// What comes in at PathSuper is logged here, since it passes no chain.
func NewHandler(r *Repo, secret string, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST "+PathSuper, receive(r.bodies, Log(log, r.node)(r.received)))
	mux.Handle("POST "+PathCall, receive(r.bodies, r.Call))
	return Authenticated(mux, secret, log)
}

// maxNamed is how many strangers the log names: an attacker must not fill it, or
// this process's memory.
const maxNamed = 100

// Authenticated lets only callers with the secret through to next. An empty
// secret lets nobody through.
func Authenticated(next http.Handler, secret string, log *slog.Logger) http.Handler {
	want := []byte(bearer(secret))
	var mu sync.Mutex
	named := map[string]bool{}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if hmac.Equal([]byte(req.Header.Get("Authorization")), want) && secret != "" {
			next.ServeHTTP(w, req)
			return
		}
		host, _, err := net.SplitHostPort(req.RemoteAddr)
		if err != nil {
			host = req.RemoteAddr
		}
		mu.Lock()
		first := !named[host] && len(named) < maxNamed
		if first {
			named[host] = true
		}
		mu.Unlock()
		if first {
			log.Warn("refused a call without the cluster's secret: is CLUSTER_SECRET the same on every node?", "from", host, "path", req.URL.Path)
		}
		WriteReply(w, Reply{}, &Error{Code: Unauthorized, Reason: BadSecret, Message: "The private listener refused the call: CLUSTER_SECRET differs between these two."})
	})
}

// receive admits a call by the length of its body before that is read, and hands it to h.
func receive(bodies *Bodies, h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.ContentLength > maxWire {
			refuseUnread(w, req, errTooLarge())
			return
		}
		leave, err := bodies.AdmitRequest(req, maxWire)
		if err != nil {
			refuseUnread(w, req, err)
			return
		}
		defer leave()
		call, err := readCall(http.MaxBytesReader(w, req.Body, maxWire))
		if err != nil {
			WriteReply(w, Reply{}, err)
			return
		}
		ctx := context.WithValue(req.Context(), admittedKey, true)
		ctx, cancel := context.WithDeadline(WithRequestID(As(ctx, call.Actor), call.RequestID), call.Deadline.Add(lateness))
		defer cancel()
		err = h(ctx, call)
		WriteReply(w, call.Reply, err)
	})
}

func readCall(body io.Reader) (*Call, error) {
	raw, err := io.ReadAll(body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, errTooLarge()
	case err != nil:
		return nil, unavailable(Interrupted, "The call did not arrive whole.", time.Second, err)
	}
	call, err := decode[Call](raw)
	return &call, err
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
	body, err := json.Marshal(out)
	if err != nil { // a stored result is no JSON
		status, body = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller is gone: nobody to tell
}
