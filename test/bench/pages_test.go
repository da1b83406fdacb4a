package bench_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Rounds of each comparison are short and many. The servers take turns, so that other work on the
// machine affects all of them, and each ratio is taken within a round.
const (
	rounds = 15
	warm   = 500  // requests before the first round, for each server and page
	cached = 4000 // requests per round for answers that are sent as they are
	made   = 600  // requests per round for answers that are made each time
)

// nginxGoal is the least share of nginx's requests per second for a post, p99Goal the longest time
// of the slowest of a hundred.
const (
	nginxGoal = 0.60
	p99Goal   = 10 * time.Millisecond
)

// contender is one server's copy of a page, and its rounds.
type contender struct {
	name   string
	target target
	loads  []load
}

func (c *contender) String() string {
	p50, p99, rate := c.middle()
	return fmt.Sprintf("%s %.1fk/s, %s / %s", c.name, rate/1000, ms(p50), ms(p99))
}

// middle returns the medians over the rounds.
func (c *contender) middle() (p50, p99 time.Duration, rate float64) {
	var a, b []time.Duration
	var r []float64
	for _, l := range c.loads {
		a, b, r = append(a, l.p50), append(b, l.p99), append(r, l.perSecond)
	}
	return median(a), median(b), median(r)
}

// of returns the median over the rounds of c's share of other's requests per second.
func (c *contender) of(other *contender) float64 {
	var shares []float64
	for i, l := range c.loads {
		shares = append(shares, l.perSecond/other.loads[i].perSecond)
	}
	return median(shares)
}

func pages(b *testing.B, t *table) {
	b.Helper()
	s := newSite(b)
	s.serve(b)
	post := s.postOf(b, 20<<10)
	files := b.TempDir()
	servers := []*process{static(b, files)}
	if n := nginx(b, files); n != nil {
		servers = append(servers, n)
	}
	for _, page := range []struct {
		name, path string
		requests   int
		headers    []string
		goals      bool
	}{
		{name: "post", path: post, requests: cached, goals: true},
		{name: "list", path: "/posts", requests: cached},
		{name: "search", path: "/search?q=sqlite", requests: made},
		{name: "post, signed in", path: post, requests: made, headers: []string{"Cookie: " + s.signIn(b)}},
	} {
		ours := &contender{name: "blog", target: newTarget(b, s.public, page.path, page.headers...)}
		all := []*contender{ours}
		file := strings.ReplaceAll(page.name, " ", "-") + ".html"
		if err := os.WriteFile(filepath.Join(files, file), ours.target.body, 0o600); err != nil {
			b.Fatal(err)
		}
		for i, p := range servers {
			c := &contender{name: []string{"net/http", "nginx"}[i], target: newTarget(b, p.addr, "/"+file)}
			if len(c.target.body) != len(ours.target.body) {
				b.Fatalf("%s serves %d bytes of %d", c.name, len(c.target.body), len(ours.target.body))
			}
			all = append(all, c)
		}
		compete(b, all, page.requests)
		rows(t, page.name+" "+page.path, all, page.goals)
	}
}

// compete runs the rounds. The requests for a file are always as many as it takes to measure them.
func compete(b *testing.B, all []*contender, requests int) {
	b.Helper()
	for _, c := range all {
		run(b, c.target, warm)
	}
	for range rounds {
		for i, c := range all {
			n := requests
			if i > 0 {
				n = max(n, cached)
			}
			c.loads = append(c.loads, run(b, c.target, n))
		}
	}
}

// rows writes one row for each server that the blog is compared with.
func rows(t *table, name string, all []*contender, goals bool) {
	ours := all[0]
	name = fmt.Sprintf("%s (%.1f KB)", name, float64(len(ours.target.body))/1000)
	for _, c := range all[1:] {
		share, aim := ours.of(c), ""
		if goals && c.name == "nginx" {
			aim = goal(fmt.Sprintf("≥ %.2f of nginx", nginxGoal), share >= nginxGoal)
		}
		t.add(name, ours.String(), c.String(), fmt.Sprintf("%.2f", share), aim)
	}
	if len(all) < 3 {
		t.add(name, ours.String(), "nginx: not installed", "", "")
	}
	if goals {
		_, p99, _ := ours.middle()
		t.add(name+", p99", ms(p99), "", "", goal("≤ "+ms(p99Goal), p99 <= p99Goal))
	}
}

// postOf returns the address of the post whose page is nearest to size, in bytes.
func (s *site) postOf(tb testing.TB, size int) string {
	tb.Helper()
	var list []struct {
		Slug  string
		Draft bool
	}
	if err := json.Unmarshal([]byte(s.blog(tb, "", "post", "list", "--json")), &list); err != nil {
		tb.Fatal(err)
	}
	best, off := "", 0
	for _, p := range list {
		path := "/posts/" + url.PathEscape(p.Slug)
		res := get(tb, http.DefaultClient, "http://"+s.public+path)
		away := max(len(res.body)-size, size-len(res.body))
		if res.status == http.StatusOK && (best == "" || away < off) {
			best, off = path, away
		}
	}
	if best == "" {
		tb.Fatal("there is no post")
	}
	return best
}

type answer struct {
	status int
	body   []byte
}

func get(tb testing.TB, client *http.Client, address string) answer {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, address, nil)
	if err != nil {
		tb.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return answer{res.StatusCode, body}
}

// signIn returns the Cookie header of an author, whose pages are rendered for each request.
func (s *site) signIn(tb testing.TB) string {
	tb.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	form := url.Values{"email": {email}, "password": {password}, "next": {"/admin"}}
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, "http://"+s.public+"/login",
		strings.NewReader(form.Encode()))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := client.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		tb.Fatalf("sign in: status %d", res.StatusCode)
	}
	var pairs []string
	for _, c := range jar.Cookies(req.URL) {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return strings.Join(pairs, "; ")
}
