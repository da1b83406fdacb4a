package web_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/a-h/templ"

	"blog/internal/posts"
	"blog/internal/repo/repotest"
	"blog/web"
)

// renderings counts a node's renderings of each page.
type renderings struct {
	during func(path string, nth int) // called inside each rendering

	mu      sync.Mutex
	started map[string]int
	running map[string]int
	most    int // that ran at the same time for one page
}

// countRenderings counts from now on. It is called before the node's first request.
func countRenderings(n *node, during func(path string, nth int)) *renderings {
	r := &renderings{during: during, started: map[string]int{}, running: map[string]int{}}
	n.site.SetComponent(func(path string, c templ.Component) templ.Component {
		return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
			nth := r.begin(path)
			defer r.end(path)
			r.during(path, nth)
			return c.Render(ctx, w)
		})
	})
	return r
}

func (r *renderings) begin(path string) (nth int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started[path]++
	r.running[path]++
	r.most = max(r.most, r.running[path])
	return r.started[path]
}

func (r *renderings) end(path string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running[path]--
}

func (r *renderings) of(path string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.started[path]
}

// stops makes the first renderings of a path wait, each for its turn in the slice, and signals when
// one waits.
type stops struct {
	path    string
	reached chan struct{}
	pass    []chan struct{}
}

func newStops(path string, count int) *stops {
	s := &stops{path: path, reached: make(chan struct{})}
	for range count {
		s.pass = append(s.pass, make(chan struct{}))
	}
	return s
}

func (s *stops) during(path string, nth int) {
	if path == s.path && nth <= len(s.pass) {
		s.reached <- struct{}{}
		<-s.pass[nth-1]
	}
}

// readers are readers who have asked for a page.
type readers struct {
	all     sync.WaitGroup
	answers []*answer
}

// MustAsk makes count readers ask for path. It returns when they and earlier readers, total in all,
// wait for a rendering.
func MustAsk(tb testing.TB, n *node, path string, count, total int, changes ...change) *readers {
	tb.Helper()
	c := &readers{answers: make([]*answer, count)}
	for i := range count {
		b, method := MustOpen(tb, n), http.MethodGet
		if i%5 == 4 {
			method = http.MethodHead
		}
		c.all.Go(func() { c.answers[i] = b.Do(tb, method, path, nil, changes...) })
	}
	repotest.Eventually(tb, patience, "all wait", func() bool { return n.site.Waiting() == total })
	return c
}

// MustGet fails unless all readers get status and, in an answer with a body, text.
func (c *readers) MustGet(tb testing.TB, status int, text string) {
	tb.Helper()
	c.all.Wait()
	etags := map[string]bool{}
	for i, a := range c.answers {
		if a.status != status {
			tb.Errorf("%s, reader %d: status %d, want %d", a.path, i, a.status, status)
		}
		if i%5 != 4 && !strings.Contains(a.body, text) {
			tb.Errorf("%s, reader %d: got %.300q, want %q in it", a.path, i, a.body, text)
		}
		etags[a.header.Get("ETag")] = true
	}
	if len(etags) != 1 {
		tb.Errorf("got %d ETags of one page, want 1: %v", len(etags), etags)
	}
}

func TestOneRenderingServesAllWhoAskAtOnce(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/posts", "/posts/title", "/posts?tag=none", "/search?q=title"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			w := MustWorld(t, long)
			MustPublish(t, w.primary, "Title", "Body.", "go")
			name, _, _ := strings.Cut(path, "?")
			stop := newStops(name, 1)
			count := countRenderings(w.primary, stop.during)
			first := MustAsk(t, w.primary, path, 1, 1)
			<-stop.reached
			others := MustAsk(t, w.primary, path, 50, 51)
			close(stop.pass[0])
			first.MustGet(t, http.StatusOK, "</html>")
			others.MustGet(t, http.StatusOK, "</html>")
			if n := count.of(name); n != 1 {
				t.Errorf("%d renderings for readers who asked at once, want 1", n)
			}
		})
	}
}

func MustRetitle(tb testing.TB, n *node, id int64, title string) {
	tb.Helper()
	MustRevise(tb, n, id, func(u *posts.Update) { u.Title = &title })
}

