//go:build linux

package receive_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/superfly/litefs"
	litefshttp "github.com/superfly/litefs/http"
	"github.com/superfly/ltx"

	"blog/internal/litefs/mount/receive"
)

const (
	dbName    = "blog.db"
	clusterID = "LFSC0123456789ABCDEF"
	pageSize  = 512
)

// history is what a primary has committed: one state of the database for each transaction, from 1 on.
type history struct {
	images [][]byte // the whole database after transaction i+1, as an LTX file
	txs    [][]byte // transaction i+1 as an LTX file
	pos    []ltx.Pos
	pages  [][]byte // of the newest state
}

// newHistory commits n transactions to a database of so many pages. Each changes one page.
func newHistory(t *testing.T, pages uint32, n ltx.TXID) *history {
	t.Helper()
	h := &history{pages: make([][]byte, pages)}
	source := rand.NewChaCha8([32]byte{1})
	for i := range h.pages {
		h.pages[i] = make([]byte, pageSize)
		_, _ = source.Read(h.pages[i]) // it has no end
	}
	header := []byte("SQLite format 3\x00\x02\x00\x01\x01\x00\x40\x20\x20") // page size 512, rollback journal
	copy(h.pages[0], header)
	binary.BigEndian.PutUint32(h.pages[0][28:], pages)
	before := ltx.Checksum(0)
	for id := ltx.TXID(1); id <= n; id++ {
		changed := 1 + uint32(id)%(pages-1) // never the first, which has the header
		_, _ = source.Read(h.pages[changed])
		after := ltx.ChecksumFlag
		for i := range pages {
			after = ltx.ChecksumFlag | (after ^ ltx.ChecksumPage(i+1, h.pages[i]))
		}
		image := h.mustEncode(t, ltx.Header{MinTXID: 1, MaxTXID: id, Commit: pages}, after, 0)
		tx := image
		if id > 1 {
			header := ltx.Header{MinTXID: id, MaxTXID: id, PreApplyChecksum: before, Commit: pages}
			tx = h.mustEncode(t, header, after, changed)
		}
		h.images, h.txs = append(h.images, image), append(h.txs, tx)
		h.pos = append(h.pos, ltx.Pos{TXID: id, PostApplyChecksum: after})
		before = after
	}
	return h
}

