package web

import (
	"context"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"blog/internal/apperr"
	"blog/internal/media"
	"blog/internal/repo"
)

// The bytes at an address never change, because the address names them, but who may see them can
// change. So browsers may store them, and shared caches have to ask again.
const (
	publicPicture  = "public, max-age=31536000, s-maxage=300, immutable"
	privatePicture = "private, max-age=31536000, immutable"
)

// media serves a picture by its content hash: to everybody while a published post shows it,
// otherwise only to authors.
func (s *Site) media(w http.ResponseWriter, r *http.Request) error {
	hash := chi.URLParam(r, "hash")
	_, signed := userOf(r.Context())
	var p media.Picture
	err := s.readAndAdvance(w, r, func(ctx context.Context, rd repo.Reader) error {
		public, err := media.Public(ctx, rd, hash)
		if err != nil {
			return err
		}
		if !public && !signed {
			return apperr.Errorf(apperr.NotFound, "There is no such picture.")
		}
		p, err = media.Lookup(ctx, rd, hash)
		return err
	})
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("ETag", `"`+hash+`"`)
	h.Set("Cache-Control", publicPicture)
	if signed || len(h["Set-Cookie"]) > 0 {
		h.Set("Cache-Control", privatePicture)
	}
	h.Set("Content-Type", p.Type)
	h.Set("Content-Disposition", "inline")
	// The deadline of the request is for finding the picture. A slow connection may take longer for
	// the bytes; when it is cut, writing fails.
	data := media.NewReader(context.WithoutCancel(r.Context()), s.repo, p)
	http.ServeContent(w, r, "", time.Time{}, data)
	if err := data.Err(); err != nil {
		s.logFailure(r, http.StatusInternalServerError, err) // the status was sent already, so the answer is cut off
	}
	return nil
}
