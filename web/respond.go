package web

import (
	"cmp"
	"context"
	"net/http"

	"github.com/a-h/templ"

	"blog/internal/repo"
	"blog/web/negotiate"
)

// view is a page to be read: what it depends on and how it is made.
type view struct {
	// key names the page and everything of the request that changes it. It is the address of the page, so that quick finds
	// it by the request. The zero address is not cached.
	key         address
	cache       *cache   // nil means the cache of pages
	topics      []string // a write that touches one of them makes the page outdated
	contentType string   // "" means HTML
	search      bool     // it waits for its turn and has a short deadline
	signed      bool     // whether the reader is signed in; set by show
	// read queries everything that the page shows, in one transaction, and returns the component to
	// render afterwards.
	read func(ctx context.Context, rd repo.Reader) (templ.Component, error)
}

const (
	typeHTML = "text/html; charset=utf-8"
	typeAtom = "application/atom+xml; charset=utf-8"
	typeXML  = "application/xml; charset=utf-8"
)

// show answers with a view. A reader who is not signed in gets it from the cache.
func (s *Site) show(w http.ResponseWriter, r *http.Request, v view) error {
	if _, v.signed = userOf(r.Context()); v.signed {
		v.key = address{}
	}
	v.contentType = cmp.Or(v.contentType, typeHTML)
	if v.cache == nil {
		v.cache = s.caches.pages
	}
	doc, err := s.document(r.Context(), v)
	if err != nil {
		return err
	}
	s.advance(w, r, doc.seen)
	s.send(w, r, doc)
	return nil
}

// unkept marks a component that is not cached, because anybody can ask for any number of such
// pages.
type unkept struct{ templ.Component }

// document returns the document of the view: a cached one, one that is rendered once for all who ask at the same time,
// or, for a view without a key, a new one.
func (s *Site) document(ctx context.Context, v view) (*document, error) {
	if v.key == (address{}) {
		res := s.render(ctx, v, func() {})
		return res.doc, res.err
	}
	return v.cache.shared(ctx, v.key, func(ctx context.Context, begun func()) rendered {
		return s.render(ctx, v, begun)
	})
}

// render renders the document of the view and caches it. It calls begun before it reads.
func (s *Site) render(ctx context.Context, v view, begun func()) (res rendered) {
	if v.search {
		turn, leave, err := s.turn(ctx, v.signed)
		if err != nil {
			return rendered{err: err}
		}
		defer leave()
		ctx = turn
	}
	res = rendered{topics: v.topics, epoch: v.cache.now()}
	var c templ.Component
	seen, err := s.readNewest(ctx, begun, func(ctx context.Context, rd repo.Reader) error {
		var err error
		c, err = v.read(ctx, rd)
		return err
	})
	if err != nil {
		res.err = ended(ctx, v, err)
		return res
	}
	res.announced = s.caughtUp(ctx, seen)
	_, once := c.(unkept)
	if s.wrap != nil {
		c = s.wrap(v.key.path, c)
	}
	body, err := bytesOf(ctx, c)
	if err != nil {
		res.err = err
		return res
	}
	res.doc = newDocument(v.contentType, body)
	res.doc.seen = seen
	if v.key != (address{}) && !once && res.announced {
		v.cache.put(res.epoch, &entry{key: v.key, doc: res.doc, topics: v.topics})
	}
	return res
}

// readAndAdvance runs read in one transaction on this node's copy. The reader's position follows
// what it saw.
func (s *Site) readAndAdvance(
	w http.ResponseWriter, r *http.Request, read func(ctx context.Context, rd repo.Reader) error,
) error {
	seen, err := s.readNewest(r.Context(), func() {}, read)
	if err != nil {
		return err
	}
	s.caughtUp(r.Context(), seen)
	s.advance(w, r, seen)
	return nil
}

// readNewest runs read in one transaction on the copy of this node and returns the newest row in it. The caches may not
// know that row yet: see caughtUp. It calls begun before the transaction reads anything, and again when the transaction
// is repeated.
func (s *Site) readNewest(
	ctx context.Context, begun func(), read func(ctx context.Context, rd repo.Reader) error,
) (seen repo.Cursor, err error) {
	err = s.repo.View(ctx, func(rd repo.Reader) error {
		begun()
		if seen, err = repo.Newest(ctx, rd); err != nil {
			return err
		}
		return read(ctx, rd)
	})
	return seen, err
}

// caughtUp waits until the feed has delivered a row that was read from the database. The database can be ahead of the
// feed for a moment, and a reader who has seen the row on one page must not then get another page as it was cached
// before. It returns false when the row does not come in time: its history may have ended, and then it is never
// delivered.
func (s *Site) caughtUp(ctx context.Context, seen repo.Cursor) bool {
	return s.repo.Feed().WaitWithin(ctx, s.patience, seen) == repo.Here
}

// send writes a document in the encoding that the browser prefers, or answers that the browser has it already.
func (s *Site) send(w http.ResponseWriter, r *http.Request, doc *document) {
	v := doc.identity
	if len(v.body) >= smallest {
		if enc := negotiate.Accepted(r.Header.Get("Accept-Encoding")); enc != negotiate.None {
			v = doc.in(enc)
		}
	}
	h := w.Header()
	h["Cache-Control"] = s.caching(w, r)
	h["Etag"] = v.etags
	if negotiate.Known(r.Header.Get("If-None-Match"), v.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h["Content-Type"] = doc.contentType
	h["Content-Length"] = v.length
	if v.encoding != nil {
		h["Content-Encoding"] = v.encoding
	}
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(v.body) // it fails when the browser has closed the connection
	}
}

// caching returns the Cache-Control of an answer: no cache may store it where the reader has seen more, since the copy
// would repeat it; only the browser may where the answer sets a cookie or the reader is known.
func (s *Site) caching(w http.ResponseWriter, r *http.Request) []string {
	if missing(r.Context()) {
		return s.fixed.never
	}
	if _, signed := userOf(r.Context()); signed || len(w.Header()["Set-Cookie"]) > 0 {
		return s.fixed.private
	}
	return s.fixed.public
}

// redirect redirects to a path of this site. A cache may store a permanent redirect for an hour.
func (s *Site) redirect(w http.ResponseWriter, r *http.Request, path string, status int) {
	switch {
	case status != http.StatusMovedPermanently, missing(r.Context()):
		w.Header().Set("Cache-Control", "no-store")
	case len(w.Header()["Set-Cookie"]) > 0:
		w.Header().Set("Cache-Control", "private, max-age=3600")
	default:
		w.Header().Set("Cache-Control", "max-age=3600")
	}
	http.Redirect(w, r, path, status) //nolint:gosec // every caller made the path here, or checked it with localPath
}
