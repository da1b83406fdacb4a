package web

import (
	"context"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"blog/internal/media"
	"blog/internal/repo"
)

// The address names the bytes, so they never change; who may see them can: what
// browsers have they keep, but caches between ask again.
const (
	publicPicture  = "public, max-age=31536000, s-maxage=300, immutable"
	privatePicture = "private, max-age=31536000, immutable"
)

// media serves a picture by its content hash: to everybody while a published
// post shows it, else to authors only.
func (s *Site) media(w http.ResponseWriter, r *http.Request) error {
	hash := chi.URLParam(r, "hash")
	_, signed := userOf(r.Context())
	var p media.Picture
	err := s.look(w, r, func(ctx context.Context, rd repo.Reader) error {
		public, err := media.Public(ctx, rd, hash)
		if err != nil {
			return err
		}
		if !public && !signed {
			return repo.Errorf(repo.NotFound, "There is no such picture.")
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
	// The request's time is for finding the picture. A slow line may take longer
	// for its bytes; when it is cut, writing to it fails.
	data := media.NewReader(context.WithoutCancel(r.Context()), s.repo, p)
	http.ServeContent(w, r, "", time.Time{}, data)
	if err := data.Err(); err != nil {
		s.logFailure(r, http.StatusInternalServerError, err) // its status is sent: the answer is cut off
	}
	return nil
}
