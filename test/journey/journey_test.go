package journey_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/mattn/go-sqlite3"

	"blog/test/cluster"
)

// TestJourney is the main line under `blog mount`.
func TestJourney(t *testing.T) {
	journey(t, cluster.Start(t, cluster.Options{Proxies: true, Env: []string{"PUBLIC_URL=http://blog.example"}}), true)
}

// TestJourneyUnderStockLiteFS is the main line under an unchanged `litefs mount`.
func TestJourneyUnderStockLiteFS(t *testing.T) {
	journey(t, cluster.Start(t, cluster.Options{Stock: true, Env: []string{"PUBLIC_URL=http://blog.example"}}), false)
}

func journey(t *testing.T, c *cluster.Cluster, proxies bool) {
	t.Helper()
	here, there := c.Nodes[1], c.Nodes[2]
	firstAuthor(t, c, here)
	author := login(t, here)

	t.Run("published on a replica, read and seen everywhere", func(t *testing.T) { publishes(t, c, author, here, there) })
	t.Run("one request id leads from the browser to the primary", func(t *testing.T) { oneRequestID(t, c, author, here) })
	t.Run("a key is carried out once", func(t *testing.T) { onceByKey(t, here, there) })
	t.Run("a replica refuses as the primary does", func(t *testing.T) { equalRefusals(t, c.Primary(), here) })
	t.Run("every command refuses alike", func(t *testing.T) { equalErrors(t, c, here) })
	t.Run("a page shows what a frame has told", func(t *testing.T) { framesShowPages(t, c, here, there) })
	t.Run("without the secret nothing is written", func(t *testing.T) { needsSecret(t, c) })
	t.Run("a page is the same bytes on every node", func(t *testing.T) { equalPages(t, c) })
	t.Run("a post comes out when its date comes", func(t *testing.T) { comesOut(t, here, there) })
	if proxies {
		t.Run("an author reads their own write in another region", func(t *testing.T) {
			readsTheWrite(t, author, here, there)
		})
	}
	t.Run("without a primary nothing typed is lost", func(t *testing.T) { withoutPrimary(t, c, author, here) })
}

func publishes(t *testing.T, c *cluster.Cluster, author *visitor, here, there *cluster.Node) {
	t.Helper()
	frames := follow(t, there, "/posts")
	next(t, frames, "hello")
	p := author.publish(here, "Written on a replica", "Hello from **far away**.", "distance, light").
		want(t, http.StatusSeeOther)
	where := p.header.Get("Location")
	if where != "/posts/written-on-a-replica" {
		t.Fatalf("published to %q, want %q", where, "/posts/written-on-a-replica")
	}
	if got := author.get(here.PublicURL+where).want(t, http.StatusOK).doc(t).Find("article h1").
		Text(); !strings.Contains(got, "Written on a replica") {
		t.Fatalf("the replica shows %q, want with %q", got, "Written on a replica")
	}
	f := next(t, frames, "change")
	if f.Topic != "posts" || !strings.Contains(f.HTML, "Written on a replica") {
		t.Fatalf("the other replica's socket got %+v, want Topic %q and HTML with %q", f, "posts", "Written on a replica")
	}
	list := newVisitor(t).get(there.PublicURL+"/posts").want(t, http.StatusOK)
	if !strings.Contains(list.body, f.HTML) {
		t.Fatalf("the frame's card is not the page's:\n%s\n%s", f.HTML, list.body)
	}
	if len(list.header["Set-Cookie"]) > 0 {
		t.Errorf("a stranger got a cookie: %v, want 0 of them", list.header["Set-Cookie"])
	}
	db := open(t, c.Primary())
	if n := count(t, db, "SELECT COUNT(*) FROM writes WHERE name = 'posts.create'"); n != 1 {
		t.Errorf("%d rows for one post, want 1", n)
	}
}

