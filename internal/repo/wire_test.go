package repo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
	if secret == "" {
		return got
	}
	if strings.Contains(got, secret) {
		tb.Errorf("got the header %q, want it without the secret", got)
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
			expectReason(t, "the answer", &e, x.code, x.reason)
			if want := x.code.Status(); status != want {
				t.Errorf("got status %d, want %d", status, want)
			}
		})
	}
	if n := MustCount(t, c.primary, "SELECT COUNT(*) FROM writes"); n != 0 {
		t.Errorf("%d rows of refused calls, want 0", n)
	}
	if status, e := post(t, c.server.URL+repo.PathSuper, auth, envelope("", "")); status != http.StatusOK {
		t.Errorf("the envelope as it should be: got %d %v, want %d", status, &e, http.StatusOK)
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
		t.Errorf("1 s late: got %v, want no error", err)
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
			status, e := post(t, c.server.URL+path, auth, envelope("", ""))
			if status != http.StatusUnauthorized {
				t.Errorf("%q: got status %d, want %d", auth, status, http.StatusUnauthorized)
			}
			expectReason(t, fmt.Sprintf("%q", auth), &e, apperr.Unauthorized, apperr.BadSecret)
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
	expectReason(t, "a stranger", err, apperr.Unavailable, apperr.BadSecret)
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
	if err != nil {
		t.Fatal(err)
	}
	if want := "user:7"; res.By != want {
		t.Fatalf("got By %q, want %q", res.By, want)
	}
	type entry struct {
		Msg, Command, Actor, Key, Role string
		RequestID                      string `json:"request_id"`
		Seq                            int64
	}
	var line entry
	for text := range strings.Lines(c.log.String()) {
		if strings.Contains(text, `"msg":"write"`) {
			if err = json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := entry{
		Msg: "write", Command: "items.put", Actor: "user:7", Key: line.Key, Role: "primary", RequestID: "req-1", Seq: 1,
	}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Errorf("the primary's line (-want +got):\n%s", diff)
	}
	if line.Key == "" {
		t.Errorf("the primary's line: got %+v, want a key", line)
	}
	_, err = repo.Write(repo.As(t.Context(), repo.Actor{Name: "user:7", Session: "ended"}), c.replica, put{Item: "a"})
	expectCode(t, "an ended session", err, apperr.Unauthorized)
	// A retry after signing in again is the same request.
	first := repo.MustWrite(ctx, c.replica, put{Item: "b"}, repo.WithKey("k"))
	again, receipt, err := repo.Do(repo.As(t.Context(), repo.Actor{Name: "user:7", Session: "s2"}), c.replica,
		put{Item: "b"}, repo.WithKey("k"))
	expectReplayed(t, "signed in again", receipt, err, true)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("signed in again (-want +got):\n%s", diff)
	}
}
