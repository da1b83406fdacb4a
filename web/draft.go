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

	"blog/internal/media"
	"blog/internal/repo"
	"blog/web/ui"
)

// draft is what the editor's form holds, all as typed.
type draft struct {
	id                                         int64 // of the post in the form's address, 0 for a new one
	title, slug, description, tags, body, date string
	revision, key, do                          string
	picture                                    *picture
	uploads                                    []ui.Upload
}

// picture is a file that came with the form.
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

// typed reports whether there is anything to lose.
func (d draft) typed() bool { return d.title+d.description+d.tags+d.body != "" }

// readDraft reads the editor's form as it comes in. With an error it returns what
// was read before it, so that the form can be shown again. free is to be called
// when the picture is needed no more. Who is not signed in gets their text back
// and nothing else, so their pictures are read past, and those of somebody
// without as much as a session's cookie not even that.
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

// fields are what is read of a form in parts.
type fields struct {
	values  url.Values
	enter   func() bool // waits for room for a picture; nil reads past pictures
	entered bool
	picture *picture
	problem error // of the picture alone: the rest of the form is read
}

func (f *fields) read(parts *multipart.Reader) error {
	const perField = 100 // bytes that a field is counted with beside its text
	room := maxForm
	for {
		part, err := parts.NextPart()
		if err == io.EOF { //nolint:errorlint // wrapped, it is a form that broke off
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

// readPicture reads a file. What it leaves of it is read past.
func (f *fields) readPicture(part *multipart.Part) error {
	content := bufio.NewReader(part)
	_, err := content.Peek(1)
	switch {
	case err == io.EOF: //nolint:errorlint // wrapped, it is a form that broke off
		return nil // no file was chosen
	case err != nil:
		return fmt.Errorf("read picture: %w", err)
	case f.enter == nil:
		return nil
	case !f.entered && !f.enter():
		f.problem = &repo.Error{Code: repo.Unavailable, Message: "Many pictures are being stored right now. Send the form again in a moment.", RetryAfter: 2}
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

// errPicture is a 413 that the editor shows beside the field.
func errPicture() error {
	return &repo.Error{Code: repo.Invalid, Reason: repo.TooLarge, Message: "The picture is too large.", Fields: map[string]string{"image": "has more than 10 MB: save it smaller"}}
}

// labels splits what was typed as tags.
func (d draft) labels() []string {
	out := []string{}
	for _, l := range strings.FieldsFunc(d.tags, func(r rune) bool { return strings.ContainsRune(",\n，、،", r) }) {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return out
}

// publishedAt reads the date field, which is in the blog's zone. An hour that the
// clocks leave out there is no date; one that comes twice is either.
func (s *Site) publishedAt(d draft) (*time.Time, error) {
	if d.date == "" {
		return nil, nil //nolint:nilnil // no date is a date field's usual value
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
	return repo.InvalidFields(map[string]string{"published_at": problem})
}

// due is the date to publish at. Whoever publishes now does not wait for a date
// to come, and whoever schedules has to name one.
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
		return nil, nil //nolint:nilnil // now
	}
	return at, nil
}
