// Package journey_test follows the main line on three real LiteFS nodes: an author posts on a
// replica, and readers on all nodes see it.
package journey_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/coder/websocket"

	"blog/test/cluster"
)

const (
	email    = "ada@example.org"
	password = "correct horse battery staple"
	patience = 30 * time.Second
)

// visitor is a reader or author with cookies, who does not follow redirects automatically.
type visitor struct {
	tb     testing.TB
	client *http.Client
	id     string // sent with each request, as by a proxy; "" for none
}

func newVisitor(tb testing.TB) *visitor {
	tb.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return &visitor{tb: tb, client: &http.Client{
		Jar:           jar,
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// page is an answer that was read to its end.
type page struct {
	status int
	header http.Header
	body   string
}

func (p page) doc(tb testing.TB) *goquery.Document {
	tb.Helper()
	d, err := goquery.NewDocumentFromReader(strings.NewReader(p.body))
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func (b *visitor) try(ctx context.Context, method, address string, form url.Values) (page, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return page{}, err
	}
	if b.id != "" {
		req.Header.Set("X-Request-Id", b.id)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	res, err := b.client.Do(req)
	if err != nil {
		return page{}, err
	}
	body, err := io.ReadAll(res.Body)
	return page{status: res.StatusCode, header: res.Header, body: string(body)}, errors.Join(err, res.Body.Close())
}

func (b *visitor) get(address string) page {
	b.tb.Helper()
	p, err := b.try(b.tb.Context(), http.MethodGet, address, nil)
	if err != nil {
		b.tb.Fatal(err)
	}
	return p
}

func (b *visitor) post(address string, form url.Values) page {
	b.tb.Helper()
	p, err := b.try(b.tb.Context(), http.MethodPost, address, form)
	if err != nil {
		b.tb.Fatal(err)
	}
	return p
}

func (p page) want(tb testing.TB, status int) page {
	tb.Helper()
	if p.status != status {
		tb.Fatalf("status %d, want %d: %.2000s", p.status, status, p.body)
	}
	return p
}

var setupLink = regexp.MustCompile(`/setup\?token=[A-Za-z0-9_-]+`)

// firstAuthor follows, on node, the one-time link that the primary has printed.
func firstAuthor(tb testing.TB, c *cluster.Cluster, node *cluster.Node) *visitor {
	tb.Helper()
	var link string
	cluster.Poll(tb, patience, "the link for the first author", func(context.Context) error {
		if link = setupLink.FindString(c.Primary().Log(tb)); link == "" {
			return errors.New("not printed")
		}
		return nil
	})
	for _, n := range c.Replicas() {
		if setupLink.MatchString(n.Log(tb)) {
			tb.Errorf("%s is a replica and printed a link", n.Name)
		}
	}
	b := newVisitor(tb)
	// The offer is a write of the primary, so the link works here once replication has brought it.
	cluster.Poll(tb, patience, "the link works", func(ctx context.Context) error {
		p, err := b.try(ctx, http.MethodGet, node.PublicURL+link, nil)
		if err == nil && p.status != http.StatusOK {
			err = fmt.Errorf("status %d", p.status)
		}
		return err
	})
	_, token, _ := strings.Cut(link, "token=")
	b.post(node.PublicURL+"/setup", url.Values{
		"token": {token}, "email": {email}, "name": {"Ada"}, "password": {password},
	}).
		want(tb, http.StatusSeeOther)
	return b
}

// login signs a new browser in on node.
func login(tb testing.TB, node *cluster.Node) *visitor {
	tb.Helper()
	b := newVisitor(tb)
	p := b.post(node.PublicURL+"/login", url.Values{"email": {email}, "password": {password}, "next": {"/admin"}}).
		want(tb, http.StatusSeeOther)
	if got := p.header.Get("Location"); got != "/admin" {
		tb.Fatalf("after the login to %q, want /admin", got)
	}
	return b
}

// publish writes a post in the editor of node, and returns the page to which that redirects.
func (b *visitor) publish(node *cluster.Node, title, body, tags string) page {
	b.tb.Helper()
	form := b.editor(node, "/admin/posts/new")
	form.Set("title", title)
	form.Set("body", body)
	form.Set("tags", tags)
	form.Set("do", "publish")
	return b.post(node.PublicURL+"/admin/posts", form)
}

// editor returns the fields of an editor page as they are.
func (b *visitor) editor(node *cluster.Node, path string) url.Values {
	b.tb.Helper()
	return fields(b.tb, b.get(node.PublicURL+path).want(b.tb, http.StatusOK))
}

func fields(tb testing.TB, p page) url.Values {
	tb.Helper()
	form := url.Values{}
	main := p.doc(tb).Find("main")
	main.Find("input[name]").Each(func(_ int, s *goquery.Selection) {
		if t := s.AttrOr("type", ""); t != "file" && t != "submit" {
			form.Set(s.AttrOr("name", ""), s.AttrOr("value", ""))
		}
	})
	main.Find("textarea[name]").Each(func(_ int, s *goquery.Selection) { form.Set(s.AttrOr("name", ""), s.Text()) })
	return form
}

// frame is a message of /live.
type frame struct {
	Type, Topic, ID, HTML, To, URL string
	Seq                            int64
	Cursor                         string
}

// follow opens a socket on node as the page at path does, and returns its frames.
func follow(tb testing.TB, node *cluster.Node, path string) <-chan frame {
	tb.Helper()
	main := newVisitor(tb).get(node.PublicURL+path).want(tb, http.StatusOK).doc(tb).Find("[data-live-topics]").First()
	topics, cursor := main.AttrOr("data-live-topics", ""), main.AttrOr("data-cursor", "")
	if topics == "" || cursor == "" {
		tb.Fatalf("%s is not live, %v, %v, want not empty and not empty", path, topics, cursor)
	}
	address := "ws" + strings.TrimPrefix(node.PublicURL, "http") + "/live?topics=" + url.QueryEscape(topics) + "&after=" +
		url.QueryEscape(cursor)
	conn, res, err := websocket.Dial(tb.Context(), address, nil)
	if err != nil {
		tb.Fatalf("open %s: %v", address, err)
	}
	if res.Body != nil {
		_ = res.Body.Close()
	}
	conn.SetReadLimit(4 << 20)
	frames := make(chan frame, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(frames)
		for {
			_, data, err := conn.Read(context.WithoutCancel(tb.Context()))
			if err != nil {
				return
			}
			var f frame
			if json.Unmarshal(data, &f) != nil {
				return
			}
			frames <- f
		}
	}()
	tb.Cleanup(func() { _ = conn.CloseNow(); <-done })
	return frames
}

// next returns the first frame of this type.
func next(tb testing.TB, frames <-chan frame, kind string) frame {
	tb.Helper()
	limit := time.After(patience)
	for {
		select {
		case f, open := <-frames:
			if !open {
				tb.Fatalf("the socket closed before a frame of type %s", kind)
			}
			if f.Type == kind {
				return f
			}
		case <-limit:
			tb.Fatalf("no frame of type %s within %s", kind, patience)
		}
	}
}

// answer is what the command line prints with --json.
type answer struct {
	Seq      int64
	Cursor   string
	Key      string
	Replayed bool
	Post     struct {
		ID       int64
		Slug     string
		Revision int64
	}
	Error *struct {
		Code, Reason, Message, Key string
		Fields                     map[string]string
	}
}

// blog runs the command line on node. It returns what that printed, and its exit code.
func blog(tb testing.TB, node *cluster.Node, stdin string, args ...string) (answer, int) {
	tb.Helper()
	cmd := node.Command(tb.Context(), append(args, "--json")...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		tb.Fatal(err)
	}
	var a answer
	if jerr := json.Unmarshal(out.Bytes(), &a); jerr != nil {
		tb.Fatalf("blog %s on %s printed %q and %q: %v", strings.Join(args, " "), node.Name, out.String(), errs.String(),
			jerr)
	}
	return a, cmd.ProcessState.ExitCode()
}
