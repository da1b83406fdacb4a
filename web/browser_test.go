package web_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/andybalholm/brotli"
)

// browser has cookies of its own, and follows no redirect automatically.
type browser struct {
	client *http.Client
	base   string
}

// answer is a response that was read.
type answer struct {
	path   string
	status int
	header http.Header
	body   string // as sent, in whatever encoding
	doc    *goquery.Document
}

// change changes a request before it is sent.
type change func(*http.Request)

func header(name, value string) change {
	return func(r *http.Request) {
		if name == "Host" {
			r.Host = value
			return
		}
		r.Header.Set(name, value)
	}
}

// MustOpen returns a browser without cookies on a node.
func MustOpen(tb testing.TB, n *node) *browser {
	tb.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	transport := &http.Transport{DisableCompression: true}
	tb.Cleanup(transport.CloseIdleConnections)
	return &browser{base: n.server.URL, client: &http.Client{
		Jar: jar, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// MustLogin returns a browser in which ada is signed in.
func MustLogin(tb testing.TB, n *node) *browser {
	tb.Helper()
	b := MustOpen(tb, n)
	b.Post(tb, "/login", url.Values{"email": {email}, "password": {password}}).MustRedirect(tb, "/admin")
	return b
}

// On returns the same browser, with the same cookies, at another node. Cookies do not depend on
// ports.
func (b *browser) On(n *node) *browser { return &browser{client: b.client, base: n.server.URL} }

func (b *browser) Do(tb testing.TB, method, path string, body io.Reader, changes ...change) *answer {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), method, b.base+path, body)
	if err != nil {
		tb.Fatal(err)
	}
	for _, c := range changes {
		c(r)
	}
	res, err := b.client.Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		tb.Fatal(err)
	}
	return &answer{path: path, status: res.StatusCode, header: res.Header, body: string(raw)}
}

func (b *browser) Get(tb testing.TB, path string, changes ...change) *answer {
	tb.Helper()
	return b.Do(tb, http.MethodGet, path, nil, changes...)
}

// Post sends a form as pages without files do.
func (b *browser) Post(tb testing.TB, path string, form url.Values, changes ...change) *answer {
	tb.Helper()
	changes = append([]change{header("Content-Type", "application/x-www-form-urlencoded")}, changes...)
	return b.Do(tb, http.MethodPost, path, strings.NewReader(form.Encode()), changes...)
}

// Upload sends the editor's form with a file, as the editor does: the file follows the text.
func (b *browser) Upload(tb testing.TB, path string, form url.Values, name string, data []byte) *answer {
	tb.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for field, values := range form {
		if err := w.WriteField(field, values[0]); err != nil {
			tb.Fatal(err)
		}
	}
	f, err := w.CreateFormFile("image", name)
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return b.Do(tb, http.MethodPost, path, &body, header("Content-Type", w.FormDataContentType()))
}