// TestAPageThatChangesFasterThanItRenders: the page is outdated at the end of each rendering. A
// reader who came during one gets the next, whatever was written after that began.
func TestAPageThatChangesFasterThanItRenders(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, long)
	ref := MustPublish(t, w.primary, "Title 0", "Body.")
	stop := newStops("/posts", 2)
	count := countRenderings(w.primary, stop.during)
	first := MustAsk(t, w.primary, "/posts", 1, 1)
	<-stop.reached
	during := MustAsk(t, w.primary, "/posts", 50, 51)
	MustRetitle(t, w.primary, ref.ID, "Title 1")
	close(stop.pass[0])
	<-stop.reached
	first.MustGet(t, http.StatusOK, "Title 0")
	MustRetitle(t, w.primary, ref.ID, "Title 2")
	last := MustAsk(t, w.primary, "/posts", 1, 51)
	close(stop.pass[1])
	during.MustGet(t, http.StatusOK, "Title 1")
	last.MustGet(t, http.StatusOK, "Title 2")
	if n := count.of("/posts"); n != 3 {
		t.Errorf("%d renderings of three states of a page, want 3", n)
	}
}

// TestAReaderWithANewerPosition: the reader gets no page from before the position, and shares a
// rendering of a page that the position does not concern.
func TestAReaderWithANewerPosition(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, long)
	loud := MustPublish(t, w.primary, "Loud", "Body.", "loud")
	MustPublish(t, w.primary, "Quiet", "Body.", "quiet")
	for path, want := range map[string]struct {
		title string
		count int
	}{"/tags/loud": {"Louder", 2}, "/tags/quiet": {"Quiet", 1}} {
		stop := newStops(path, 1)
		count := countRenderings(w.primary, stop.during)
		first := MustAsk(t, w.primary, path, 1, 1)
		<-stop.reached
		MustRetitle(t, w.primary, loud.ID, "Louder")
		position := w.primary.site.Sign(w.primary.repo.Feed().Position())
		late := MustAsk(t, w.primary, path, 1, 2, header("Cookie", "position="+position))
		close(stop.pass[0])
		first.MustGet(t, http.StatusOK, "</html>")
		late.MustGet(t, http.StatusOK, want.title)
		if n := count.of(path); n != want.count {
			t.Errorf("%s: %d renderings, want %d", path, n, want.count)
		}
		MustRetitle(t, w.primary, loud.ID, "Loud")
	}
}

func TestARenderingOutlivesTheReaderWhoBeganIt(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, long)
	MustPublish(t, w.primary, "Title", "Body.")
	count := countRenderings(w.primary, func(string, int) {})
	release := w.primary.site.HoldSearches(t.Context())
	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.primary.server.URL+"/search?q=title", nil)
	if err != nil {
		t.Fatal(err)
	}
	left := make(chan error)
	go func() {
		res, err := http.DefaultClient.Do(r)
		if err == nil {
			err = errors.Join(errors.New("it was answered"), res.Body.Close())
		}
		left <- err
	}()
	repotest.Eventually(t, patience, "the first waits", func() bool { return w.primary.site.Waiting() == 1 })
	others := MustAsk(t, w.primary, "/search?q=title", 10, 11)
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("who left got %v, want %v", err, context.Canceled)
	}
	repotest.Eventually(t, patience, "the first has left", func() bool { return w.primary.site.Waiting() == 10 })
	release()
	others.MustGet(t, http.StatusOK, "</html>")
	if n := count.of("/search"); n != 1 {
		t.Errorf("%d renderings, want the one that was begun", n)
	}
}

// TestARenderingThatAllHaveLeft: the rendering is cancelled. A reader who comes before it has ended
// does not get its error.
func TestARenderingThatAllHaveLeft(t *testing.T) {
	t.Parallel()
	c := web.NewCache()
	started, end := make(chan struct{}), make(chan struct{})
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := c.Shared(ctx, "/", func(ctx context.Context, _ func()) (string, error) {
			close(started)
			<-end
			return "", ctx.Err()
		})
		left <- err
	}()
	<-started
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("who left got %v, want %v", err, context.Canceled)
	}
	var body string
	var err error
	var next sync.WaitGroup
	next.Go(func() {
		body, err = c.Shared(t.Context(), "/", func(context.Context, func()) (string, error) { return "next", nil })
	})
	repotest.Eventually(t, patience, "the next reader waits", func() bool { return c.Waiting() == 1 })
	close(end)
	next.Wait()
	if err != nil {
		t.Fatalf("the next reader: %v", err)
	}
	if body != "next" {
		t.Errorf("the next reader got %q, want %q", body, "next")
	}
}

