package upgrade_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/coder/websocket"

	"blog/test/cluster"
)

// read starts a reader and a socket on each node. They end before the nodes do.
func (w *world) read(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var all sync.WaitGroup
	for _, s := range w.sites {
		s.watcher = &watcher{world: w, site: s}
		all.Go(func() { w.readOn(ctx, s) })
		all.Go(func() { s.watcher.run(ctx) })
	}
	t.Cleanup(func() { stop(); all.Wait() })
}

// pauseBetween is a reader's pause between two pages, because other tests run at the same time.
const pauseBetween = 20 * time.Millisecond

// readOn fetches pages on s again and again. Each has to come from s or, while s is down, from
// another node.
func (w *world) readOn(ctx context.Context, s *site) {
	tick := time.NewTicker(pauseBetween)
	defer tick.Stop()
	pages, elsewhere := 0, 0
	for ; ctx.Err() == nil; pages++ {
		path := []string{"/", "/posts/first", "/feed.xml"}[pages%3]
		before, _ := s.state()
		_, err := fetch(ctx, s.PublicURL+path)
		if after, _ := s.state(); err != nil && (before || after) {
			elsewhere++
			_, err = fetch(ctx, w.other(s).PublicURL+path)
		}
		if err != nil && ctx.Err() == nil {
			w.tb.Errorf("a reader on %s: %v", s.Name, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	w.tb.Logf("a reader got %d pages on %s, %d of them elsewhere", pages-1, s.Name, elsewhere)
}

// other returns a node that is not down. At most one is.
func (w *world) other(s *site) *site {
	for _, o := range w.sites {
		if down, _ := o.state(); o != s && !down {
			return o
		}
	}
	return s
}

// fetch returns a page, within 15 s.
func fetch(ctx context.Context, address string) (string, error) {
	body, err := cluster.Fetch(ctx, address, 15*time.Second)
	return string(body), err
}

// watcher is an open list of posts with its socket, which reconnects as a browser does: with its
// last cursor and, while its node is down, to another one.
type watcher struct {
	world *world
	site  *site

	cursor string

	mu     sync.Mutex
	seen   strings.Builder // everything that it received
	frames int
}

func (v *watcher) run(ctx context.Context) {
	for ctx.Err() == nil {
		before, flips := v.site.state()
		at := v.site
		if before {
			at = v.world.other(v.site)
		}
		err := v.follow(ctx, at, flips)
		after, _ := v.site.state()
		if ctx.Err() == nil && !before && !after {
			v.world.tb.Errorf("the socket on %s: %v", v.site.Name, err)
		}
		const again = 50 * time.Millisecond
		select {
		case <-time.After(again):
		case <-ctx.Done():
		}
	}
}

// follow is one connection. A connection to another node than v's own ends when its own is back.
func (v *watcher) follow(ctx context.Context, at *site, flips <-chan struct{}) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if at != v.site {
		go func() {
			defer cancel()
			select {
			case <-flips:
			case <-ctx.Done():
			}
		}()
	}
	if v.cursor == "" {
		if err := v.fetch(ctx, at); err != nil {
			return err
		}
	}
	address := "ws" + strings.TrimPrefix(at.PublicURL, "http") + "/live?topics=posts&after=" + url.QueryEscape(v.cursor)
	conn, res, err := websocket.Dial(ctx, address, nil)
	if err != nil {
		return fmt.Errorf("open %s: %w", address, err)
	}
	if res.Body != nil {
		_ = res.Body.Close() // there is none after an upgrade
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(4 << 20)
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		var f struct{ Type, Cursor, HTML string }
		if err := json.Unmarshal(data, &f); err != nil {
			return err
		}
		v.cursor = f.Cursor
		switch f.Type {
		case "change":
			v.note(f.HTML, 1)
		case "resync":
			if err := v.fetch(ctx, at); err != nil {
				return err
			}
		}
	}
}

// fetch fetches the page itself, and its cursor.
func (v *watcher) fetch(ctx context.Context, at *site) error {
	body, err := fetch(ctx, at.PublicURL+"/posts")
	if err != nil {
		return err
	}
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(body))
	if err != nil {
		return err
	}
	list := doc.Find("[data-live-topics]").First()
	if list.AttrOr("data-live-topics", "") != "posts" {
		return errors.New("the list of posts is not live")
	}
	v.cursor = list.AttrOr("data-cursor", "")
	v.note(body, 0)
	return nil
}

func (v *watcher) note(html string, frames int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.seen.WriteString(html)
	v.frames += frames
}

// seenEverywhere waits until each open page has received text.
func (w *world) seenEverywhere(text string) {
	w.tb.Helper()
	for _, s := range w.sites {
		cluster.Poll(w.tb, patience, fmt.Sprintf("the socket on %s tells of %q", s.Name, text), func(context.Context) error {
			s.watcher.mu.Lock()
			defer s.watcher.mu.Unlock()
			if s.watcher.frames == 0 || !strings.Contains(s.watcher.seen.String(), text) {
				return fmt.Errorf("not in %d frames", s.watcher.frames)
			}
			return nil
		})
	}
}
