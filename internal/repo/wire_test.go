package repo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/repo/repotest"
	"blog/internal/transport"
)

// bearer returns the header that a client with that secret sends.
func bearer(tb testing.TB, secret string) string {
	tb.Helper()
	var got string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		got = req.Header.Get("Authorization")
		transport.WriteError(w, apperr.NotFound)
	}))
	defer s.Close()
	tr := transport.NewClient(secret)
	defer tr.Close()
	_ = repo.Send(tb.Context(), tr, s.URL, repo.PathSuper,
		&repo.Call{Name: "x", Key: "k", Body: []byte("{}"), Deadline: time.Now().Add(time.Second)})
	if secret != "" && strings.Contains(got, secret) {
		tb.Error("the secret itself travels")
	}
	return got
}

// post sends raw to the private listener and returns the status and the error.
func post(t *testing.T, url, auth string, raw []byte) (int, apperr.Error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out struct{ Error *apperr.Error }
	if err := json.Unmarshal(body, &out); err != nil {
		t.Fatalf("%d %s: %v", res.StatusCode, body, err)
	}
	if out.Error == nil {
		return res.StatusCode, apperr.Error{}
	}
	return res.StatusCode, *out.Error
}

// envelope returns a call as JSON with one part replaced.
func envelope(old, replacement string) []byte {
	text := `{"name":"items.put","key":"k","actor":{"name":"operator"},"deadline":"` +
		time.Now().Add(time.Minute).UTC().Format(time.RFC3339Nano) +
		`","request_id":"r1","body":{"item":"a","value":"v","topics":["t"]}}`
	return []byte(strings.Replace(text, old, replacement, 1))
}

func TestStrictWireForm(t *testing.T) {
	c := MustCluster(t)
	auth := bearer(t, repotest.Secret)
	for name, x := range map[string]struct {
		old, new string
		code     apperr.Code
		reason   string
	}{
		"unknown field":        {`"item":`, `"colour":"red","item":`, apperr.Unavailable, apperr.UnknownCommand},
		"other case":           {`"item":`, `"Item":`, apperr.Unavailable, apperr.UnknownCommand},
		"Go's name":            {`"item":`, `"ITEM":`, apperr.Unavailable, apperr.UnknownCommand},
		"twice":                {`"item":"a"`, `"item":"a","item":"b"`, apperr.Invalid, ""},
		"null":                 {`"item":"a"`, `"item":null`, apperr.Invalid, ""},
		"null in a list":       {`["t"]`, `[null]`, apperr.Invalid, ""},
		"wrong type":           {`"item":"a"`, `"item":7`, apperr.Invalid, ""},
		"wrong type in a list": {`["t"]`, `[{"t":1}]`, apperr.Invalid, ""},
		"list for an object":   {`{"item":"a","value":"v","topics":["t"]}`, `["a"]`, apperr.Invalid, ""},
		"null for an object":   {`{"item":"a","value":"v","topics":["t"]}`, `null`, apperr.Invalid, ""},
		"unknown command":      {`items.put`, `items.nope`, apperr.Unavailable, apperr.UnknownCommand},
		"call: unknown field":  {`"key":`, `"colour":"red","key":`, apperr.Unavailable, apperr.UnknownCommand},
		"call: other case":     {`"key":`, `"Key":`, apperr.Unavailable, apperr.UnknownCommand},
		"call: twice":          {`"key":"k"`, `"key":"k","key":"l"`, apperr.Invalid, ""},
		"call: actor's field": {`{"name":"operator"}`, `{"name":"operator","admin":true}`, apperr.Unavailable,
			apperr.UnknownCommand},
		"call: trailing data": {`}}`, `}} {}`, apperr.Invalid, ""},
		"call: cut off":       {`}}`, `}`, apperr.Invalid, ""},
		"call: bad UTF-8":     {`"item":"a"`, "\"item\":\"\xff\"", apperr.Invalid, ""},
		"call: bad date":      {`"deadline":"2`, `"deadline":"x2`, apperr.Invalid, ""},
		"call: no body":       {`,"body":{"item":"a","value":"v","topics":["t"]}`, ``, apperr.Invalid, ""},
		"call: long past":     {`"deadline":"2`, `"deadline":"1`, apperr.Unavailable, apperr.Expired},
		"call: nobody":        {`{"name":"operator"}`, `{"name":""}`, apperr.Unauthorized, ""},
		"call: too large": {`"item":"a"`, `"item":"` + strings.Repeat("a", 5<<20) + `"`, apperr.Invalid,
			apperr.TooLarge},
		"call: nothing":         {string(envelope("", "")), ``, apperr.Invalid, ""},
		"call: an empty key":    {`"key":"k"`, `"key":""`, apperr.Invalid, ""},
		"call: a key of a line": {`"key":"k"`, `"key":"k\n"`, apperr.Invalid, ""},
		"call: null for text":   {`"request_id":"r1"`, `"request_id":null`, apperr.Invalid, ""},
	} {
		t.Run(name, func(t *testing.T) {
			raw := envelope(x.old, x.new)
			if x.new == "" && strings.HasPrefix(x.old, "{\"name\"") {
				raw = nil
			}
			status, e := post(t, c.server.URL+repo.PathSuper, auth, raw)
			if e.Code != x.code || e.Reason != x.reason || status != x.code.Status() {
				t.Errorf("%d %v, want %s %s", status, &e, x.code, x.reason)
			}
		})
	}
	if n := MustCount(t, c.primary, "SELECT COUNT(*) FROM writes"); n != 0 {
		t.Errorf("%d rows of refused calls, want 0", n)
	}
	if status, e := post(t, c.server.URL+repo.PathSuper, auth, envelope("", "")); status != http.StatusOK {
		t.Errorf("the envelope as it should be: %d %v", status, &e)
	}
}

