package web

import (
	"context"
	"net/http"
	"sync"

	"blog/internal/media"
	"blog/internal/repo"
	"blog/web/ui"
)

// chunks is the Writer of one upload, which sends several chunks at the same time. It collects what
// the answer to the request says about all of them.
type chunks struct {
	repo.Writer
	mu        sync.Mutex     // guards the fields below
	newest    repo.Cursor    // of the answers
	assurance repo.Assurance // of the newest answer
	failed    repo.Assurance // of the first refusal; "" without one
	err       error
}

// Call implements repo.Writer.
func (c *chunks) Call(ctx context.Context, call *repo.Call) error {
	err := c.Writer.Call(ctx, call)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err != nil && c.err == nil:
		c.err, c.failed = err, call.Reply.Assurance
	case err == nil && call.Reply.Cursor.Seq >= c.newest.Seq:
		c.newest, c.assurance = call.Reply.Cursor, call.Reply.Assurance
	}
	return err
}

// upload stores a picture. It moves the reader's position, so that the node that is asked for the
// picture next waits for it.
func (s *Site) upload(w http.ResponseWriter, r *http.Request, pic *picture) (ui.Upload, error) {
	to := &chunks{Writer: s.repo}
	up, err := s.store(r, to, pic)
	if err != nil {
		setAssurance(w, to.failed)
		return up, err
	}
	setAssurance(w, to.assurance)
	s.wrote(w, r, repo.Receipt{Cursor: to.newest})
	return up, nil
}

// store stores a picture through to, and returns how a text refers to it.
func (s *Site) store(r *http.Request, to repo.Writer, pic *picture, options ...media.Option) (ui.Upload, error) {
	ctx, cancel := s.writing(r.Context())
	defer cancel()
	stored, err := media.Upload(ctx, to, pic.data, options...)
	if err != nil {
		return ui.Upload{}, err
	}
	name := media.SafeName(pic.name, stored.Ext)
	url := media.Address(stored.Hash, name)
	return ui.Upload{Name: name, URL: url, Markdown: "![](" + url + ")"}, nil
}
