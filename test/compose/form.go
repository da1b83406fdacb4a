package compose

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/PuerkitoBio/goquery"

	"blog/internal/apperr"
	"blog/internal/repo"
)

// A reader who is signed in also writes with the forms of the pages, one after the other, each at
// any node, and then reads at another node what they wrote.
const (
	formEvery   = 6                // pages per form
	formLimit   = 10 * time.Second // how long a browser waits
	formTries   = 3                // tries of one form
	readsOfForm = 2                // reads of a post that was just written
)

// anyNode returns a node where the reader's cookie is valid. Never all nodes are avoided at the
// same time.
func (r *Reader) anyNode() *Node {
	for {
		node := r.others[rand.IntN(len(r.others))] // #nosec G404 -- no secret
		if !r.storm.avoided(node.Name) {
			return node
		}
	}
}

// write asks for one write with a form, and then reads the post or the picture.
func (r *Reader) write(ctx context.Context, number int) {
	key := fmt.Sprintf("%sf%d", strings.ReplaceAll(r.Name, " ", ""), number)
	w, slug := r.storm.Board.DrawForm(key)
	form := url.Values{"tags": {Tag(key)}, "key": {key}, "do": {"publish"}, "slug": {w.Post}}
	if w.Kind == Edit || w.Kind == Publish || w.Kind == Delete {
		page := r.fetch(ctx, r.anyNode(), fmt.Sprintf("/admin/posts/%d/edit", w.PostID), w.Post)
		if page.status != http.StatusOK || !w.fromEditor(page.body, form) {
			return
		}
	}
	if w.Kind == Create || w.Kind == Edit {
		form.Set("title", w.title())
		form.Set("body", Text(w.title(), w.Picture))
	}
	form.Set("key", key)
	for range formTries {
		answer := r.submit(ctx, r.anyNode(), w, form)
		r.storm.Board.NoteFormAnswer(w, answer)
		if answer.Outcome != Unknown || ctx.Err() != nil {
			break
		}
	}
	path, only := "/posts/"+slug, w.Post
	switch w.Kind {
	case Create:
		path = "/posts/" + w.Post
	case Upload:
		path, only = pictureAddress(w.Picture), w.Picture
	}
	for range readsOfForm {
		r.fetch(ctx, r.anyNode(), path, only)
	}
}

// fromEditor fills form from the editor's page, and makes w a write from the revision that the page
// shows. A change of the state is to the other state. It returns false when the page has no such
// form.
func (w *Write) fromEditor(page string, form url.Values) bool {
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(page))
	if err != nil {
		return false
	}
	editor := doc.Find("form[data-editor]")
	editor.Find("input[name], textarea[name]").Each(func(_ int, field *goquery.Selection) {
		if name := field.AttrOr("name", ""); name != "image" && name != "tags" {
			form.Set(name, field.AttrOr("value", field.Text()))
		}
	})
	if _, err = fmt.Sscan(form.Get("revision"), &w.Expected); err != nil {
		return false
	}
	form.Set("do", "save")
	if w.Kind == Publish {
		form.Set("do", "publish")
		if editor.Find("button[value=unpublish]").Length() > 0 {
			w.Kind = Unpublish
			form.Set("do", "unpublish")
		}
	}
	return true
}

// address returns the path to which the form is sent.
func (w Write) address() string {
	switch w.Kind {
	case Publish, Unpublish:
		return fmt.Sprintf("/admin/posts/%d/state", w.PostID)
	case Delete:
		return fmt.Sprintf("/admin/posts/%d/delete", w.PostID)
	case Edit:
		return fmt.Sprintf("/admin/posts/%d", w.PostID)
	}
	return "/admin/posts"
}

// submit sends the form to a node, and notes it and the answer.
func (r *Reader) submit(ctx context.Context, node *Node, w Write, form url.Values) Answer {
	ask := w.ask()
	ask.Fault, ask.Node, ask.Limit, ask.Reader = r.storm.now(), node.Name, formLimit, r.Name
	note := r.storm.Ledger.Begin(ask)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), formLimit)
	defer cancel()
	contentType, body := formType, io.Reader(strings.NewReader(form.Encode()))
	if w.Kind == Upload {
		contentType, body = pictureForm(w)
	}
	response, err := r.post(ctx, node.Public+w.address(), contentType, body)
	answer := Answer{Outcome: Unknown}
	if err != nil {
		answer.Message = err.Error()
	} else {
		answer = w.answerIn(response)
	}
	r.storm.Ledger.End(note, answer)
	return answer
}