// mustEncode makes an LTX file: of all pages for page 0, and otherwise of the one at that index.
func (h *history) mustEncode(t *testing.T, header ltx.Header, after ltx.Checksum, page uint32) []byte {
	t.Helper()
	header.Version, header.PageSize, header.Timestamp = ltx.Version, pageSize, 1
	from, to := page, page+1
	if page == 0 {
		to = header.Commit
	}
	var out bytes.Buffer
	enc := ltx.NewEncoder(&out)
	err := enc.EncodeHeader(header)
	for i := from; i < to && err == nil; i++ {
		err = enc.EncodePage(ltx.PageHeader{Pgno: i + 1}, h.pages[i])
	}
	if err == nil {
		enc.SetPostApplyChecksum(after)
		err = enc.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// newest is the position after the last transaction.
func (h *history) newest() ltx.Pos { return h.pos[len(h.pos)-1] }

// after returns what a replica at pos lacks, as the primary sends it: LTX files, the first of them perhaps an image.
func (h *history) after(pos ltx.Pos, from ltx.TXID) [][]byte {
	if pos.TXID > 0 && h.pos[pos.TXID-1] == pos {
		return h.txs[pos.TXID:]
	}
	return append([][]byte{h.images[from-1]}, h.txs[from:]...)
}

// wireFrame is one frame of the stream on its way.
type wireFrame struct {
	bytes []byte
	image bool
}

func mustFrame(tb testing.TB, f litefs.StreamFrame) wireFrame {
	tb.Helper()
	var out bytes.Buffer
	if err := litefs.WriteStreamFrame(&out, f); err != nil {
		tb.Fatal(err)
	}
	return wireFrame{bytes: out.Bytes()}
}

// mustLTXFrame is an LTX frame with its payload in chunks of at most so many bytes.
func mustLTXFrame(tb testing.TB, file []byte, chunk uint16) wireFrame {
	tb.Helper()
	f := mustFrame(tb, &litefs.LTXStreamFrame{Name: dbName})
	for len(file) > 0 {
		n := chunk
		if len(file) < int(n) {
			n = uint16(len(file)) //nolint:gosec // less than chunk
		}
		f.bytes = append(binary.BigEndian.AppendUint16(f.bytes, n), file[:n]...)
		file = file[n:]
	}
	f.bytes = append(f.bytes, 0, 0)
	return f
}

// primary is a server of /stream that resumes images. It sends what the replica lacks, a heartbeat before each frame,
// and then stays silent.
type primary struct {
	t       testing.TB
	history *history
	chunk   uint16
	from    ltx.TXID // images are of this transaction
	stock   bool     // it knows nothing of resuming

	mu         sync.Mutex
	cut        int        // the connection breaks after so many bytes; negative: it does not
	next       func() int // the next stream's cut; nil leaves it
	streams    int        // opened
	imageBytes int        // of images' LTX files sent
	offered    []string
}

func (p *primary) count() (streams, imageBytes int, offered []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.streams, p.imageBytes, append([]string(nil), p.offered...)
}

// frames returns what a stream begins with, and the answer to an offer to resume.
func (p *primary) frames(pos ltx.Pos, offer string) (frames []wireFrame, resumed string) {
	for _, file := range p.history.after(pos, p.from) {
		frames = append(frames, mustFrame(p.t, &litefs.HeartbeatStreamFrame{Timestamp: 1}))
		image := bytes.Equal(file, p.history.images[p.from-1])
		if image && !p.stock && offer != "" {
			var offset int
			sum := sha256.Sum256(file[:ltx.HeaderSize])
			want := dbName + " " + hex.EncodeToString(sum[:]) + " %d"
			if _, err := fmt.Sscanf(offer, want, &offset); err == nil && offset <= len(file) {
				file, resumed = file[offset:], offer
			}
		}
		f := mustLTXFrame(p.t, file, p.chunk)
		f.image = image
		frames = append(frames, f, mustFrame(p.t, &litefs.HWMStreamFrame{Name: dbName}))
	}
	return append(frames, mustFrame(p.t, &litefs.ReadyStreamFrame{})), resumed
}

func (p *primary) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	positions, err := litefshttp.ReadPosMapFrom(r.Body)
	if err != nil {
		p.t.Error(err)
	}
	offer := r.Header.Get(receive.HeaderResume)
	frames, resumed := p.frames(positions[dbName], offer)
	if resumed != "" {
		w.Header().Set(receive.HeaderResumed, resumed)
	}
	w.Header().Set(litefshttp.HeaderClusterID, clusterID)
	p.mu.Lock()
	cut := p.cut
	p.streams++
	p.offered = append(p.offered, offer)
	if p.next != nil {
		p.cut = p.next()
	}
	p.mu.Unlock()
	w.WriteHeader(http.StatusOK)
	for _, f := range frames {
		n := len(f.bytes)
		if cut >= 0 {
			n = min(n, cut)
			cut -= n
		}
		_, err := w.Write(f.bytes[:n])
		_ = http.NewResponseController(w).Flush()
		if f.image {
			p.mu.Lock()
			p.imageBytes += n
			p.mu.Unlock()
		}
		if err != nil || cut == 0 {
			panic(http.ErrAbortHandler)
		}
	}
	<-r.Context().Done()
}

// serve starts the primary as LiteFS's server is reached: HTTP/2 without TLS.
func (p *primary) serve(t *testing.T) string {
	t.Helper()
	server := httptest.NewUnstartedServer(p)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// mustClient returns a client over HTTP/2, and the folder of its spool. With transport it is that instead.
func mustClient(t *testing.T, transport http.RoundTripper) (client *receive.Client, spool string) {
	t.Helper()
	if transport == nil {
		protocols := new(http.Protocols)
		protocols.SetUnencryptedHTTP2(true)
		h2 := &http.Transport{Protocols: protocols}
		t.Cleanup(h2.CloseIdleConnections)
		transport = h2
	}
	dir := t.TempDir()
	base := &litefshttp.Client{HTTPClient: &http.Client{Transport: transport}}
	client, err := receive.New(base, dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return client, filepath.Join(dir, receive.Folder)
}

// mustBeEmpty wants no file in the folder.
func mustBeEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Fatalf("the spool has %v, %v, want no error and 0 of them", entries, err)
	}
}

// script is an http.RoundTripper whose answers have bodies from the test.
type script func(r *http.Request) (header http.Header, body io.ReadCloser)

func (s script) RoundTrip(r *http.Request) (*http.Response, error) {
	header, body := s(r)
	return &http.Response{StatusCode: http.StatusOK, Header: header, Body: body, Request: r}, nil
}