func open(tb testing.TB, n *cluster.Node) *sql.DB {
	tb.Helper()
	db, err := sql.Open("sqlite3", "file:"+n.Database+"?mode=ro&_query_only=1&_busy_timeout=5000")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { cluster.MustClose(tb, "database", db.Close()) })
	return db
}

func count(tb testing.TB, db *sql.DB, query string, args ...any) int {
	tb.Helper()
	var n int
	if err := db.QueryRowContext(tb.Context(), query, args...).Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n
}

// oneRequestID: a browser's write is in the logs of the replica that forwards it and of the
// primary, under the id that a proxy has sent or else the id in the answer. So is a refused one.
func oneRequestID(t *testing.T, c *cluster.Cluster, author *visitor, here *cluster.Node) {
	t.Helper()
	defer func() { author.id = "" }()
	for _, x := range []struct {
		sent, slug string
		status     int
		line       string
	}{
		{"", "traced", http.StatusSeeOther, "msg=write "},
		{"a.proxys-own_id", "traced-again", http.StatusSeeOther, "msg=write "},
		{"of.a-refused_one", "traced", http.StatusUnprocessableEntity, `msg="write refused" `},
	} {
		form := author.editor(here, "/admin/posts/new")
		form.Set("title", "Traced")
		form.Set("slug", x.slug)
		form.Set("body", "From the browser to the primary.")
		form.Set("do", "publish")
		author.id = x.sent
		id := author.post(here.PublicURL+"/admin/posts", form).want(t, x.status).header.Get("X-Request-Id")
		if id == "" || x.sent != "" && id != x.sent {
			t.Fatalf("the answer's id is %q, sent %q", id, x.sent)
		}
		author.id = ""
		for role, n := range map[string]*cluster.Node{"replica": here, "primary": c.Primary()} {
			cluster.Poll(t, patience, "a line of "+n.Name, func(context.Context) error {
				var found []string
				for line := range strings.Lines(n.Log(t)) {
					if strings.Contains(line, " request_id="+id+" ") {
						found = append(found, line)
					}
				}
				if len(found) == 0 {
					return errors.New("not there")
				}
				for _, part := range []string{
					x.line, " command=posts.create ", " key=" + form.Get("key") + " ", " role=" + role + " ",
				} {
					if len(found) != 1 || !strings.Contains(found[0], part) {
						t.Fatalf("%s has %q under the id, want one line with %q", n.Name, found, part)
					}
				}
				return nil
			})
		}
	}
}

func onceByKey(t *testing.T, here, there *cluster.Node) {
	t.Helper()
	first, code := blog(t, here, "Body.", "post", "new", "--title", "Once", "--key", "once-1", "-")
	if code != 0 || first.Replayed || first.Post.Slug != "once" {
		t.Fatalf("exit %d, %+v, want 0, Replayed false and Post.Slug %q", code, first, "once")
	}
	again, code := blog(t, there, "Body.", "post", "new", "--title", "Once", "--key", "once-1", "-")
	if code != 0 || !again.Replayed || again.Post != first.Post || again.Cursor != first.Cursor {
		t.Errorf("exit %d, the same again on another node gave %+v, first %+v, want 0, Replayed true, Post %v and Cursor %v",
			code, again, first, first.Post, first.Cursor)
	}
	other, code := blog(t, here, "Another body.", "post", "new", "--title", "Once", "--key", "once-1", "-")
	if code != 1 || other.Error == nil || other.Error.Code != "conflict" || other.Error.Reason != "key_reused" {
		t.Errorf("exit %d, other content with the key gave %+v, want 1, Error not nil, Error.Code %q and Error.Reason %q",
			code, other, "conflict", "key_reused")
	}
}