// TestAPanicInAPage: a panic ends the requests of the readers who share the rendering. A reader who
// came during it gets the next one.
func TestAPanicInAPage(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, long)
	MustPublish(t, w.primary, "Title", "Body.")
	stop := newStops("/posts", 1)
	count := countRenderings(w.primary, func(path string, nth int) {
		stop.during(path, nth)
		if nth == 1 {
			panic("nil view")
		}
	})
	first := MustAsk(t, w.primary, "/posts", 1, 1)
	<-stop.reached
	late := MustAsk(t, w.primary, "/posts", 10, 11)
	close(stop.pass[0])
	first.MustGet(t, http.StatusInternalServerError, "Something went wrong")
	late.MustGet(t, http.StatusOK, "Title")
	if n := count.of("/posts"); n != 2 {
		t.Errorf("%d renderings, want 2", n)
	}
	log := w.primary.log.String()
	for _, want := range []string{"panic: nil view", "shared_test.go"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %q: %s", want, log)
		}
	}
}

// TestAFailureIsOfThoseWhoCameBeforeIt: readers who wait for a search's turn share its result, an
// error too.
func TestAFailureIsOfThoseWhoCameBeforeIt(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, long)
	MustPublish(t, w.primary, "Title", "Body.")
	count := countRenderings(w.primary, func(_ string, nth int) {
		if nth == 1 {
			panic("nil view")
		}
	})
	release := w.primary.site.HoldSearches(t.Context())
	early := MustAsk(t, w.primary, "/search?q=title", 10, 10)
	release()
	early.MustGet(t, http.StatusInternalServerError, "Something went wrong")
	if n := count.of("/search"); n != 1 {
		t.Errorf("%d renderings for readers who came before the first began, want 1", n)
	}
	MustOpen(t, w.primary).Get(t, "/search?q=title").Must(t, http.StatusOK)
}

// TestARewrittenHistoryWhileAPageIsRendered: no reader who came during the rendering gets a page of
// the history that is given up.
func TestARewrittenHistoryWhileAPageIsRendered(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, long)
	MustPublish(t, w.primary, "Quiet", "Body.", "quiet")
	stop := newStops("/tags/quiet", 1)
	count := countRenderings(w.primary, stop.during)
	first := MustAsk(t, w.primary, "/tags/quiet", 1, 1)
	<-stop.reached
	late := MustAsk(t, w.primary, "/tags/quiet", 5, 6)
	before := w.primary.repo.Feed().Position()
	repotest.MustExec(t, w.path, "UPDATE posts SET title = 'Of another history'")
	mark := make([]byte, 32)
	_, _ = rand.Read(mark)
	repotest.MustExec(t, w.path, "UPDATE writes SET mark = ? WHERE seq = (SELECT MAX(seq) FROM writes)", mark)
	w.role.Notify()
	repotest.Eventually(t, patience, "the feed sees it", func() bool { return w.primary.repo.Feed().Position() != before })
	close(stop.pass[0])
	first.MustGet(t, http.StatusOK, "Quiet")
	late.MustGet(t, http.StatusOK, "Of another history")
	if n := count.of("/tags/quiet"); n != 2 {
		t.Errorf("%d renderings, want 2", n)
	}
}

// TestFiftyReadersOfAPageThatChanges: no reader sees the past, and each state of the page is
// rendered at most once, and never two at the same time.
func TestFiftyReadersOfAPageThatChanges(t *testing.T) {
	t.Parallel()
	const writes = 40
	w := MustWorld(t, long)
	ref := MustPublish(t, w.primary, "Title 0", "Body.")
	count := countRenderings(w.primary, func(string, int) {})
	var written atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		b := MustOpen(t, w.primary)
		all.Go(func() {
			for shown := int64(0); shown < writes; {
				least := max(shown, written.Load())
				a := b.Get(t, "/posts")
				if _, err := fmt.Sscanf(a.text(t, ".card-title"), "Title %d", &shown); err != nil {
					t.Errorf("status %d: %v", a.status, err)
					return
				}
				if shown < least {
					t.Errorf("got the title of write %d, want that of %d at least", shown, least)
				}
			}
		})
	}
	for i := int64(1); i <= writes; i++ {
		MustRetitle(t, w.primary, ref.ID, fmt.Sprintf("Title %d", i))
		written.Store(i)
	}
	all.Wait()
	if n := count.of("/posts"); n > writes+1 {
		t.Errorf("got %d renderings, want at most one of each of %d states", n, writes+1)
	}
	if count.most != 1 {
		t.Errorf("got %d renderings of one page at once, want 1", count.most)
	}
	repotest.Eventually(t, patience, "nothing is left", func() bool { return w.primary.site.Running() == 0 })
}