// Cookie returns a cookie that the browser has for the site, or "".
func (b *browser) Cookie(tb testing.TB, name string) string {
	tb.Helper()
	u, err := url.Parse(b.base)
	if err != nil {
		tb.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// SetCookie gives the browser a cookie.
func (b *browser) SetCookie(tb testing.TB, name, value string) {
	tb.Helper()
	u, err := url.Parse(b.base)
	if err != nil {
		tb.Fatal(err)
	}
	//nolint:gosec // a browser's own side
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}

// Must fails unless the answer has this status, and returns the answer.
func (a *answer) Must(tb testing.TB, status int) *answer {
	tb.Helper()
	if a.status != status {
		tb.Fatalf("%s: status %d, want %d: %.600s", a.path, a.status, status, a.text(tb, "main"))
	}
	return a
}

// MustRedirect fails unless the answer redirects to exactly this location.
func (a *answer) MustRedirect(tb testing.TB, location string) *answer {
	tb.Helper()
	if a.status/100 != 3 {
		tb.Fatalf("%s: status %d, want a redirect to %q: %.600s", a.path, a.status, location, a.text(tb, "main"))
	}
	if got := a.header.Get("Location"); got != location {
		tb.Fatalf("%s: a redirect to %q, want one to %q", a.path, got, location)
	}
	return a
}

// expectHeader compares one header of the answer. No header is "".
func (a *answer) expectHeader(tb testing.TB, name, want string) {
	tb.Helper()
	if got := a.header.Get(name); got != want {
		tb.Errorf("%s: %s: got %q, want %q", a.path, name, got, want)
	}
}

// expectRetryAfter fails unless the answer says when to try again.
func (a *answer) expectRetryAfter(tb testing.TB) {
	tb.Helper()
	if a.header.Get("Retry-After") == "" {
		tb.Errorf("%s: got no Retry-After in %v, want one", a.path, a.header)
	}
}

// expectNoCookie fails if the answer sets a cookie.
func (a *answer) expectNoCookie(tb testing.TB) {
	tb.Helper()
	if got := a.header["Set-Cookie"]; len(got) > 0 {
		tb.Errorf("%s: got the cookies %q, want none", a.path, got)
	}
}

// expectCount compares how many elements match a selector.
func (a *answer) expectCount(tb testing.TB, selector string, want int) {
	tb.Helper()
	if got := a.find(tb, selector).Length(); got != want {
		tb.Errorf("%s: got %d of %q, want %d: %.600s", a.path, got, selector, want, a.text(tb, "main"))
	}
}

// expectText compares the words of the matching elements.
func (a *answer) expectText(tb testing.TB, selector, want string) {
	tb.Helper()
	if got := a.text(tb, selector); got != want {
		tb.Errorf("%s: the text of %q: got %q, want %q", a.path, selector, got, want)
	}
}

// expectAttr compares an attribute of the first matching element.
func (a *answer) expectAttr(tb testing.TB, selector, name, want string) {
	tb.Helper()
	if got := a.attr(tb, selector, name); got != want {
		tb.Errorf("%s: %s of %q: got %q, want %q", a.path, name, selector, got, want)
	}
}

// expectField compares a field of the matching form.
func (a *answer) expectField(tb testing.TB, form, name, want string) {
	tb.Helper()
	if got := a.form(tb, form).Get(name); got != want {
		tb.Errorf("%s: the field %s of %q: got %q, want %q", a.path, name, form, got, want)
	}
}

// expectWithout fails if the body has a text.
func (a *answer) expectWithout(tb testing.TB, text string) {
	tb.Helper()
	if strings.Contains(a.body, text) {
		tb.Errorf("%s: got %s, want it without %q", a.path, a.body, text)
	}
}

// decoded returns the body without its encoding.
func (a *answer) decoded(tb testing.TB) string {
	tb.Helper()
	var r io.Reader = strings.NewReader(a.body)
	switch a.header.Get("Content-Encoding") {
	case "br":
		r = brotli.NewReader(r)
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			tb.Fatal(err)
		}
		r = z
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		tb.Fatal(err)
	}
	return string(raw)
}

// find returns the elements that match a selector.
func (a *answer) find(tb testing.TB, selector string) *goquery.Selection {
	tb.Helper()
	if a.doc == nil {
		doc, err := goquery.NewDocumentFromReader(strings.NewReader(a.decoded(tb)))
		if err != nil {
			tb.Fatal(err)
		}
		a.doc = doc
	}
	return a.doc.Find(selector)
}

// text returns the words of the matching elements, with single spaces.
func (a *answer) text(tb testing.TB, selector string) string {
	tb.Helper()
	return strings.Join(strings.Fields(a.find(tb, selector).Text()), " ")
}

func (a *answer) attr(tb testing.TB, selector, name string) string {
	tb.Helper()
	return a.find(tb, selector).AttrOr(name, "")
}

// form returns the fields of the matching form, as a browser would send them without one of its
// buttons.
func (a *answer) form(tb testing.TB, selector string) url.Values {
	tb.Helper()
	v := url.Values{}
	a.find(tb, selector+" input[name], "+selector+" textarea[name]").Each(func(_ int, field *goquery.Selection) {
		switch name := field.AttrOr("name", ""); {
		case field.AttrOr("type", "") == "file":
		case field.Is("textarea"): // a parser drops the first line break
			v.Set(name, field.Text())
		default:
			v.Set(name, field.AttrOr("value", ""))
		}
	})
	return v
}

func (a *answer) with(tb testing.TB, selector string, pairs ...string) url.Values {
	tb.Helper()
	v := a.form(tb, selector)
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}
