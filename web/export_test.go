package web

import (
	"context"
	"time"

	"github.com/a-h/templ"

	"blog/internal/repo"
	"blog/internal/transport"
)

// SetCatchUp changes how long requests wait for a reader's position. It is called between two
// requests.
func (s *Site) SetCatchUp(d time.Duration) { s.patience = d }

// SetComponent sets a function that gets each component before it is rendered. It is called before
// requests.
func (s *Site) SetComponent(wrap func(path string, c templ.Component) templ.Component) { s.wrap = wrap }

// HoldSearches waits for the turn of strangers to search, and has it until release is called.
func (s *Site) HoldSearches(ctx context.Context) (release func()) {
	s.limiters.search.enter(ctx)
	return s.limiters.search.leave
}

// Waiting returns how many readers wait for renderings of pages and searches now.
func (s *Site) Waiting() int { return s.caches.pages.waiting() + s.caches.searches.waiting() }

func (c *cache) waiting() (n int) {
	c.running.mu.Lock()
	defer c.running.mu.Unlock()
	for _, r := range c.running.byKey {
		n += r.waiting
	}
	return n
}

// Running returns how many renderings of pages and searches run now.
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

// Absent makes absent available to tests.
type Absent struct{ a absent }

func (a *Absent) Note(c, feed repo.Cursor, now time.Time) {
	a.a.note(c, feedState{at: feed}, now)
}

func (a *Absent) Known(c, feed repo.Cursor, now time.Time) bool {
	return a.a.known(c, feedState{at: feed}, now)
}

func (a *Absent) Len() int { return len(a.a.until) }

// SetPictures sets how many bytes the forms with pictures that s reads at the same time may have.
func (s *Site) SetPictures(limit int64) { s.pictures = transport.NewBodies(limit) }

// Cache makes cache available to tests, which render without a site.
type Cache struct{ c *cache }

func NewCache() Cache { return Cache{newCache(pageBytes)} }

// Shared calls shared with a page that is not cached.
func (c Cache) Shared(
	ctx context.Context, path string, render func(ctx context.Context, begun func()) (string, error),
) (string, error) {
	doc, err := c.c.shared(ctx, address{path: path}, func(ctx context.Context, begun func()) rendered {
		body, err := render(ctx, begun)
		return rendered{doc: newDocument(typeHTML, []byte(body)), err: err, announced: true}
	})
	if err != nil {
		return "", err
	}
	return string(doc.identity.body), nil
}

// Waiting returns how many readers wait for renderings now.
func (c Cache) Waiting() int { return c.c.waiting() }
