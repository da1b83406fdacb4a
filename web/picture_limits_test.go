package web_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"

	"blog/internal/repo/repotest"
)

// MustStall sends a form with size bytes of a picture, and stops there until the returned function
// is called.
func MustStall(tb testing.TB, n *node, session string, size int) (end func()) {
	tb.Helper()
	conn, err := (&net.Dialer{}).DialContext(tb.Context(), "tcp", n.server.Listener.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	_, err = fmt.Fprintf(conn,
		"POST /admin/posts HTTP/1.1\r\nHost: x\r\nCookie: session=%s\r\nContent-Type: multipart/form-data; "+
			"boundary=x\r\nContent-Length: 30000000\r\n\r\n"+
			"--x\r\nContent-Disposition: form-data; name=\"image\"; filename=\"x.png\"\r\n\r\n", session)
	if err == nil {
		_, err = conn.Write(make([]byte, size))
	}
	if err != nil {
		tb.Fatal(errors.Join(err, conn.Close()))
	}
	return func() {
		if err := conn.Close(); err != nil {
			tb.Error(err)
		}
	}
}

func TestFewPicturesAreAcceptedAtOnce(t *testing.T) {
	t.Parallel()
	w := MustWorld(t, brief)
	b := MustLogin(t, w.primary)
	var ends []func()
	for range 4 {
		ends = append(ends, MustStall(t, w.primary, b.Cookie(t, "session"), 1000))
	}
	typed := editor("body", hostileText, "do", "upload")
	var last *answer
	repotest.Eventually(t, patience, "one more has to wait", func() bool {
		last = b.Upload(t, "/admin/posts", typed, "x.png", MustPNG(t))
		return last.status == http.StatusServiceUnavailable
	})
	MustRetain(t, last, typed)
	b.Post(t, "/admin/posts", editor("title", "Without a picture", "do", "save")).Must(t, http.StatusSeeOther)
	b.Upload(t, "/admin/posts", editor("title", "With none chosen", "do", "save"), "", nil).Must(t, http.StatusSeeOther)
	for _, end := range ends {
		end()
	}
	repotest.Eventually(t, patience, "there is room again", func() bool {
		return b.Upload(t, "/admin/posts", typed, "x.png", MustPNG(t)).status == http.StatusOK
	})
}

func TestPicturesOfStrangersAreNotRead(t *testing.T) {
	t.Parallel()
	w := MustWorld(t)
	stranger, typed := MustOpen(t, w.primary), editor("body", hostileText)
	large := make([]byte, 20<<20)
	for _, action := range []string{"/admin/posts", "/admin/posts/1"} {
		stranger.Upload(t, action, nil, "x.png", large).Must(t, http.StatusRequestEntityTooLarge)
		MustRetain(t, stranger.Upload(t, action, typed, "x.png", large).Must(t, http.StatusRequestEntityTooLarge), typed)
		MustRetain(t, stranger.Upload(t, action, typed, "x.png", MustPNG(t)).Must(t, http.StatusUnauthorized), typed)
	}
	// A user whose session has ended gets all their text back, beside a picture of any size.
	stranger.SetCookie(t, "session", "ended")
	MustRetain(t, stranger.Upload(t, "/admin/posts", typed, "x.png", large).Must(t, http.StatusUnauthorized), typed)
	n := MustCount(t, w.primary)
	for _, table := range []string{"posts", "media"} {
		if n[table] != 0 {
			t.Errorf("got %d rows of %s, want 0, as nothing is saved", n[table], table)
		}
	}
}
