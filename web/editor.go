package web

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"blog/internal/apperr"
	"blog/internal/markdown"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/web/ui"
)

func (s *Site) newPost(w http.ResponseWriter, r *http.Request) error {
	s.write(w, r, http.StatusOK, ui.Editor(s.editorView(r, nil, draft{key: repo.NewKey()}, ui.Form{})))
	return nil
}

func (s *Site) editPost(w http.ResponseWriter, r *http.Request) error {
	p, err := s.load(w, r)
	if err != nil {
		return err
	}
	v := s.editorView(r, &p, s.stored(p), ui.Form{})
	v.Warnings = warnings(posts.Warnings(p.Body))
	if r.URL.Query().Has("saved") {
		v.Saved = true
		v.Page.Flash = "Saved."
	}
	s.write(w, r, http.StatusOK, ui.Editor(v))
	return nil
}

// stored returns the draft of a post as it is stored.
func (s *Site) stored(p posts.Post) draft {
	d := draft{
		id: p.ID, title: p.Title, slug: p.Slug, description: p.Description, tags: strings.Join(p.Labels, ", "), body: p.Body,
		revision: strconv.FormatInt(p.Revision, 10), key: repo.NewKey(),
	}
	if !p.PublishedAt.IsZero() {
		d.date = p.PublishedAt.In(s.Location).Format(editorDate)
	}
	return d
}

// editorView returns the editor with d. p is the stored post; it is nil when the post is new or
// must not be shown.
func (s *Site) editorView(r *http.Request, p *posts.Post, d draft, f ui.Form) ui.EditorView {
	v := ui.EditorView{
		Page: s.private(r, "New post", ui.NavNew), Form: f, New: d.id == 0, DraftKey: "new", Status: ui.StatusDraft,
		Title: d.title, Slug: d.slug, Description: d.description, Tags: d.tags, Body: d.body, PublishedAt: d.date,
		Zone: s.Zone, Revision: d.revision, Key: d.key, Uploads: d.uploads, UploadURL: picturesURL,
	}
	v.Form.Action = "/admin/posts"
	if d.id != 0 {
		v.Page.Title, v.Page.Active = "Edit a post", ui.NavAdmin
		v.Form.Action = adminURL(d.id, "")
		v.DraftKey = strconv.FormatInt(d.id, 10)
		v.Status = "" // not known, or not to be shown
	}
	if p != nil {
		v.Page.Title, v.Status, v.ViewURL = "Edit: "+p.Title, string(p.State), postURL(p.Slug)
	}
	return v
}

func (s *Site) createPost(w http.ResponseWriter, r *http.Request) error {
	d, free, err := s.readDraft(w, r)
	defer free()
	if _, ok := userOf(r.Context()); !ok {
		return s.signedOut(w, r, d, err)
	}
	if err != nil {
		return s.notSaved(w, r, nil, d, err)
	}
	if done, berr := s.beside(w, r, nil, &d); done || berr != nil {
		return berr
	}
	cmd := posts.Create{
		Title: d.title, Slug: d.slug, Description: d.description, Body: d.body, Tags: d.labels(),
		Publish: d.do == "publish" || d.do == "schedule",
	}
	var ref posts.Ref
	var receipt repo.Receipt
	if cmd.PublishedAt, err = s.due(d); err == nil {
		ref, receipt, err = s.do(w, r, cmd, d.key)
	}
	if err != nil {
		return s.notSaved(w, r, nil, d, err)
	}
	s.saved(w, r, ref, receipt, d.do)
	return nil
}

func (s *Site) updatePost(w http.ResponseWriter, r *http.Request) error {
	t, err := target(r)
	if err != nil {
		return err
	}
	d, free, err := s.readDraft(w, r)
	defer free()
	d.id = t.ID
	if _, ok := userOf(r.Context()); !ok {
		return s.signedOut(w, r, d, err)
	}
	p, lerr := s.load(w, r)
	switch {
	case errors.Is(lerr, apperr.NotFound):
		return s.gone(w, r, d)
	case lerr != nil:
		return s.notSaved(w, r, nil, d, lerr)
	case err != nil:
		return s.notSaved(w, r, &p, d, err)
	case d.do == "delete":
		s.redirect(w, r, adminURL(t.ID, "/delete"), http.StatusSeeOther)
		return nil
	}
	if done, berr := s.beside(w, r, &p, &d); done || berr != nil {
		return berr
	}
	var ref posts.Ref
	var receipt repo.Receipt
	cmd, err := s.change(d, p)
	if err == nil {
		ref, receipt, err = s.do(w, r, cmd, d.key)
	}
	switch {
	case apperr.HasReason(err, posts.RevisionMismatch):
		s.catchUp(r.Context(), receipt.Cursor)
		return s.conflict(w, r, d)
	case errors.Is(err, apperr.NotFound):
		return s.gone(w, r, d)
	case err != nil:
		return s.notSaved(w, r, &p, d, err)
	}
	s.saved(w, r, ref, receipt, d.do)
	return nil
}

