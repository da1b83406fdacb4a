package compose

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"blog/internal/accounts"
	"blog/internal/repo"
)

// Visitor signs in and out, each time at another node, and continues to use the cookie of a session
// that has ended, as a thief would. The cookie must not work on any node once the visitor was told
// that the session has ended.
type Visitor struct {
	storm *Storm

	mu     sync.Mutex
	events []SessionEvent
}

const (
	visitEvery = 3 * time.Second
	// pagesOfVisit is how many pages are asked for before a session ends, and after it.
	pagesOfVisit = 3
)

// signedForm publishes a post that does not exist: the primary checks the session first, and
// changes nothing.
const signedForm = "/admin/posts/999999999/state"

// NewVisitor returns a visitor of all nodes.
func NewVisitor(s *Storm) *Visitor { return &Visitor{storm: s} }

// Run visits until ctx ends, while readers may write.
func (v *Visitor) Run(ctx context.Context) {
	tick := time.NewTicker(visitEvery)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if v.storm.forms.enter() {
			v.visit(ctx, i)
			v.storm.forms.leave()
		}
	}
}

// Check checks the answers about all sessions so far.
func (v *Visitor) Check(copies []*Copy, start, end, limit time.Duration) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return CheckSessions(v.events, copies, start, end, limit)
}

func (v *Visitor) add(e SessionEvent) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.events = append(v.events, e)
}

// visit begins a session, ends it, and tries to use it after that.
func (v *Visitor) visit(ctx context.Context, number int) {
	nodes := v.storm.Nodes
	r := NewReader("visitor", nodes[number%len(nodes)], v.storm)
	r.client.Timeout = formLimit
	defer r.client.CloseIdleConnections()
	if v.storm.avoided(r.home.Name) {
		return
	}
	start := v.storm.Ledger.Now()
	err := r.SignIn(ctx, email, password, nodes)
	cookie := r.cookieOf("session")
	if err != nil || cookie == nil {
		return // nothing can be asked about a session whose token was not received
	}
	hash := accounts.HashToken(cookie.Value)
	v.add(SessionEvent{Session: hash, Kind: Login, Node: r.home.Name, Start: start, End: v.storm.Ledger.Now(),
		Alive: true, Known: true})
	ask := func(kind SessionKind, path string) bool {
		e := r.ask(ctx, kind, hash, path)
		v.add(e)
		return e.Known
	}
	pages := func() {
		for range pagesOfVisit {
			ask(Page, "/account")
		}
	}
	pages()
	ask(Signed, signedForm)
	for range formTries {
		if ask(Logout, "/logout") || ctx.Err() != nil {
			break
		}
	}
	r.storeCookie(cookie)
	pages()
	ask(Signed, signedForm)
}

// cookieOf returns the browser's cookie with this name, or nil.
func (r *Reader) cookieOf(name string) *http.Cookie {
	at, err := url.Parse(r.home.Public)
	if err != nil || r.client.Jar == nil {
		return nil
	}
	for _, c := range r.client.Jar.Cookies(at) {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// storeCookie puts a cookie that the site has removed into the browser again.
func (r *Reader) storeCookie(c *http.Cookie) {
	if at, err := url.Parse(r.home.Public); err == nil {
		// #nosec G124 -- as the browser had it
		r.client.Jar.SetCookies(at, []*http.Cookie{{Name: c.Name, Value: c.Value, Path: "/"}})
	}
}

// ask asks a node for a page, or sends a form, with the cookie of a session, and returns what the
// answer says about it.
func (r *Reader) ask(ctx context.Context, kind SessionKind, hash, path string) SessionEvent {
	node := r.anyNode()
	e := SessionEvent{Session: hash, Kind: kind, Node: node.Name, Start: r.storm.Ledger.Now()}
	var a got
	var err error
	switch kind {
	case Page:
		a, err = r.get(ctx, node.Public+path)
	case Signed:
		form := url.Values{"do": {"publish"}, "revision": {"1"}, "key": {repo.NewKey()}}
		a, err = r.post(ctx, node.Public+path, formType, strings.NewReader(form.Encode()))
	default:
		a, err = r.post(ctx, node.Public+path, formType, strings.NewReader(""))
	}
	e.End = r.storm.Ledger.Now()
	e.Message = fmt.Sprintf("status %d, %v", a.status, err)
	if err == nil {
		e.Alive, e.Known = sessionIn(kind, a)
	}
	return e
}

// sessionIn returns what an answer says about the session that it was asked for with.
func sessionIn(kind SessionKind, a got) (alive, known bool) {
	login := strings.HasPrefix(a.header.Get("Location"), "/login")
	switch {
	case a.status >= http.StatusInternalServerError, a.stale > 0, a.status == http.StatusTooManyRequests:
		return false, false
	case kind == Logout:
		return false, a.status == http.StatusSeeOther
	case a.status == http.StatusUnauthorized, a.status == http.StatusSeeOther && login:
		return false, true
	}
	return true, true
}