func TestLateCallsRunUpToTwoSeconds(t *testing.T) {
	c := MustCluster(t)
	late := func(by time.Duration) repo.Option {
		return func(call *repo.Call) { call.Deadline = time.Now().Add(-by) }
	}
	send := func(key string, o repo.Option) error {
		call := &repo.Call{Name: "items.put", Key: key, Actor: repo.Actor{Name: repo.Operator}, Body: []byte(`{"item":"a"}`)}
		o(call)
		tr := transport.NewClient(repotest.Secret)
		defer tr.Close()
		return repo.Send(t.Context(), tr, c.server.URL, repo.PathSuper, call)
	}
	if err := send("a", late(time.Second)); err != nil {
		t.Errorf("1 s late: %v", err)
	}
	if err := send("b", late(3*time.Second)); !apperr.HasReason(err, apperr.Expired) {
		t.Errorf("3 s late: %v, want the reason %v", err, apperr.Expired)
	}
}

func TestWrongOrNoSecret(t *testing.T) {
	c := MustCluster(t)
	good := bearer(t, repotest.Secret)
	for _, path := range []string{repo.PathSuper, repo.PathCall} {
		for _, auth := range []string{"", "Bearer", "Bearer " + repotest.Secret, good + "0", good[:len(good)-1],
			bearer(t, "another")} {
			if status, e := post(t, c.server.URL+path, auth, envelope("", "")); status != http.StatusUnauthorized ||
				e.Reason != apperr.BadSecret {
				t.Errorf("%q: %d %v, want %d and Reason %v", auth, status, &e, http.StatusUnauthorized, apperr.BadSecret)
			}
		}
	}
	if n := strings.Count(c.log.String(), "without the cluster's secret"); n != 1 {
		t.Errorf("logged %d times, want once", n)
	}
	if n := MustCount(t, c.primary, "SELECT COUNT(*) FROM writes"); n != 0 {
		t.Errorf("%d rows, want 0", n)
	}

	// An empty secret is no secret.
	open := httptest.NewServer(repo.NewHandler(c.primary, "", c.log.JSON()))
	defer open.Close()
	if status, _ := post(t, open.URL+repo.PathSuper, bearer(t, ""), envelope("", "")); status != http.StatusUnauthorized {
		t.Errorf("an empty secret lets in: %d, want %d", status, http.StatusUnauthorized)
	}
}

func TestForwarderWithAnotherSecret(t *testing.T) {
	c := MustCluster(t)
	o := options(t, c.path, c.node.Beside(repotest.Replica(c.server.URL)))
	o.LiteFS = true
	o.Transport = transport.NewClient("another")
	defer o.Transport.Close()
	stranger := repotest.MustOpen(t, o)
	_, err := repo.Write(operator(), stranger, put{Item: "a"})
	// Not Unauthorized: the person at the page is signed in.
	if !apperr.HasReason(err, apperr.BadSecret) || apperr.From(err).Code != apperr.Unavailable {
		t.Errorf("got %v, want %v and the reason %s", err, apperr.Unavailable, apperr.BadSecret)
	}
}

func TestRequestIDAndActorTravel(t *testing.T) {
	c := MustCluster(t, func(o *repo.Options) {
		o.Authorize = func(_ context.Context, tx *repo.Tx) error {
			if a := tx.Actor(); a.Session != "s1" {
				return apperr.Errorf(apperr.Unauthorized, "Sign in again.")
			}
			return nil
		}
	})
	ctx := repo.WithRequestID(repo.As(t.Context(), repo.Actor{Name: "user:7", Session: "s1"}), "req-1")
	res, err := repo.Write(ctx, c.replica, put{Item: "a"})
	if err != nil || res.By != "user:7" {
		t.Fatalf("got %+v, %v, want no error and By %q", res, err, "user:7")
	}
	var line struct {
		Msg, Command, Actor, Key, Role string
		RequestID                      string `json:"request_id"`
		Seq                            int64
	}
	for text := range strings.Lines(c.log.String()) {
		if strings.Contains(text, `"msg":"write"`) {
			if err = json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatal(err)
			}
		}
	}
	if line.RequestID != "req-1" || line.Actor != "user:7" || line.Command != "items.put" || line.Seq != 1 ||
		line.Key == "" || line.Role != "primary" {
		t.Errorf("the primary's line: %+v, want RequestID %q, Actor %q, Command %q, Seq 1, Key not empty and Role %q", line,
			"req-1", "user:7", "items.put", "primary")
	}
	_, err = repo.Write(repo.As(t.Context(), repo.Actor{Name: "user:7", Session: "ended"}), c.replica, put{Item: "a"})
	if apperr.From(err).Code != apperr.Unauthorized {
		t.Errorf("an ended session: %v", err)
	}
	// A retry after signing in again is the same request.
	first := repo.MustWrite(ctx, c.replica, put{Item: "b"}, repo.WithKey("k"))
	again, receipt, err := repo.Do(repo.As(t.Context(), repo.Actor{Name: "user:7", Session: "s2"}), c.replica,
		put{Item: "b"}, repo.WithKey("k"))
	if err != nil || again != first || !receipt.Replayed {
		t.Errorf("got %+v %+v %v, want no error, %+v and Replayed true", again, receipt, err, first)
	}
}