// change returns the command for what was typed into the form of p.
func (s *Site) change(d draft, p posts.Post) (posts.Update, error) {
	labels := d.labels()
	revision, _ := strconv.ParseInt(d.revision, 10, 64) // 0 is refused with a message for the field
	cmd := posts.Update{
		Target: posts.Target{ID: p.ID}, Revision: revision, Title: &d.title, Description: &d.description, Body: &d.body,
		Tags: &labels,
	}
	if d.slug != "" {
		cmd.Slug = &d.slug
	}
	switch d.do {
	case "publish", "schedule":
		yes := true
		cmd.Publish = &yes
	case "unpublish":
		no := false
		cmd.Publish = &no
	}
	at, err := s.due(d)
	at = s.sameMinute(at, p)
	cmd.PublishedAt, cmd.ClearDate = at, at == nil
	if err == nil && p.State == posts.Scheduled && cmd.Publish == nil {
		err = s.stillDue(at, p)
	}
	return cmd, err
}

// stillDue refuses to publish a scheduled post merely because it is saved after its date.
func (s *Site) stillDue(at *time.Time, p posts.Post) error {
	switch {
	case at == nil:
		return errDate("is needed while the post is scheduled: unpublish it to make it a draft, or publish it now")
	case !at.Equal(p.PublishedAt) && !at.After(s.now()):
		return errDate("is past: publish the post to bring it out now")
	}
	return nil
}

// sameMinute returns the stored date when t differs from it only by seconds, which the form's field
// does not have.
func (s *Site) sameMinute(t *time.Time, p posts.Post) *time.Time {
	if t != nil && !p.PublishedAt.IsZero() && p.PublishedAt.In(s.Location).Format(editorDate) == t.In(s.Location).
		Format(editorDate) {
		return &p.PublishedAt
	}
	return t
}

// saved redirects the author to the post when it was published, otherwise to the editor.
func (s *Site) saved(w http.ResponseWriter, r *http.Request, ref posts.Ref, receipt repo.Receipt, do string) {
	s.wrote(w, r, receipt)
	to := editURL(ref.ID) + "?saved"
	if do == "publish" && ref.State == posts.Published {
		to = postURL(ref.Slug)
	}
	s.redirect(w, r, to, http.StatusSeeOther)
}

// notSaved shows the form again with everything that was typed, and what was wrong.
func (s *Site) notSaved(w http.ResponseWriter, r *http.Request, p *posts.Post, d draft, err error) error {
	if errors.Is(err, apperr.Unauthorized) {
		return s.signedOut(w, r, d, err)
	}
	status, f, ok := refused(w, err)
	if !d.typed() && !ok {
		return err
	}
	s.logFailure(r, status, err)
	switch {
	case apperr.HasReason(err, apperr.KeyReused):
		d.key = repo.NewKey()
		f.Message = "This form was saved before, with something else in it. If that is what you want, send it again."
	case f.Errors["key"] != "":
		d.key = repo.NewKey()
	}
	v := s.editorView(r, p, d, f)
	v.Unavailable = status == http.StatusServiceUnavailable
	s.write(w, r, status, ui.Editor(v))
	return nil
}

