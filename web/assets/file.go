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
)

// file is one file in all the encodings in which it is sent. They are made
// once, as small as can be, for the first reader who asks: a program that only
// renders pages does not wait for them.
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

// encoded returns body in an encoding, made on the first call. It is body
// itself where that fails, which writing to memory does not, or gains nothing.
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

// accepts tells whether an Accept-Encoding header names coding with a weight
// above zero. Wildcards are not taken up: plain bytes are always right.
func accepts(header, coding string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(name), coding) {
			continue
		}
		q, found := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(params), " ", ""), "q=")
		if !found {
			return true
		}
		weight, err := strconv.ParseFloat(q, 64)
		return err == nil && weight > 0
	}
	return false
}

// pick returns the bytes to send and the name of their encoding.
func (f *file) pick(header string) ([]byte, string) {
	if accepts(header, "br") && len(f.brotli()) < len(f.plain) {
		return f.brotli(), "br"
	}
	if accepts(header, "gzip") && len(f.gzip()) < len(f.plain) {
		return f.gzip(), "gzip"
	}
	return f.plain, ""
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
	if matches(r.Header.Get("If-None-Match"), etag) {
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
	_, _ = w.Write(body) // the reader has gone: nobody is left to tell
}

func matches(header, etag string) bool {
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
		if tag == etag || tag == "*" {
			return true
		}
	}
	return false
}
