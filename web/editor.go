package web

import (
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"time"

	"blog/internal/markdown"
	"blog/internal/media"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/web/ui"
)

// draft is what the editor's form holds, all as typed.
type draft struct {
	title, slug, description, tags, body, date string
	revision, key, do                          string
	picture                                    *multipart.FileHeader
	uploads                                    []ui.Upload
}

const editorDate = "2006-01-02T15:04"

// readDraft reads the editor's form, picture included.
func readDraft(w http.ResponseWriter, r *http.Request) (draft, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload)
	err := r.ParseMultipartForm(maxForm)
	if errors.Is(err, http.ErrNotMultipart) {
		err = r.ParseForm()
	}
	if err != nil {
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			return draft{}, errTooLarge()
		}
		return draft{}, &statusError{http.StatusBadRequest, "Not a form", "What was sent could not be read as a form."}
	}
	v := r.PostForm.Get
	d := draft{
		title: v("title"), slug: v("slug"), description: v("description"), tags: v("tags"), body: strings.ReplaceAll(v("body"), "\r\n", "\n"),
		date: v("published_at"), revision: v("revision"), key: v("key"), do: v("do"),
	}
	if r.MultipartForm != nil && len(r.MultipartForm.File["image"]) > 0 && r.MultipartForm.File["image"][0].Size > 0 {
		d.picture = r.MultipartForm.File["image"][0]
	}
	return d, nil
}

// labels splits what was typed as tags.
func (d draft) labels() []string {
	out := []string{}
	for _, l := range strings.FieldsFunc(d.tags, func(r rune) bool { return r == ',' || r == '\n' || r == '，' || r == '、' || r == '،' }) {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return out
}

// publishedAt reads the date field, which is in the blog's zone.
func (s *Site) publishedAt(d draft) (*time.Time, error) {
	if d.date == "" {
		return nil, nil //nolint:nilnil // no date is a date field's usual value
	}
	for _, layout := range []string{editorDate, "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, strings.TrimSpace(d.date), s.Location); err == nil {
			return &t, nil
		}
	}
	return nil, repo.InvalidFields(map[string]string{"published_at": "is not a date such as 2026-05-24T08:30"})
}

func (s *Site) newPost(w http.ResponseWriter, r *http.Request) error {
	s.write(w, r, http.StatusOK, ui.Editor(s.editorView(r, nil, draft{key: repo.NewKey()}, ui.Form{})))
	return nil
}

func (s *Site) editPost(w http.ResponseWriter, r *http.Request) error {
	p, err := s.load(r)
	if err != nil {
		return err
	}
	v := s.editorView(r, &p, s.draftOf(p), ui.Form{})
	if r.URL.Query().Has("saved") {
		v.Saved = true
		v.Page.Flash = "Saved."
	}
	s.write(w, r, http.StatusOK, ui.Editor(v))
	return nil
}

// draftOf is the form for a post as it is stored.
func (s *Site) draftOf(p posts.Post) draft {
	d := draft{
		title: p.Title, slug: p.Slug, description: p.Description, tags: strings.Join(p.Labels, ", "), body: p.Body,
		revision: strconv.FormatInt(p.Revision, 10), key: repo.NewKey(),
	}
	if !p.PublishedAt.IsZero() {
		d.date = p.PublishedAt.In(s.Location).Format(editorDate)
	}
	return d
}

// editorView shows d. p is the post as it is stored, nil for a new one.
func (s *Site) editorView(r *http.Request, p *posts.Post, d draft, f ui.Form) ui.EditorView {
	v := ui.EditorView{
		Page: s.private(r, "New post", ui.NavNew), Form: f, New: p == nil, DraftKey: "new", Status: ui.StatusDraft,
		Title: d.title, Slug: d.slug, Description: d.description, Tags: d.tags, Body: d.body, PublishedAt: d.date,
		Zone: s.Zone, Revision: d.revision, Key: d.key, Uploads: d.uploads,
	}
	v.Form.Action = "/admin/posts"
	if p != nil {
		v.Page.Title, v.Page.Active = "Edit: "+p.Title, ui.NavAdmin
		v.Form.Action = adminURL(p.ID, "")
		v.DraftKey, v.Status = strconv.FormatInt(p.ID, 10), string(p.State)
		v.ViewURL = postURL(p.Slug)
	}
	return v
}

func (s *Site) createPost(w http.ResponseWriter, r *http.Request) error {
	d, err := readDraft(w, r)
	if err != nil {
		return err
	}
	if done, err := s.beside(w, r, nil, &d); done || err != nil {
		return err
	}
	cmd := posts.Create{Title: d.title, Slug: d.slug, Description: d.description, Body: d.body, Tags: d.labels(), Publish: d.do == "publish" || d.do == "schedule"}
	var ref posts.Ref
	var receipt repo.Receipt
	if cmd.PublishedAt, err = s.publishedAt(d); err == nil {
		ref, receipt, err = repo.Do(r.Context(), s.repo, cmd, repo.WithKey(d.key))
	}
	if err != nil {
		return s.notSaved(w, r, nil, d, err)
	}
	s.saved(w, r, ref, receipt, d.do)
	return nil
}

