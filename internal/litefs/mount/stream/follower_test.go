//go:build linux

package stream_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/superfly/litefs"
	litefshttp "github.com/superfly/litefs/http"
	"github.com/superfly/ltx"
)

// follower reads a stream frame by frame, when a test wants it to.
type follower struct {
	body   io.ReadCloser
	header http.Header
	client *http.Client
}

// mustConnect opens a stream as a node that has what positions say.
func (p *primary) mustConnect(t *testing.T, id uint64, positions map[string]ltx.Pos, resume string) *follower {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	f := &follower{}
	f.client = &http.Client{Transport: &http.Transport{Protocols: protocols}}
	var body bytes.Buffer
	must(t, litefshttp.WritePosMapTo(&body, positions))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.server.URL()+"/stream", &body)
	must(t, err)
	req.Header.Set(litefshttp.HeaderNodeID, litefs.FormatNodeID(id))
	if resume != "" {
		req.Header.Set("Blog-Image-Resume", resume)
	}
	res, err := f.client.Do(req) //nolint:bodyclose // close closes it
	must(t, err)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("status %d, want %d", res.StatusCode, http.StatusOK)
	}
	f.body, f.header = res.Body, res.Header
	t.Cleanup(f.close)
	return f
}

func (f *follower) close() {
	_ = f.body.Close() // it may have ended
	f.client.CloseIdleConnections()
}

// next returns the next frame. The bytes of an LTX file follow.
func (f *follower) next() (litefs.StreamFrame, error) { return litefs.ReadStreamFrame(f.body) }

// mustLTX skips frames up to the next LTX frame.
func (f *follower) mustLTX(t *testing.T) {
	t.Helper()
	for {
		frame, err := f.next()
		must(t, err)
		if _, ok := frame.(*litefs.LTXStreamFrame); ok {
			return
		}
	}
}

// chunk returns the next chunk of an LTX frame, and io.EOF after the last.
func (f *follower) chunk() ([]byte, error) {
	var size uint16
	if err := binary.Read(f.body, binary.BigEndian, &size); err != nil {
		return nil, fmt.Errorf("inside a frame: %w", err)
	}
	if size == 0 {
		return nil, io.EOF
	}
	data := make([]byte, size)
	_, err := io.ReadFull(f.body, data)
	return data, err
}

// mustFile returns the rest of an LTX frame.
func (f *follower) mustFile(t *testing.T) []byte {
	t.Helper()
	var file []byte
	for {
		data, err := f.chunk()
		if errors.Is(err, io.EOF) {
			return file
		}
		must(t, err)
		file = append(file, data...)
	}
}

// mustDecode returns the header and position of a whole LTX file.
func mustDecode(t *testing.T, file []byte) (ltx.Header, ltx.Pos) {
	t.Helper()
	dec := ltx.NewDecoder(bytes.NewReader(file))
	must(t, dec.Verify())
	return dec.Header(), dec.PostApplyPos()
}

// imageID is what a follower names an image by.
func imageID(file []byte) string {
	sum := sha256.Sum256(file[:ltx.HeaderSize])
	return hex.EncodeToString(sum[:])
}