func pictureForm(w Write) (contentType string, body io.Reader) {
	var out bytes.Buffer
	form := multipart.NewWriter(&out)
	part, err := form.CreateFormFile("image", pictureName)
	if err == nil {
		_, err = part.Write(Picture(w.Key))
	}
	if err == nil {
		err = form.WriteField("do", "upload")
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		panic(err) // writing to a buffer does not fail
	}
	return form.FormDataContentType(), &out
}

// answerIn returns what the page that answers a form says. A 503 says only to a person whether the
// write may have been done.
func (w Write) answerIn(a got) Answer {
	t := Answer{Outcome: Refused, Message: fmt.Sprintf("status %d", a.status),
		Assurance: repo.Assurance(a.header.Get("X-Durability"))}
	switch {
	case w.Kind == Upload && a.status == http.StatusOK &&
		strings.Contains(a.body, "/media/"+w.Picture+"/"), a.status == http.StatusSeeOther:
		t.Outcome = OK
	case a.status >= http.StatusInternalServerError:
		t.Outcome = Unknown
	case a.status == http.StatusNotFound, a.status == http.StatusConflict &&
		strings.Contains(a.body, "was deleted meanwhile"):
		t.Outcome = NotFound
	case a.status == http.StatusConflict && strings.Contains(a.body, "This form was saved before"):
		t.Outcome = KeyUsed
	case a.status == http.StatusConflict:
		t.Outcome = Conflict
	case a.status == http.StatusUnauthorized:
		t.Code = apperr.Unauthorized
	}
	if t.Outcome != OK || w.Kind == Upload {
		return t
	}
	t.Slug = w.Post
	if t.Revision = w.Expected + 1; w.Kind == Delete {
		t.Revision = w.Expected
	}
	for _, line := range a.header["Set-Cookie"] {
		signed, ok := strings.CutPrefix(line, "written=") // web's writtenCookie: the cursor, a dot, a signature
		value, _, _ := strings.Cut(signed, ".")
		if at, err := repo.ParseCursor(value); ok && err == nil {
			t.Cursor, t.Seq = value, at.Seq
		}
	}
	return t
}

func pictureAddress(hash string) string { return "/media/" + hash + "/" + pictureName }

// How often a form is for something else than an edit.
const (
	chanceFormCreate = 0.15
	chanceFormState  = 0.15
	chanceFormDelete = 0.03
	chanceFormUpload = 0.04
)

// DrawForm returns the next write that a reader makes with a form, and the post's slug. A change of
// the state is a Publish until the state is known.
func (b *Board) DrawForm(key string) (w Write, slug string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	chance := b.rng.Float64()
	within := func(part float64) bool { chance -= part; return chance < 0 }
	switch {
	case within(chanceFormUpload):
		return Write{Key: key, Kind: Upload, Picture: PictureHash(key)}, ""
	case within(chanceFormCreate), len(b.posts) == 0:
		return Write{Key: key, Kind: Create, Post: "f" + key, Born: key, Picture: b.drawPicture()}, ""
	}
	p := b.posts[b.rng.IntN(len(b.posts))]
	w = Write{Key: key, Kind: Edit, Post: p.name, PostID: p.id, Born: p.born}
	switch {
	case within(chanceFormDelete):
		w.Kind = Delete
	case within(chanceFormState):
		w.Kind = Publish
	default:
		w.Picture = b.drawPicture()
	}
	return w, p.slug
}

// NoteFormAnswer notes the answer to a form. Nobody else can ask for an unknown outcome again, because a
// key belongs to its user.
func (b *Board) NoteFormAnswer(w Write, t Answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.post(w.Born)
	switch {
	case t.Outcome == OK:
		b.noteDone(w, t, p)
	case t.Outcome == NotFound:
		b.remove(p)
	case t.Outcome == Unknown && p != nil:
		if p.open++; p.open > maxOpen {
			b.remove(p)
		}
	}
}