func (s *Site) updatePost(w http.ResponseWriter, r *http.Request) error {
	d, err := readDraft(w, r)
	if err != nil {
		return err
	}
	t, err := target(r)
	if err != nil {
		return err
	}
	if d.do == "delete" {
		http.Redirect(w, r, adminURL(t.ID, "/delete"), http.StatusSeeOther)
		return nil
	}
	p, err := s.load(r)
	if err != nil {
		return err
	}
	if done, err := s.beside(w, r, &p, &d); done || err != nil {
		return err
	}
	labels := d.labels()
	revision, _ := strconv.ParseInt(d.revision, 10, 64)
	cmd := posts.Update{Target: t, Revision: revision, Title: &d.title, Description: &d.description, Body: &d.body, Tags: &labels, ClearDate: d.date == ""}
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
	var ref posts.Ref
	var receipt repo.Receipt
	if cmd.PublishedAt, err = s.publishedAt(d); err == nil {
		cmd.PublishedAt = s.sameMinute(cmd.PublishedAt, p)
		ref, receipt, err = repo.Do(r.Context(), s.repo, cmd, repo.WithKey(d.key))
	}
	if repo.HasReason(err, posts.RevisionMismatch) {
		s.catchUp(r.Context(), receipt.Cursor)
		return s.conflict(w, r, d)
	}
	if err != nil {
		return s.notSaved(w, r, &p, d, err)
	}
	s.saved(w, r, ref, receipt, d.do)
	return nil
}

// sameMinute keeps the seconds of a stored date that the form's field, which has
// none, was not changed from.
func (s *Site) sameMinute(t *time.Time, p posts.Post) *time.Time {
	if t != nil && !p.PublishedAt.IsZero() && p.PublishedAt.In(s.Location).Format(editorDate) == t.In(s.Location).Format(editorDate) {
		return &p.PublishedAt
	}
	return t
}

// saved sends the author on: to the post when it went public, else back to the
// editor.
func (s *Site) saved(w http.ResponseWriter, r *http.Request, ref posts.Ref, receipt repo.Receipt, do string) {
	s.setPosition(w, receipt.Cursor)
	to := editURL(ref.ID) + "?saved"
	if do == "publish" && ref.State == posts.Published {
		to = postURL(ref.Slug)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// notSaved shows the form again with all that was typed and what was wrong.
func (s *Site) notSaved(w http.ResponseWriter, r *http.Request, p *posts.Post, d draft, err error) error {
	status, f, ok := refused(w, err)
	if !ok || status == http.StatusUnauthorized {
		return err
	}
	switch {
	case repo.HasReason(err, repo.KeyReused):
		// What was sent with this key was saved; this is something else.
		d.key = repo.NewKey()
	case status == http.StatusServiceUnavailable:
		f.Message = repo.AsError(err).Message
	}
	v := s.editorView(r, p, d, f)
	v.Unavailable = status == http.StatusServiceUnavailable
	s.write(w, r, status, ui.Editor(v))
	return nil
}

// beside does what the editor offers beside saving: a preview, an upload. done
// is true when it has answered.
func (s *Site) beside(w http.ResponseWriter, r *http.Request, p *posts.Post, d *draft) (done bool, err error) {
	if d.picture != nil {
		up, err := s.upload(r.Context(), d.picture)
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
		v := s.editorView(r, p, *d, ui.Form{})
		s.write(w, r, http.StatusOK, ui.Editor(v))
		return true, nil
	case "preview":
		pre, err := s.preview(r, p, *d)
		if err != nil {
			return true, s.notSaved(w, r, p, *d, err)
		}
		v := s.editorView(r, p, *d, ui.Form{})
		v.Preview = pre
		s.write(w, r, http.StatusOK, ui.Editor(v))
		return true, nil
	case "save", "publish", "schedule", "unpublish", "delete":
		return false, nil
	}
	return true, &statusError{http.StatusBadRequest, "That cannot be done", "The form did not say what to do."}
}

func (s *Site) upload(ctx context.Context, h *multipart.FileHeader) (ui.Upload, error) {
	f, err := h.Open()
	if err != nil {
		return ui.Upload{}, err
	}
	data, err := io.ReadAll(io.LimitReader(f, media.MaxBytes+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return ui.Upload{}, err
	}
	pic, err := media.Upload(ctx, s.repo, data)
	if err != nil {
		return ui.Upload{}, err
	}
	name := media.SafeName(h.Filename, pic.Ext)
	url := media.Address(pic.Hash, name)
	return ui.Upload{Name: name, URL: url, Markdown: "![](" + url + ")"}, nil
}

// preview renders on this node what saving would render on the primary.
func (s *Site) preview(r *http.Request, p *posts.Post, d draft) (*ui.Preview, error) {
	var id int64
	if p != nil {
		id = p.ID
	}
	doc, err := posts.Preview(r.Context(), s.repo, id, d.body)
	if err != nil {
		return nil, err
	}
	u, _ := userOf(r.Context())
	out := ui.Post{Title: d.title, Description: d.description, Author: u.user.Name, ReadingMinutes: doc.ReadingMinutes, Tags: d.labels(), Body: doc.HTML}
	out.TOC = toc(doc)
	if at, err := s.publishedAt(d); err == nil && at != nil {
		out.PublishedAt = at.UTC()
	}
	return &ui.Preview{Post: out}, nil
}

func toc(doc markdown.Document) []ui.Heading {
	var out []ui.Heading
	for _, h := range doc.Headings {
		out = append(out, ui.Heading{Level: h.Level, ID: h.ID, Text: h.Text})
	}
	return out
}
