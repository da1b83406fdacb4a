package web

import (
	"errors"
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
// was read before it, so that the form can be shown again.
func readDraft(w http.ResponseWriter, r *http.Request) (draft, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload)
	parts, err := r.MultipartReader()
	if errors.Is(err, http.ErrNotMultipart) {
		if err := form(w, r); err != nil {
			return draft{}, err
		}
		return draftOf(r.PostForm), nil
	}
	if err != nil {
		return draft{}, errForm(err)
	}
	values := url.Values{}
	pic, err := readParts(parts, values)
	d := draftOf(values)
	d.picture = pic
	return d, err
}

func readParts(parts *multipart.Reader, values url.Values) (*picture, error) {
	const perField = 100 // bytes that a field is counted with beside its text
	var pic *picture
	var tooLarge error
	room := maxForm
	for {
		part, err := parts.NextPart()
		if err == io.EOF { //nolint:errorlint // wrapped, it is a form that broke off
			return pic, tooLarge
		}
		if err != nil {
			return nil, errForm(err)
		}
		name := part.FormName()
		if name == "image" {
			data, err := io.ReadAll(io.LimitReader(part, media.MaxBytes+1))
			switch {
			case err != nil:
				return nil, errForm(err)
			case len(data) > media.MaxBytes: // what is left of it is read past
				tooLarge = errPicture()
			case len(data) > 0:
				pic = &picture{name: part.FileName(), data: data}
			}
			continue
		}
		text, err := io.ReadAll(io.LimitReader(part, int64(room)+1))
		if err != nil {
			return nil, errForm(err)
		}
		if room -= len(text) + len(name) + perField; room < 0 {
			return nil, errTooLarge()
		}
		values.Add(name, string(text))
	}
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
