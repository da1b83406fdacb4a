package web

import (
	"context"
	"time"

	"github.com/a-h/templ"

	"blog/internal/repo"
)

// SetCatchUp changes how long a reader's position is waited for, between two requests.
func (s *Site) SetCatchUp(d time.Duration) { s.patience = d }

// SetComponent sets what gets each component that is about to be rendered. Before requests.
func (s *Site) SetComponent(wrap func(path string, c templ.Component) templ.Component) { s.wrap = wrap }

// HoldSearches waits for strangers' turn to search and has it until release is called.
func (s *Site) HoldSearches(ctx context.Context) (release func()) {
	s.lanes.search.enter(ctx)
	return s.lanes.search.leave
}

// Waiting is how many readers wait for renderings of pages and searches now.
func (s *Site) Waiting() int { return s.caches.pages.waiting() + s.caches.searches.waiting() }

func (c *cache) waiting() (n int) {
	c.running.mu.Lock()
	defer c.running.mu.Unlock()
	for _, r := range c.running.byKey {
		n += r.waiting
	}
	return n
}

// Running is how many renderings of pages and searches run now.
func (s *Site) Running() (n int) {
	for _, c := range []*cache{s.caches.pages, s.caches.searches} {
		c.running.mu.Lock()
		n += len(c.running.byKey)
		c.running.mu.Unlock()
	}
	return n
}

// Sign returns the cookie of a position.
func (s *Site) Sign(c repo.Cursor) string { return s.signer.sign(c.String()) }

// Absent lets the tests note rows that were waited for in vain.
type Absent struct{ a absent }

func (a *Absent) Note(c, feed repo.Cursor, now time.Time) {
	a.a.note(c, feedState{at: feed}, now)
}

func (a *Absent) Known(c, feed repo.Cursor, now time.Time) bool {
	return a.a.known(c, feedState{at: feed}, now)
}

func (a *Absent) Len() int { return len(a.a.until) }

// SetPictures sets how many bytes the forms with pictures may have that s reads at a time.
func (s *Site) SetPictures(limit int64) { s.pictures = repo.NewBodies(limit) }

// Cache lets the tests render without a site.
type Cache struct{ c *cache }

func NewCache() Cache { return Cache{newCache(pageBytes)} }

// Shared is shared, where the page that render makes is not kept.
func (c Cache) Shared(
	ctx context.Context, path string, render func(ctx context.Context, begun func()) (string, error),
) (string, error) {
	doc, err := c.c.shared(ctx, address{path: path}, func(ctx context.Context, begun func()) rendered {
		body, err := render(ctx, begun)
		return rendered{doc: newDocument(typeHTML, []byte(body)), err: err, told: true}
	})
	if err != nil {
		return "", err
	}
	return string(doc.identity.body), nil
}

// Waiting is how many readers wait for renderings now.
func (c Cache) Waiting() int { return c.c.waiting() }
