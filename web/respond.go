package web

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"blog/internal/repo"
)

// view is a page to be read: what it depends on and how it is made.
type view struct {
	key         string   // names the page and everything of the request that changes it
	topics      []string // a write that touches one of them makes the page outdated
	contentType string   // "" means HTML
	// read queries all that the page shows, in one transaction, and returns what
	// renders it afterwards.
	read func(ctx context.Context, rd repo.Reader) (templ.Component, error)
}

const (
	typeHTML = "text/html; charset=utf-8"
	typeAtom = "application/atom+xml; charset=utf-8"
	typeXML  = "application/xml; charset=utf-8"
)

// show answers with a view: from the cache for who is not signed in.
func (s *Site) show(w http.ResponseWriter, r *http.Request, v view) error {
	_, signed := userOf(r.Context())
	if v.contentType == "" {
		v.contentType = typeHTML
	}
	if !signed && v.key != "" {
		if doc := s.cache.get(v.key); doc != nil {
			s.send(w, r, doc)
			return nil
		}
	}
	epoch := s.cache.now()
	var seen repo.Cursor
	var c templ.Component
	err := s.repo.View(r.Context(), func(rd repo.Reader) error {
		var err error
		if seen, err = repo.Newest(r.Context(), rd); err != nil {
			return err
		}
		c, err = v.read(r.Context(), rd)
		return err
	})
	if err != nil {
		return err
	}
	body, err := bytesOf(r.Context(), c)
	if err != nil {
		return err
	}
	doc := newDocument(v.contentType, body)
	if !signed && v.key != "" {
		s.cache.put(epoch, &entry{key: v.key, doc: doc, topics: v.topics, seq: seen.Seq})
	}
	s.send(w, r, doc)
	return nil
}

// send writes a document in the encoding that the browser prefers, or says that
// it has it already.
func (s *Site) send(w http.ResponseWriter, r *http.Request, doc *document) {
	v := doc.identity
	if len(v.body) >= smallest {
		switch accepted(r.Header.Get("Accept-Encoding")) {
		case encBrotli:
			v = doc.in(encBrotli)
		case encGzip:
			v = doc.in(encGzip)
		}
	}
	h := w.Header()
	h.Set("Cache-Control", s.caching(w, r))
	h.Set("Vary", "Cookie, Accept-Encoding")
	h.Set("ETag", v.etag)
	if matches(r.Header.Get("If-None-Match"), v.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", doc.contentType)
	h.Set("Content-Length", strconv.Itoa(len(v.body)))
	if v.encoding != "" {
		h.Set("Content-Encoding", v.encoding)
	}
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(v.body) // the browser is gone: nobody to tell
	}
}

// caching says who may keep an answer. One that sets a cookie is for one reader.
func (s *Site) caching(w http.ResponseWriter, r *http.Request) string {
	if _, signed := userOf(r.Context()); signed || len(w.Header()["Set-Cookie"]) > 0 {
		return "private, no-cache"
	}
	return "public, no-cache"
}

// accepted returns the encoding to use, -1 for none (RFC 9110, 12.5.3: a
// quality of 0 refuses).
func accepted(header string) int {
	best, quality := -1, 0.0
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		q := 1.0
		if v, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			if f, err := strconv.ParseFloat(v, 64); err == nil {
				q = f
			}
		}
		enc := -1
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "br", "*":
			enc = encBrotli
		case "gzip", "x-gzip":
			enc = encGzip
		}
		if enc >= 0 && q > 0 && (q > quality || q == quality && enc < best) {
			best, quality = enc, q
		}
	}
	return best
}

// matches reports whether an If-None-Match header names the tag. Comparison is
// weak, as it has to be there (RFC 9110, 13.1.2).
func matches(header, etag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		part = strings.TrimSpace(part)
		if part == "*" || strings.TrimPrefix(part, "W/") == etag {
			return true
		}
	}
	return false
}
