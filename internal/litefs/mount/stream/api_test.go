//go:build linux

package stream_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/superfly/litefs"
	litefshttp "github.com/superfly/litefs/http"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// TestAPI: what the application and other nodes ask LiteFS for is answered over HTTP/1.1 and HTTP/2, and what holds
// locks over the network is refused with a sentence.
func TestAPI(t *testing.T) {
	p := mustPrimary(t, settings{})
	info, err := litefshttp.NewClient().Info(t.Context(), p.server.URL()) // over HTTP/2
	if err != nil || !info.IsPrimary {
		t.Errorf("info: %+v, %v, want no error and IsPrimary true", info, err)
	}
	status, text := p.mustAsk(t, http.MethodGet, "/info")
	if status != http.StatusOK || !strings.Contains(text, `"isPrimary": true`) {
		t.Errorf("/info: %d, %s, want %d and with %q", status, text, http.StatusOK, `"isPrimary": true`)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.server.URL()+"/events", nil)
	must(t, err)
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer func() { _ = res.Body.Close() }() // the context ends it
	lines := bufio.NewScanner(res.Body)
	if !lines.Scan() || !strings.Contains(lines.Text(), `"init"`) {
		t.Errorf("/events begins with %q", lines.Text())
	}
	p.mustExec(t, "CREATE TABLE t (v)")
	if !lines.Scan() || !strings.Contains(lines.Text(), `"tx"`) { // at once, not when a buffer is full
		t.Errorf("/events goes on with %q", lines.Text())
	}
	for _, path := range []string{"/export?name=test.db", "/import?name=test.db", "/tx", "/halt", "/promote"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			status, text := p.mustAsk(t, method, path)
			if status != http.StatusForbidden || !strings.Contains(text, "is not served") {
				t.Errorf("%s %s: %d, %q, want %d and with %q", method, path, status, text, http.StatusForbidden, "is not served")
			}
		}
	}
	if status, _ := p.mustAsk(t, http.MethodPost, "/stream"); status != http.StatusUpgradeRequired {
		t.Errorf("/stream over HTTP/1.1: %d, want %d", status, http.StatusUpgradeRequired)
	}
	if status, text := p.mustAsk(t, http.MethodGet, "/metrics"); status != http.StatusOK ||
		!strings.Contains(text, "litefs_is_primary") || !strings.Contains(text, "blog_streams 0") {
		t.Errorf("/metrics: %d, %s, want %d, with %q and with %q", status, text, http.StatusOK, "litefs_is_primary",
			"blog_streams 0")
	}
}

// mustAsk asks over HTTP/1.1.
func (p *primary) mustAsk(t *testing.T, method, path string) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.server.URL()+path, nil)
	must(t, err)
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	body, err := io.ReadAll(res.Body)
	must(t, errors.Join(err, res.Body.Close()))
	return res.StatusCode, string(body)
}

// writeRequest asks for a stream in HTTP/2 frames, with a window for all of it, and reads no answer.
func writeRequest(conn net.Conn) error {
	const window = 1 << 30
	var head, body bytes.Buffer
	enc := hpack.NewEncoder(&head)
	for _, f := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":authority", "x"}, {":path", "/stream"},
		{strings.ToLower(litefshttp.HeaderNodeID), litefs.FormatNodeID(77)},
	} {
		if err := enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			return err
		}
	}
	if err := litefshttp.WritePosMapTo(&body, nil); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return err
	}
	framer := http2.NewFramer(conn, nil)
	return errors.Join(
		framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}),
		framer.WriteWindowUpdate(0, window),
		framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head.Bytes(), EndHeaders: true}),
		framer.WriteData(1, true, body.Bytes()),
	)
}

// dirSize is the number of bytes in the files of a folder.
func dirSize(dir string) (size int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}