// signedOut returns what was typed to a user whose session has ended, or has not arrived on this
// node yet.
func (s *Site) signedOut(w http.ResponseWriter, r *http.Request, d draft, err error) error {
	if !d.typed() {
		if err == nil {
			err = apperr.Errorf(apperr.Unauthorized, "Sign in first.")
		}
		return err
	}
	d.uploads = nil
	v := s.editorView(r, nil, d, ui.Form{})
	status := http.StatusUnauthorized
	v.SignedOut, v.Form.Message = true, "You are not signed in any more."
	if tooLarge, _, _ := statusOf(err); err != nil && tooLarge == http.StatusRequestEntityTooLarge {
		status = tooLarge
	}
	if missing(r.Context()) && s.sessionToken(r) != "" {
		status, v.SignedOut, v.Unavailable = http.StatusServiceUnavailable, false, true
		w.Header().Set("Retry-After", "2")
		v.Form.Message = "Your session has not arrived at this copy of the blog yet. All that you typed is still here: " +
			"send it again in a moment."
	}
	s.write(w, r, status, ui.Editor(v))
	return nil
}

// gone shows the text that was typed for a post that was deleted meanwhile as the text of a new
// post.
func (s *Site) gone(w http.ResponseWriter, r *http.Request, d draft) error {
	if missing(r.Context()) {
		return s.notSaved(w, r, nil, d, apperr.NewUnavailable("",
			"This post has not arrived at this copy of the blog yet. Send it again in a moment.", 2*time.Second, nil))
	}
	if !d.typed() {
		return apperr.Errorf(apperr.NotFound, "There is no such post.")
	}
	d.id, d.revision, d.key = 0, "", repo.NewKey()
	v := s.editorView(r, nil, d, ui.Form{
		Message: "This post was deleted meanwhile. All that you typed is still here: saving it makes a new post.",
	})
	s.write(w, r, http.StatusConflict, ui.Editor(v))
	return nil
}

// beside handles what the editor offers besides saving: a preview and an upload. done is true when it has answered.
func (s *Site) beside(w http.ResponseWriter, r *http.Request, p *posts.Post, d *draft) (done bool, err error) {
	if d.picture != nil {
		up, err := s.upload(w, r, d.picture)
		if err != nil {
			return true, s.notSaved(w, r, p, *d, err)
		}
		d.uploads = append(d.uploads, up)
		if d.do != "upload" && !strings.Contains(d.body, up.URL) {
			d.body = strings.TrimRight(d.body, "\n") + "\n\n" + up.Markdown + "\n"
		}
	}
	switch d.do {
	case "upload":
		if d.picture == nil {
			return true, s.notSaved(w, r, p, *d, apperr.InvalidFields(map[string]string{"image": "choose a picture first"}))
		}
		s.write(w, r, http.StatusOK, ui.Editor(s.editorView(r, p, *d, ui.Form{})))
		return true, nil
	case "preview":
		pre, lost, err := s.preview(r, p, *d)
		if err != nil {
			return true, s.notSaved(w, r, p, *d, err)
		}
		v := s.editorView(r, p, *d, ui.Form{})
		v.Preview, v.Warnings = pre, lost
		s.write(w, r, http.StatusOK, ui.Editor(v))
		return true, nil
	case "", "save", "publish", "schedule", "unpublish":
		return false, nil
	}
	return true, s.notSaved(w, r, p, *d, &statusError{
		http.StatusBadRequest, "That cannot be done", "The form did not say what to do.",
	})
}

// preview renders on this node what the primary would render on saving, and returns what of the
// text is not shown.
func (s *Site) preview(r *http.Request, p *posts.Post, d draft) (*ui.Preview, []ui.Warning, error) {
	var id int64
	if p != nil {
		id = p.ID
	}
	doc, err := posts.Preview(r.Context(), s.repo, id, d.body)
	if err != nil {
		return nil, nil, err
	}
	u, _ := userOf(r.Context())
	out := ui.Post{
		Title: d.title, Description: d.description, Author: u.user.Name, ReadingMinutes: doc.ReadingMinutes, Tags: d.labels(),
		Body: doc.HTML,
	}
	out.TOC = toc(doc)
	if at, err := s.publishedAt(d); err == nil && at != nil {
		out.PublishedAt = at.UTC()
	}
	return &ui.Preview{Post: out}, warnings(doc.Warnings), nil
}

func warnings(lost []markdown.Warning) []ui.Warning {
	var out []ui.Warning
	for _, w := range lost {
		out = append(out, ui.Warning{Line: w.Line, Text: w.Text})
	}
	return out
}

func toc(doc markdown.Document) []ui.Heading {
	var out []ui.Heading
	for _, h := range doc.Headings {
		out = append(out, ui.Heading{Level: h.Level, ID: h.ID, Text: h.Text})
	}
	return out
}
