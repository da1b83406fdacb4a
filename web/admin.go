package web

import (
	"context"
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"blog/internal/apperr"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/web/ui"
)

// adminPosts is how many posts the authors' list has on a page.
const adminPosts = 100

func (s *Site) admin(w http.ResponseWriter, r *http.Request) error {
	return s.showAdmin(w, r, http.StatusOK, "")
}

func (s *Site) showAdmin(w http.ResponseWriter, r *http.Request, status int, message string) error {
	v := ui.AdminView{Page: s.private(r, "Your posts", ui.NavAdmin), NewURL: "/admin/posts/new", Message: message}
	page := pageNumber(r)
	var list []posts.Card
	var total int
	err := s.readAndAdvance(w, r, func(ctx context.Context, rd repo.Reader) error {
		var err error
		list, total, err = posts.List(ctx, rd, posts.Filter{Hidden: true, Offset: (page - 1) * adminPosts, Limit: adminPosts})
		return err
	})
	if err != nil {
		return err
	}
	v.Pager = pager("/admin", nil, page, total, adminPosts)
	for _, c := range list {
		p := ui.AdminPost{
			ID: c.ID, Title: c.Title, Slug: c.Slug, At: c.PublishedAt, Author: c.Author, Tags: c.Labels,
			ViewURL: postURL(c.Slug),
			EditURL: editURL(c.ID), DeleteURL: adminURL(c.ID, "/delete"), Action: adminURL(c.ID, "/state"),
			Pinned:   c.Pinned != 0,
			Revision: strconv.FormatInt(c.Revision, 10), Key: repo.NewKey(),
		}
		switch c.State {
		case posts.Draft:
			p.At = c.UpdatedAt
			v.Drafts = append(v.Drafts, p)
		case posts.Scheduled:
			v.Scheduled = append(v.Scheduled, p)
		default:
			v.Published = append(v.Published, p)
		}
	}
	s.write(w, r, status, ui.Admin(v))
	return nil
}

func adminURL(id int64, suffix string) string {
	return "/admin/posts/" + strconv.FormatInt(id, 10) + suffix
}

// target returns the post whose id is in the address.
func target(r *http.Request) (posts.Target, error) {
	id, err := strconv.ParseInt(chi.URLParam(r, "id"), 10, 64)
	if err != nil || id <= 0 {
		return posts.Target{}, apperr.Errorf(apperr.NotFound, "There is no such post.")
	}
	return posts.Target{ID: id}, nil
}

func revisionOf(r *http.Request) int64 {
	n, err := strconv.ParseInt(r.PostForm.Get("revision"), 10, 64)
	if err != nil {
		return -1 // no post has this revision, so the write is a conflict and overwrites nothing
	}
	return n
}

// changeState publishes, unpublishes, pins or unpins a post from the authors' list.
func (s *Site) changeState(w http.ResponseWriter, r *http.Request) error {
	if err := form(w, r); err != nil {
		return err
	}
	t, err := target(r)
	if err != nil {
		return err
	}
	var cmd repo.Command[posts.Ref]
	switch r.PostForm.Get("do") {
	case "publish":
		cmd = posts.Publish{Target: t, Revision: revisionOf(r)}
	case "unpublish":
		cmd = posts.Unpublish{Target: t, Revision: revisionOf(r)}
	case "pin":
		cmd = posts.Pin{Target: t}
	case "unpin":
		cmd = posts.Unpin{Target: t}
	default:
		return &statusError{http.StatusBadRequest, "That cannot be done", "The form did not say what to do."}
	}
	_, receipt, err := s.do(w, r, cmd, r.PostForm.Get("key"))
	if err != nil {
		status, f, ok := refused(w, err)
		if !ok || status == http.StatusUnauthorized {
			return err
		}
		s.catchUp(r.Context(), receipt.Cursor)
		return s.showAdmin(w, r, status, f.Message)
	}
	s.wrote(w, r, receipt)
	s.redirect(w, r, "/admin", http.StatusSeeOther)
	return nil
}

// catchUp waits, for a limited time, for the row that a refusal rests on, so that the page that
// explains the refusal shows it.
func (s *Site) catchUp(ctx context.Context, c repo.Cursor) {
	s.repo.Feed().WaitWithin(ctx, s.patience, c)
}

// do runs a command with the key of the form that asks for it.
func (s *Site) do(
	w http.ResponseWriter, r *http.Request, cmd repo.Command[posts.Ref], key string,
) (posts.Ref, repo.Receipt, error) {
	ctx, cancel := s.writing(r.Context())
	defer cancel()
	return repo.Do(ctx, assuring{s.repo, w}, cmd, repo.WithKey(key))
}

func (s *Site) load(w http.ResponseWriter, r *http.Request) (posts.Post, error) {
	t, err := target(r)
	if err != nil {
		return posts.Post{}, err
	}
	var p posts.Post
	err = s.readAndAdvance(w, r, func(ctx context.Context, rd repo.Reader) error {
		p, err = posts.ByID(ctx, rd, t.ID)
		return err
	})
	return p, err
}

func (s *Site) confirmDelete(w http.ResponseWriter, r *http.Request) error {
	p, err := s.load(w, r)
	if err != nil {
		return err
	}
	s.write(w, r, http.StatusOK, ui.DeleteConfirm(s.deleteView(r, p, ui.Form{}, repo.NewKey())))
	return nil
}

func (s *Site) deleteView(r *http.Request, p posts.Post, f ui.Form, key string) ui.DeleteView {
	f.Action = adminURL(p.ID, "/delete")
	v := ui.DeleteView{
		Page: s.private(r, "Delete a post", ui.NavAdmin), Form: f, Title: p.Title, CancelURL: editURL(p.ID),
		Revision: strconv.FormatInt(p.Revision, 10), Key: key,
	}
	if p.Visible() {
		v.URL = postURL(p.Slug)
	}
	return v
}

func (s *Site) deletePost(w http.ResponseWriter, r *http.Request) error {
	if err := form(w, r); err != nil {
		return err
	}
	t, err := target(r)
	if err != nil {
		return err
	}
	key := r.PostForm.Get("key")
	_, receipt, err := s.do(w, r, posts.Delete{Target: t, Revision: revisionOf(r)}, key)
	if err != nil {
		status, f, ok := refused(w, err)
		if !ok || status == http.StatusUnauthorized || status == http.StatusNotFound {
			return err
		}
		s.catchUp(r.Context(), receipt.Cursor)
		p, lerr := s.load(w, r)
		if lerr != nil {
			return lerr
		}
		s.write(w, r, status, ui.DeleteConfirm(s.deleteView(r, p, f, key)))
		return nil
	}
	s.wrote(w, r, receipt)
	s.redirect(w, r, "/admin", http.StatusSeeOther)
	return nil
}
