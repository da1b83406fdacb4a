package web

import (
	"bytes"
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
	err := s.repo.View(r.Context(), func(rd repo.Reader) error {
		public, err := media.Public(r.Context(), rd, hash)
		if err != nil {
			return err
		}
		if !public && !signed {
			return repo.Errorf(repo.NotFound, "There is no such picture.")
		}
		p, data, err = media.Read(r.Context(), rd, hash)
		return err
	})
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", p.Type)
	h.Set("ETag", `"`+hash+`"`)
	h.Set("Content-Disposition", "inline")
	// The address names the bytes, so they never change; who may see them can.
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	if signed {
		h.Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	return nil
}
