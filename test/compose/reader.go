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

// Reader reads pages of a node, one after the other. With a cookie it is an
// author who is signed in, and whose next request may go to another node.
type Reader struct {
	Name   string
	home   *Node
	others []*Node // where it may go as well
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

// SignIn makes it an author: from now on it has a position.
func (r *Reader) SignIn(ctx context.Context, email, password string, others []*Node) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	r.client.Jar, r.cookie, r.others = jar, true, others
	form := url.Values{"email": {email}, "password": {password}, "next": {"/admin"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.home.Public+"/login", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	res, err := r.client.Do(req)
	if err != nil {
		return err
	}
	if err := res.Body.Close(); err != nil {
		return err
	}
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/admin" {
		return fmt.Errorf("login on %s: status %d", r.home.Name, res.StatusCode)
	}
	return nil
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
		if r.cookie && r.storm.avoided(node.Name) {
			continue
		}
		r.look(ctx, node, path, only)
	}
}

// look gets a page and notes what it shows. What the end of the test cuts short
// is no sight.
func (r *Reader) look(ctx context.Context, node *Node, path, only string) {
	s := Sight{
		Fault: r.storm.now(), Node: node.Name, Reader: r.Name, Cookie: r.cookie, Path: path, Only: only,
		Start: r.storm.Ledger.Now(), Excused: r.storm.excused(node.Name), Held: r.storm.held(node.Name),
	}
	got, err := r.get(ctx, node.Public+path)
	if ctx.Err() != nil {
		return
	}
	s.End, s.Status, s.Stale = r.storm.Ledger.Now(), got.status, got.stale
	s.Excused, s.Held = s.Excused || r.storm.excused(node.Name), s.Held || r.storm.held(node.Name)
	if err != nil {
		s.Status, s.Err = 0, err.Error()
	}
	if s.Status == http.StatusOK {
		s.Shown = ShownIn(got.body)
	}
	r.storm.Log.Add(s)
}

// got is an answer to a reader.
type got struct {
	status int
	stale  int64 // the row that it says was waited for in vain, 0 for none
	body   string
}

func (r *Reader) get(ctx context.Context, address string) (got, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return got{}, err
	}
	res, err := r.client.Do(req)
	if err != nil {
		return got{}, err
	}
	body, err := io.ReadAll(res.Body)
	g := got{status: res.StatusCode, body: string(body)}
	if row := res.Header.Get("X-Stale-Read"); row != "" { // web's staleHeader
		var perr error
		g.stale, perr = strconv.ParseInt(row, 10, 64)
		err = errors.Join(err, perr)
	}
	return g, errors.Join(err, res.Body.Close())
}
