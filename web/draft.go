package web

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"time"

	"blog/internal/apperr"
	"blog/internal/media"
	"blog/web/ui"
)

// draft is the content of the editor's form, as it was typed.
type draft struct {
	id                                         int64 // of the post in the form's address; 0 for a new post
	title, slug, description, tags, body, date string
	revision, key, do                          string
	picture                                    *picture
	uploads                                    []ui.Upload
}

// picture is a file in the form.
type picture struct {
	name string
	data []byte
}

const editorDate = "2006-01-02T15:04"

func draftOf(v url.Values) draft {
	return draft{
		title: v.Get("title"), slug: v.Get("slug"), description: v.Get("description"), tags: v.Get("tags"),
		body: strings.ReplaceAll(v.Get("body"), "\r\n", "\n"), date: strings.TrimSpace(v.Get("published_at")),
		revision: v.Get("revision"), key: v.Get("key"), do: v.Get("do"),
	}
}

// typed reports whether the draft has text that could be lost.
func (d draft) typed() bool { return d.title+d.description+d.tags+d.body != "" }

// readDraft reads the editor's form as it arrives. On an error it returns what was read before it,
// so that the form can be shown again. The caller calls free when it no longer needs the picture. A
// user who is not signed in gets only their text back, so readDraft skips their pictures. Without a
// session's cookie it does not even read past them.
func (s *Site) readDraft(w http.ResponseWriter, r *http.Request) (d draft, free func(), err error) {
	_, signed := userOf(r.Context())
	limit, free := int64(maxUpload), func() {}
	if !signed && s.sessionToken(r) == "" {
		limit = maxForm
	}
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	parts, err := r.MultipartReader()
	if errors.Is(err, http.ErrNotMultipart) {
		if err = form(w, r); err != nil {
			return draft{}, free, err
		}
		return draftOf(r.PostForm), free, nil
	}
	if err != nil {
		return draft{}, free, errForm(err)
	}
	f := fields{values: url.Values{}}
	if signed {
		f.enter, free = s.room(r.Context(), r)
	}
	err = cmp.Or(f.read(parts), f.problem)
	d = draftOf(f.values)
	d.picture = f.picture
	return d, free, err
}

// fields has what is read of a form in parts.
type fields struct {
	values  url.Values
	enter   func() bool // waits for room for a picture; nil skips pictures
	entered bool
	picture *picture
	problem error // with the picture; the other fields are still read
}

func (f *fields) read(parts *multipart.Reader) error {
	const perField = 100 // bytes that count for a field beside its text
	room := maxForm
	for {
		part, err := parts.NextPart()
		if err == io.EOF { //nolint:errorlint // a wrapped one is a form that broke off
			return nil
		}
		if err != nil {
			return errForm(err)
		}
		name := part.FormName()
		if name == "image" {
			if err = f.readPicture(part); err != nil {
				return errForm(err)
			}
			continue
		}
		text, err := io.ReadAll(io.LimitReader(part, int64(room)+1))
		if err != nil {
			return errForm(err)
		}
		if room -= len(text) + len(name) + perField; room < 0 {
			return errTooLarge()
		}
		f.values.Add(name, string(text))
	}
}

// readPicture reads a file. It skips what exceeds the limit.
func (f *fields) readPicture(part *multipart.Part) error {
	content := bufio.NewReader(part)
	_, err := content.Peek(1)
	switch {
	case err == io.EOF: //nolint:errorlint // a wrapped one is a form that broke off
		return nil // no file was chosen
	case err != nil:
		return fmt.Errorf("read picture: %w", err)
	case f.enter == nil:
		return nil
	case !f.entered && !f.enter():
		f.problem = apperr.NewUnavailable("",
			"Many pictures are being stored right now. Send the form again in a moment.", 2*time.Second, nil)
		return nil
	}
	f.entered, f.picture = true, nil
	data, err := io.ReadAll(io.LimitReader(content, media.MaxBytes+1))
	switch {
	case err != nil:
		return fmt.Errorf("read picture: %w", err)
	case len(data) > media.MaxBytes:
		f.problem = errPicture()
	default:
		f.picture = &picture{name: part.FileName(), data: data}
	}
	return nil
}

// errPicture returns a 413 that the editor shows at the field.
func errPicture() error {
	return &apperr.Error{
		Code: apperr.Invalid, Reason: apperr.TooLarge, Message: "The picture is too large.",
		Fields: map[string]string{"image": "has more than 10 MB: save it smaller"},
	}
}

// labels returns the tags in what was typed.
func (d draft) labels() []string {
	out := []string{}
	for _, l := range strings.FieldsFunc(d.tags, func(r rune) bool { return strings.ContainsRune(",\n，、،", r) }) {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return out
}

// publishedAt parses the date field, which is in the blog's zone. It refuses an hour that the
// clocks there skip. An hour that comes twice is either of the two.
func (s *Site) publishedAt(d draft) (*time.Time, error) {
	if d.date == "" {
		return nil, nil // the date field is usually empty
	}
	for _, layout := range []string{editorDate, "2006-01-02T15:04:05", time.DateOnly} {
		t, err := time.ParseInLocation(layout, d.date, s.Location)
		if err != nil {
			continue
		}
		if layout != time.DateOnly && t.In(s.Location).Format(layout) != d.date {
			return nil, errDate("is an hour that the clocks leave out in " + s.Zone)
		}
		return &t, nil
	}
	return nil, errDate("is not a date such as 2026-05-24T08:30")
}

func errDate(problem string) error {
	return apperr.InvalidFields(map[string]string{"published_at": problem})
}

// due returns the date at which to publish. Publishing now and a date to come exclude each other,
// and scheduling needs a date.
func (s *Site) due(d draft) (*time.Time, error) {
	at, err := s.publishedAt(d)
	switch {
	case err != nil:
		return nil, err
	case d.do == "schedule" && at == nil:
		return nil, errDate("is needed: say when it is to come out")
	case d.do == "schedule" && !at.After(s.now()):
		return nil, errDate("is past: a post is scheduled for a date to come")
	case d.do == "publish" && at != nil && at.After(s.now()):
		return nil, nil // now
	}
	return at, nil
}
