package web_test

import (
	"net/http"
	"reflect"
	"testing"
)

// TestTheQuickAnswerIsTheSame: what is answered before the router is, but for
// the request's id and the date, what the router answers.
func TestTheQuickAnswerIsTheSame(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	MustPublish(t, w.primary, "Title", "Some text that is long enough.", "tag")
	for _, path := range []string{"/", "/posts", "/posts/title", "/tags", "/tags/tag", "/feed.xml", "/sitemap.xml"} {
		b := MustOpen(t, w.primary)
		first := b.Get(t, path).Must(t, http.StatusOK)
		quick := b.Get(t, path).Must(t, http.StatusOK)
		// An id of the caller's own takes the long way.
		long := b.Get(t, path, header("X-Request-Id", "mine")).Must(t, http.StatusOK)
		for _, a := range []*answer{first, quick, long} {
			if a.header.Get("X-Request-Id") == "" {
				t.Errorf("%s: no id", path)
			}
			a.header.Del("X-Request-Id")
			a.header.Del("Date")
		}
		if !reflect.DeepEqual(first.header, quick.header) || !reflect.DeepEqual(quick.header, long.header) || first.body != quick.body || quick.body != long.body {
			t.Errorf("%s: first %v, quick %v, the long way %v", path, first.header, quick.header, long.header)
		}
		quick = b.Get(t, path, header("If-None-Match", quick.header.Get("ETag"))).Must(t, http.StatusNotModified)
		if quick.body != "" {
			t.Errorf("%s: a body with 304", path)
		}
	}
}