// equalRefusals asks both nodes for the same impossible things.
func equalRefusals(t *testing.T, primary, replica *cluster.Node) {
	t.Helper()
	long := strings.Repeat("x", 300)
	for _, args := range [][]string{
		{"post", "new", "--title", "", "-"},
		{"post", "new", "--title", long, "--slug", "no/slash", "--tag", "a b<c", "-"},
		{"post", "new", "--title", "T", "--slug", "written-on-a-replica", "-"},
		{"post", "new", "--title", "T", "--author", "nobody@example.org", "-"},
		{"post", "edit", "written-on-a-replica", "--title", "New", "--revision", "99"},
		{"post", "edit", "no-such-post", "--title", "New", "--revision", "1"},
		{"post", "publish", "no-such-post"},
		{"post", "unpublish", "no-such-post"},
		{"post", "delete", "no-such-post"},
		{"user", "add", "not an address", "--name", "", "--password-file", "-"},
		{"user", "password", "nobody@example.org", "--password-file", "-"},
	} {
		a, codeA := blog(t, primary, "short but long enough", args...)
		b, codeB := blog(t, replica, "short but long enough", args...)
		if a.Error == nil || codeA != 1 {
			t.Errorf("blog %s: exit %d, %+v, want Error not nil and 1", strings.Join(args, " "), codeA, a)
			continue
		}
		a.Error.Key, b.Error.Key = "", ""
		if codeA != codeB {
			t.Errorf("blog %s: exit code %d on the primary, %d on a replica", strings.Join(args, " "), codeA, codeB)
		}
		if diff := cmp.Diff(a.Error, b.Error); diff != "" {
			t.Errorf("blog %s: the error (-primary +replica):\n%s", strings.Join(args, " "), diff)
		}
	}
}

func needsSecret(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	body := `{"name":"posts.delete","key":"evil","actor":{"name":"operator"},"deadline":"2100-01-01T00:00:00Z",
			"body":{"post":"written-on-a-replica"}}`
	for _, n := range c.Nodes {
		for _, auth := range []string{"", "Bearer wrong", "Bearer " + c.Secret} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.PrivateURL+"/internal/super",
				strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", auth)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if err := res.Body.Close(); err != nil {
				t.Error(err)
			}
			if res.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s with %q: status %d, want %d", n.Name, auth, res.StatusCode, http.StatusUnauthorized)
			}
		}
		if got := newVisitor(t).get(n.PublicURL + "/internal/super"); got.status != http.StatusNotFound {
			t.Errorf("%s serves its private listener's path in public: status %d, want %d", n.Name, got.status,
				http.StatusNotFound)
		}
	}
}

func equalPages(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	for _, path := range []string{
		"/", "/posts", "/posts/written-on-a-replica", "/tags", "/tags/light", "/feed.xml", "/sitemap.xml",
	} {
		want := newVisitor(t).get(c.Primary().PublicURL+path).want(t, http.StatusOK)
		for _, n := range c.Replicas() {
			cluster.Poll(t, patience, n.Name+" has "+path, func(ctx context.Context) error {
				got, err := newVisitor(t).try(ctx, http.MethodGet, n.PublicURL+path, nil)
				if err != nil {
					return err
				}
				if got.header.Get("ETag") != want.header.Get("ETag") || got.body != want.body {
					return fmt.Errorf("%s differs from the primary's", path)
				}
				return nil
			})
		}
	}
}

