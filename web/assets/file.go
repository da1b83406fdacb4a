package assets

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"

	"blog/web/negotiate"
)

// file is one file in all encodings in which it is sent. Each encoding is made once, as small as
// possible, when the first reader asks for it, so that a program which only renders pages does not
// wait for them.
type file struct {
	contentType string
	etag        string // without quotes and encoding
	plain       []byte
	gzip        func() []byte
	brotli      func() []byte
}

func contentType(name string) (string, error) {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8", nil
	case ".js":
		return "text/javascript; charset=utf-8", nil
	case ".svg":
		return "image/svg+xml", nil
	default:
		return "", fmt.Errorf("no content type for %q", path.Ext(name))
	}
}

func newFile(name string, body []byte) (*file, error) {
	ct, err := contentType(name)
	if err != nil {
		return nil, err
	}
	return &file{
		contentType: ct,
		etag:        hash(map[string][]byte{name: body}),
		plain:       body,
		gzip: encoded(body, func(w io.Writer) (io.WriteCloser, error) {
			return gzip.NewWriterLevel(w, gzip.BestCompression)
		}),
		brotli: encoded(body, func(w io.Writer) (io.WriteCloser, error) {
			return brotli.NewWriterLevel(w, brotli.BestCompression), nil
		}),
	}, nil
}

// encoded returns a function that returns body in an encoding, made at the first call, or body
// itself when that is not shorter or fails, which writing to memory does not.
func encoded(body []byte, writer func(io.Writer) (io.WriteCloser, error)) func() []byte {
	return sync.OnceValue(func() []byte {
		var b bytes.Buffer
		w, err := writer(&b)
		if err != nil {
			return body
		}
		if _, err = w.Write(body); err != nil {
			return body
		}
		if err = w.Close(); err != nil || b.Len() >= len(body) {
			return body
		}
		return b.Bytes()
	})
}

// pick returns the bytes to send and the name of their encoding.
func (f *file) pick(header string) ([]byte, string) {
	body, name := f.plain, ""
	switch negotiate.Accepted(header) {
	case negotiate.Brotli:
		body, name = f.brotli(), "br"
	case negotiate.Gzip:
		body, name = f.gzip(), "gzip"
	case negotiate.None:
	}
	if len(body) == len(f.plain) { // not shorter
		return f.plain, ""
	}
	return body, name
}

func (s *Set) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	name, ok := strings.CutPrefix(r.URL.Path, s.Base())
	f := s.files[name]
	if !ok || f == nil {
		h.Set("Cache-Control", "no-store")
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	body, encoding := f.pick(r.Header.Get("Accept-Encoding"))
	etag := f.etag
	if encoding != "" {
		etag += "-" + encoding
	}
	etag = `"` + etag + `"`
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	h.Set("ETag", etag)
	if negotiate.Known(r.Header.Get("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	h.Set("Content-Type", f.contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(body) // it fails when the reader has closed the connection
}
