package compose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const readEvery = 400 * time.Millisecond

// Reader reads pages of a node, one after the other. A reader with a cookie is an author who is
// signed in, and whose next request may go to another node.
type Reader struct {
	Name   string
	home   *Node
	others []*Node // where requests may go as well
	client *http.Client
	cookie bool
	storm  *Storm
}

// NewReader returns a reader without a cookie.
func NewReader(name string, home *Node, s *Storm) *Reader {
	return &Reader{
		Name: name, home: home, storm: s,
		client: &http.Client{
			Timeout:       20 * time.Second,
			Transport:     &http.Transport{MaxIdleConnsPerHost: 2},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// SignIn signs the reader in as an author. From then on the reader has a position, and reads at
// others too.
func (r *Reader) SignIn(ctx context.Context, email, password string, others []*Node) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	r.client.Jar, r.cookie, r.others = jar, true, others
	a, err := r.post(ctx, r.home.Public+"/login", formType, strings.NewReader(loginForm(email, password).Encode()))
	if err == nil && (a.status != http.StatusSeeOther || a.header.Get("Location") != "/admin") {
		err = fmt.Errorf("login on %s: status %d", r.home.Name, a.status)
	}
	return err
}

func loginForm(email, password string) url.Values {
	return url.Values{"email": {email}, "password": {password}, "next": {"/admin"}}
}

const formType = "application/x-www-form-urlencoded"

// post sends a form as a page of the site does.
func (r *Reader) post(ctx context.Context, address, contentType string, body io.Reader) (got, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, body)
	if err != nil {
		return got{}, err
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return r.do(req)
}

// Run reads until ctx ends.
func (r *Reader) Run(ctx context.Context) {
	tick := time.NewTicker(readEvery)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		node := r.home
		if len(r.others) > 0 && rand.IntN(4) == 0 { // #nosec G404 -- no secret
			node = r.others[rand.IntN(len(r.others))] // #nosec G404 -- no secret
		}
		path, only := "/posts", ""
		if name, slug, ok := r.storm.Board.Any(); ok && i%2 == 0 {
			path, only = "/posts/"+slug, name
		}
		switch {
		case r.cookie && r.storm.avoided(node.Name):
		case r.cookie && i%formEvery == 0 && r.storm.forms.enter():
			r.write(ctx, i/formEvery)
			r.storm.forms.leave()
		default:
			r.fetch(ctx, node, path, only)
		}
	}
}

// fetch requests a page, notes what it shows, and returns it. A request that the end of the test
// has cut short is not noted.
func (r *Reader) fetch(ctx context.Context, node *Node, path, only string) got {
	s := Observation{
		Fault: r.storm.now(), Node: node.Name, Reader: r.Name, Cookie: r.cookie, Path: path, Only: only,
		Start: r.storm.Ledger.Now(), Excused: r.storm.excused(node.Name), Held: r.storm.held(node.Name),
	}
	g, err := r.get(ctx, node.Public+path)
	if ctx.Err() != nil {
		return g
	}
	s.End, s.Status, s.Stale = r.storm.Ledger.Now(), g.status, g.stale
	s.Excused, s.Held = s.Excused || r.storm.excused(node.Name), s.Held || r.storm.held(node.Name)
	if err != nil {
		s.Status, s.Err = 0, err.Error()
	}
	if s.Status == http.StatusOK {
		s.Shown = ShownIn(g.body)
	}
	r.storm.Log.Add(s)
	return g
}

// got is an answer to a reader.
type got struct {
	status int
	stale  int64 // the row for which the answer says that the node has waited in vain; 0 for none
	body   string
	header http.Header
}

func (r *Reader) get(ctx context.Context, address string) (got, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return got{}, err
	}
	return r.do(req)
}

func (r *Reader) do(req *http.Request) (got, error) {
	res, err := r.client.Do(req)
	if err != nil {
		return got{}, err
	}
	body, err := io.ReadAll(res.Body)
	g := got{status: res.StatusCode, body: string(body), header: res.Header}
	if row := res.Header.Get("X-Stale-Read"); row != "" { // web's staleHeader
		var perr error
		g.stale, perr = strconv.ParseInt(row, 10, 64)
		err = errors.Join(err, perr)
	}
	return g, errors.Join(err, res.Body.Close())
}