// comesOut schedules a post. No other write follows.
func comesOut(t *testing.T, here, there *cluster.Node) {
	t.Helper()
	frames := follow(t, there, "/posts")
	next(t, frames, "hello")
	due := time.Now().Add(5 * time.Second).UTC().Format(time.RFC3339)
	a, code := blog(t, here, "It was sealed until now.", "post", "new", "--title", "Time capsule", "--tag", "sealed",
		"--at", due, "-")
	if code != 0 {
		t.Fatalf("exit %d: %+v, want 0", code, a)
	}
	reader := newVisitor(t)
	for _, path := range []string{"/posts", "/feed.xml", "/search?q=sealed", "/tags"} {
		if p := reader.get(there.PublicURL+path).want(t, http.StatusOK); strings.Contains(p.body, "Time capsule") ||
			strings.Contains(p.body, "/tags/sealed") {
			t.Errorf("%s shows the post before its date, body %v, want body without %q and body without %q", path, p.body,
				"Time capsule", "/tags/sealed")
		}
	}
	if f := next(t, frames, "change"); !strings.Contains(f.HTML, "Time capsule") {
		t.Fatalf("the open list got %+v, want HTML with %q", f, "Time capsule")
	}
	for path, want := range map[string]string{
		"/posts": "Time capsule", "/feed.xml": "Time capsule", "/search?q=sealed": "Time capsule", "/tags": "/tags/sealed",
	} {
		if p := reader.get(there.PublicURL+path).want(t, http.StatusOK); !strings.Contains(p.body, want) {
			t.Errorf("%s does not show the post after its date", path)
		}
	}
}

// readsTheWrite delays replication to the other region by a second. The author's next request goes
// there.
func readsTheWrite(t *testing.T, author *visitor, here, there *cluster.Node) {
	t.Helper()
	there.Replication.Delay(t, 0, time.Second)
	defer there.Replication.Delay(t, 0, 0)
	where := author.publish(here, "Travelling author", "On the way.", "").
		want(t, http.StatusSeeOther).header.Get("Location")
	stranger := newVisitor(t).get(there.PublicURL + where)
	if stranger.status != http.StatusNotFound {
		t.Logf("a stranger found the post already (status %d): the machine is slow", stranger.status)
	}
	if p := author.get(there.PublicURL+where).want(t, http.StatusOK); !strings.Contains(p.body, "Travelling author") {
		t.Errorf("the author does not see the post in the other region")
	}
}

func withoutPrimary(t *testing.T, c *cluster.Cluster, author *visitor, here *cluster.Node) {
	t.Helper()
	form := author.editor(here, "/admin/posts/new")
	form.Set("title", "Typed in vain?")
	form.Set("body", "Every word of this is to come back.")
	form.Set("tags", "patience")
	form.Set("do", "publish")
	if code := c.Primary().Stop(t); code != 0 {
		t.Errorf("the primary ended with %d, want 0", code)
	}
	if p := newVisitor(t).get(here.PublicURL + "/posts"); p.status != http.StatusOK {
		t.Errorf("without a primary the list has status %d, want %d", p.status, http.StatusOK)
	}
	cluster.Poll(t, patience, "ready, without a primary", func(ctx context.Context) error {
		p, err := newVisitor(t).try(ctx, http.MethodGet, here.PublicURL+"/readyz", nil)
		if err == nil && (p.status != http.StatusOK || !strings.Contains(p.body, "no primary")) {
			err = fmt.Errorf("status %d, %s", p.status, p.body)
		}
		return err
	})
	p := author.post(here.PublicURL+"/admin/posts", form).want(t, http.StatusServiceUnavailable)
	if p.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	back := fields(t, p)
	for _, name := range []string{"title", "body", "tags", "key"} {
		if strings.TrimSpace(back.Get(name)) != form.Get(name) {
			t.Errorf("%s came back as %q, sent %q", name, back.Get(name), form.Get(name))
		}
	}
	c.Primary().Restart(t)
	back.Set("do", form.Get("do"))
	cluster.Poll(t, patience, "the same form is taken", func(ctx context.Context) error {
		p, err := author.try(ctx, http.MethodPost, here.PublicURL+"/admin/posts", back)
		if err == nil && p.status != http.StatusSeeOther {
			err = errors.New(p.body[:min(len(p.body), 200)])
		}
		return err
	})
	if n := count(t, open(t, c.Primary()), "SELECT COUNT(*) FROM posts WHERE title = ?", form.Get("title")); n != 1 {
		t.Errorf("%d posts of it, want 1", n)
	}
}
