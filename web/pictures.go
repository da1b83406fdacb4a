package web

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"blog/internal/apperr"
	"blog/internal/media"
	"blog/internal/repo"
	"blog/web/ui"
)

// picturesURL is where the editor's script stores a picture.
const picturesURL = "/admin/pictures"

// maxPictures limits the bytes of the forms with pictures that are read at the same time, and
// maxHeld the bytes of one that are in memory. What exceeds it is read and dropped.
const (
	maxPictures = 64 << 20
	maxHeld     = media.MaxBytes + maxForm
)

// room returns a function that waits for room for the picture of a form, and one that releases the
// room. The bytes are counted by the form's length, before the form is read.
func (s *Site) room(ctx context.Context, r *http.Request) (enter func() bool, free func()) {
	leave, err := s.pictures.AdmitRequest(r, maxHeld)
	if err != nil {
		return func() bool { return false }, func() {}
	}
	give := leave
	return func() bool {
		wait, cancel := s.writing(ctx)
		defer cancel()
		if !s.limiters.pictures.enter(wait) {
			return false
		}
		give = func() { s.limiters.pictures.leave(); leave() }
		return true
	}, func() { give() }
}

// progressLine is a line of the answer to a picture: how much of it is stored, and in the last line
// the result.
type progressLine struct {
	Stored int64 `json:"stored,omitempty"` // bytes
	Size   int64 `json:"size,omitempty"`   // bytes in all
	*storedPicture
	Error string `json:"error,omitempty"`
}

// storedPicture is what the editor shows of a picture, and the signed position, which the script
// has to set as the cookie: the head of the answer was sent before it was known.
type storedPicture struct {
	HTML       string         `json:"html"`
	URL        string         `json:"url"`
	Position   string         `json:"position,omitempty"`
	Durability repo.Assurance `json:"durability,omitempty"`
}

// storePicture stores a picture for the script of the editor and reports meanwhile, line by line, how much of it is
// stored. A picture that is refused before its first byte is stored gets an error status.
func (s *Site) storePicture(w http.ResponseWriter, r *http.Request) error {
	pic, free, err := s.readPicture(w, r)
	defer free()
	if err != nil {
		s.pictureRefused(w, r, err)
		return nil
	}
	to := &chunks{Writer: s.repo}
	out := &progress{w: w}
	up, err := s.store(r, to, pic, media.WithProgress(func(stored, size int64) {
		out.send(progressLine{Stored: stored, Size: size})
	}))
	switch {
	case err != nil && !out.begun:
		setAssurance(w, to.failed)
		s.pictureRefused(w, r, err)
		return nil
	case err != nil:
		status, f, _ := refused(w, err)
		s.logFailure(r, status, err)
		out.send(progressLine{Error: cmp.Or(f.Errors["image"], f.Message)})
		return nil
	}
	html, err := bytesOf(r.Context(), ui.EditorUpload(up))
	if err != nil {
		return err
	}
	done := &storedPicture{HTML: string(html), URL: up.URL, Durability: to.assurance}
	if !to.newest.Zero() {
		done.Position = s.signer.sign(to.newest.String())
	}
	out.send(progressLine{storedPicture: done})
	return nil
}

// readPicture reads the form with a single picture. Where there is no room it reads the form and drops it, because a
// browser reads the answer only after it has sent everything.
func (s *Site) readPicture(w http.ResponseWriter, r *http.Request) (*picture, func(), error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload)
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, func() {}, errForm(err)
	}
	f := fields{values: map[string][]string{}}
	enter, free := s.room(r.Context(), r)
	f.enter = enter
	if err := f.read(parts); err != nil {
		return nil, free, err
	}
	switch {
	case f.problem != nil:
		return nil, free, f.problem
	case f.picture == nil:
		return nil, free, apperr.InvalidFields(map[string]string{"image": "choose a picture first"})
	}
	return f.picture, free, nil
}

func (s *Site) pictureRefused(w http.ResponseWriter, r *http.Request, err error) {
	status, f, _ := refused(w, err)
	s.logFailure(r, status, err)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	writeLine(w, progressLine{Error: cmp.Or(f.Errors["image"], f.Message)})
}

// pictureSeen sets the position cookie, which storePicture could not set.
func (s *Site) pictureSeen(w http.ResponseWriter, r *http.Request) error {
	if err := form(w, r); err != nil {
		return err
	}
	value, ok := s.signer.open(strings.TrimSpace(r.PostForm.Get("position")))
	cursor, err := repo.ParseCursor(value)
	if !ok || err != nil {
		return apperr.InvalidFields(map[string]string{"position": "is none of this site's"})
	}
	s.wrote(w, r, repo.Receipt{Cursor: cursor})
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// progress is an answer that is sent line by line.
type progress struct {
	w     http.ResponseWriter
	begun bool
}

func (p *progress) send(line progressLine) {
	if !p.begun {
		p.begun = true
		h := p.w.Header()
		h.Set("Content-Type", "application/x-ndjson")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Accel-Buffering", "no") // a proxy must not collect the lines
		p.w.WriteHeader(http.StatusOK)
	}
	writeLine(p.w, line)
	_ = http.NewResponseController(p.w).Flush() // it fails when the browser has left; the picture is stored
}

func writeLine(w io.Writer, line progressLine) {
	_ = json.NewEncoder(w).Encode(line) // it fails when the browser has closed the connection
}
