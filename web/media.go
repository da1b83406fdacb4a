package web

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"blog/internal/media"
	"blog/internal/repo"
)

// media serves a picture by its content hash: to everybody while a published
// post shows it, else to authors only.
func (s *Site) media(w http.ResponseWriter, r *http.Request) error {
	hash := chi.URLParam(r, "hash")
	_, signed := userOf(r.Context())
	var p media.Picture
	var data []byte
	known := matches(r.Header.Get("If-None-Match"), `"`+hash+`"`)
	_, err := s.look(w, r, func(ctx context.Context, rd repo.Reader) error {
		public, err := media.Public(ctx, rd, hash)
		if err != nil {
			return err
		}
		if !public && !signed {
			return repo.Errorf(repo.NotFound, "There is no such picture.")
		}
		if known {
			p, err = media.Lookup(ctx, rd, hash)
		} else {
			p, data, err = media.Read(ctx, rd, hash)
		}
		return err
	})
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("ETag", `"`+hash+`"`)
	// The address names the bytes, so they never change; who may see them can.
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	if signed || len(h["Set-Cookie"]) > 0 {
		h.Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	if known { // ServeContent would say the same, but needs the bytes
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", p.Type)
	h.Set("Content-Disposition", "inline")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	return nil
}
