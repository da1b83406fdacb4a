//go:build linux

package receive_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/superfly/litefs"
	litefshttp "github.com/superfly/litefs/http"
	"github.com/superfly/ltx"

	"blog/internal/litefs/mount/receive"
)

// dechunk returns a payload as LiteFS reads it.
func dechunk(r io.Reader) ([]byte, error) {
	var out []byte
	for {
		var size uint16
		if err := binary.Read(r, binary.BigEndian, &size); err != nil || size == 0 {
			return out, err
		}
		chunk := make([]byte, size)
		if _, err := io.ReadFull(r, chunk); err != nil {
			return out, err
		}
		out = append(out, chunk...)
	}
}

// consume reads the stream as LiteFS does until it ends. It returns the payloads of the LTX frames, and fails for one
// that is not complete.
func consume(t *testing.T, st litefs.Stream) (payloads [][]byte, ended error) {
	t.Helper()
	for {
		f, err := litefs.ReadStreamFrame(st)
		if err != nil {
			return payloads, err
		}
		if _, ok := f.(*litefs.LTXStreamFrame); !ok {
			continue
		}
		payload, err := dechunk(st)
		if err != nil {
			t.Fatalf("a frame ends after %d bytes of its payload: %v", len(payload), err)
		}
		payloads = append(payloads, payload)
	}
}

// mustStream opens a stream for a replica at pos.
func mustStream(t *testing.T, c *receive.Client, url string, pos ltx.Pos) litefs.Stream {
	t.Helper()
	positions := map[string]ltx.Pos{}
	if !pos.IsZero() {
		positions[dbName] = pos
	}
	st, err := c.Stream(t.Context(), url, 1, positions, nil)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// inProcess serves the primary's streams without a network. Each ends with an error where the primary cuts it, and with
// io.EOF otherwise.
func inProcess(p *primary) script {
	return func(r *http.Request) (http.Header, io.ReadCloser) {
		positions, err := litefshttp.ReadPosMapFrom(r.Body)
		if err != nil {
			p.t.Error(err)
		}
		offer := r.Header.Get(receive.HeaderResume)
		frames, resumed := p.frames(positions[dbName], offer)
		header := http.Header{}
		if resumed != "" {
			header.Set(receive.HeaderResumed, resumed)
		}
		var all []byte
		for _, f := range frames {
			n := len(f.bytes)
			if p.cut >= 0 {
				n = min(n, p.cut-len(all))
			}
			all = append(all, f.bytes[:n]...)
			if f.image {
				p.imageBytes += n
			}
		}
		p.streams++
		p.offered = append(p.offered, offer)
		end := io.EOF
		if p.cut >= 0 {
			end = errBroken
		}
		return header, io.NopCloser(io.MultiReader(bytes.NewReader(all), broken{end}))
	}
}

var errBroken = errors.New("connection reset")

// broken is the end of a connection.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// TestEveryCut breaks a stream of an image and two transactions at each of its bytes. What arrives are whole frames;
// the next stream brings the rest, and sends no byte of the image's file again.
func TestEveryCut(t *testing.T) {
	h := newHistory(t, 2, 4)
	p := &primary{t: t, history: h, chunk: 700, from: 2, cut: -1}
	whole, _ := p.frames(ltx.Pos{}, "")
	total := 0
	for _, f := range whole {
		total += len(f.bytes)
	}
	want := h.after(ltx.Pos{}, p.from)
	const memory = 150 // less than any payload
	client, spool := mustClient(t, inProcess(p))
	client.SetMemory(memory)
	for cut := range total {
		var got [][]byte
		p.imageBytes, p.streams = 0, 0
		for p.cut = cut; len(got) < len(want); p.cut = -1 {
			pos := ltx.Pos{}
			if len(got) > 0 {
				pos = h.pos[len(h.pos)-len(want)+len(got)-1]
			}
			st := mustStream(t, client, "http://primary", pos)
			more, ended := consume(t, st)
			if (p.cut >= 0) == (ended == io.EOF) { //nolint:errorlint // LiteFS compares like this
				t.Fatalf("cut at %d of %d: the stream ended with %v", cut, total, ended)
			}
			got = append(got, more...)
			if err := st.Close(); err != nil {
				t.Fatal(err)
			}
		}
		for i := range want {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("cut at %d of %d: frame %d is another", cut, total, i)
			}
		}
		const chunks = 3 * 2 // lengths in the frame, which come again with its head
		head := len(mustLTXFrame(t, nil, p.chunk).bytes)
		if again := p.imageBytes - len(h.images[p.from-1]) - p.streams*(head+chunks); again > memory+1<<7 {
			t.Fatalf("cut at %d of %d: %d bytes of the image were sent again, want at most %d", cut, total, again, memory+1<<7)
		}
		mustBeEmpty(t, spool)
	}
}

// TestCorruptFrame: whatever byte of a payload is another, or of the lengths in it, LiteFS gets no byte of that frame,
// and what came before arrives.
func TestCorruptFrame(t *testing.T) {
	h := newHistory(t, 2, 4)
	good := mustLTXFrame(t, h.txs[1], 1000).bytes
	var wire []byte
	client, _ := mustClient(t, script(func(*http.Request) (http.Header, io.ReadCloser) {
		return http.Header{}, io.NopCloser(bytes.NewReader(wire))
	}))
	client.SetFree(func() int64 { return 1 << 60 }) // for as many pages as a header may speak of
	for name, file := range map[string][]byte{"image": h.images[2], "transaction": h.txs[2]} {
		for _, memory := range []int64{1, 1 << 20} {
			frame := mustLTXFrame(t, file, 700).bytes
			head := len(mustLTXFrame(t, nil, 1).bytes) - 2
			for at := head; at < len(frame); at++ {
				wire = append(bytes.Clone(good), frame...)
				wire[len(good)+at] ^= 0x10
				client.SetMemory(memory)
				st := mustStream(t, client, "http://primary", h.pos[0])
				got, err := io.ReadAll(st)
				if err == nil || !bytes.Equal(got, good) {
					t.Fatalf("%s with another byte %d: LiteFS gets %d bytes more, and %v", name, at-head, len(got)-len(good), err)
				}
				if err := st.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// quickClient is a client whose one stream is wire.
func quickClient(t *testing.T, wire []byte) (*receive.Client, string) {
	t.Helper()
	return mustClient(t, script(func(*http.Request) (http.Header, io.ReadCloser) {
		return http.Header{}, io.NopCloser(bytes.NewReader(wire))
	}))
}

// TestImpossibleFrame: a frame that cannot be one of LiteFS's ends the stream before it takes memory or disk.
func TestImpossibleFrame(t *testing.T) {
	h := newHistory(t, 3, 1)
	endless := mustLTXFrame(t, append(bytes.Clone(h.images[0]), make([]byte, 10<<20)...), 1<<15).bytes
	longName := []byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 'x'}
	for name, wire := range map[string][]byte{
		"unknown type": {0, 0, 0, 9}, "name of 2 GB": longName, "more than its pages": endless,
		"no LTX file": mustLTXFrame(t, make([]byte, 1<<10), 1<<9).bytes,
		"more after its end": mustLTXFrame(t, append(bytes.Clone(h.txs[0][:ltx.HeaderSize]), append(
			make([]byte, ltx.PageHeaderSize), make([]byte, ltx.TrailerSize+1)...)...), 1<<9).bytes,
	} {
		body := bytes.NewReader(wire)
		client, spool := mustClient(t, script(func(*http.Request) (http.Header, io.ReadCloser) {
			return http.Header{}, io.NopCloser(body)
		}))
		client.SetMemory(1)
		st := mustStream(t, client, "http://primary", ltx.Pos{})
		got, err := io.ReadAll(st)
		if err == nil || errors.Is(err, io.ErrUnexpectedEOF) || len(got) > 0 {
			t.Errorf("%s: LiteFS gets %d bytes, and %v, want an error, not %v and 0", name, len(got), err, io.ErrUnexpectedEOF)
		}
		if read := len(wire) - body.Len(); read > 1<<18 {
			t.Errorf("%s: %d bytes were received before that was clear, want at most %d", name, read, 1<<18)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
		mustBeEmpty(t, spool)
	}
}

// TestSlowReplica: while LiteFS applies a frame, the stream goes on being received, heartbeats included, up to a bound;
// then all arrives in order.
func TestSlowReplica(t *testing.T) {
	h := newHistory(t, 1<<10, 2) // an image of half a megabyte
	synctest.Test(t, func(t *testing.T) {
		here, there := io.Pipe()
		client, _ := mustClient(t, script(func(*http.Request) (http.Header, io.ReadCloser) { return http.Header{}, here }))
		st := mustStream(t, client, "http://primary", ltx.Pos{})
		image := mustLTXFrame(t, h.images[0], 1<<15).bytes
		const beats, frames = 600, 14 // ten minutes, and twice what may wait
		sent := 0
		var wire bytes.Buffer
		for i := range beats {
			wire.Write(mustFrame(t, &litefs.HeartbeatStreamFrame{Timestamp: int64(i)}).bytes)
		}
		for range frames {
			wire.Write(image)
		}
		want := bytes.Clone(wire.Bytes())
		go func() {
			for wire.Len() > 0 {
				n, err := there.Write(wire.Next(1 << 10))
				if sent += n; err != nil {
					return
				}
			}
			_ = there.Close()
		}()
		synctest.Wait() // until the writer waits for the receiver
		const slack = 2 << 20
		if sent < receive.MaxWaiting || sent > receive.MaxWaiting+slack {
			t.Errorf("%d bytes were received while nobody read, want %d and one frame more", sent, receive.MaxWaiting)
		}
		got, err := io.ReadAll(st)
		if err != nil || len(got) < beats*12 || !bytes.Equal(got[:beats*12], want[:beats*12]) {
			t.Errorf("%d bytes arrived, and %v, want no error and the %d bytes that were sent first", len(got), err, beats*12)
		}
		payloads := bytes.NewReader(got[beats*12:])
		for i := range frames {
			if _, err := litefs.ReadStreamFrame(payloads); err != nil {
				t.Fatal(err)
			}
			if p, err := dechunk(payloads); err != nil || !bytes.Equal(p, h.images[0]) {
				t.Fatalf("frame %d has a payload of %d bytes, equal: %t, %v, want no error and the %d bytes of the image", i,
					len(p), bytes.Equal(p, h.images[0]), err, len(h.images[0]))
			}
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestEmptiedAtStart: files of a process that was killed go.
func TestEmptiedAtStart(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, receive.Folder, "7.ltx")
	if err := os.MkdirAll(filepath.Dir(left), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(left, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := receive.New(litefshttp.NewClient(), dir, nil); err != nil {
		t.Fatal(err)
	}
	mustBeEmpty(t, filepath.Dir(left))
}

// TestNotice: what the primary says to the follower's log comes there, and not to LiteFS.
func TestNotice(t *testing.T) {
	const why = "the primary has no image of blog.db yet"
	beat := mustFrame(t, &litefs.HeartbeatStreamFrame{Timestamp: -1}).bytes
	dropped := mustFrame(t, &litefs.DropDBStreamFrame{Name: "old.db"}).bytes
	notice := mustFrame(t, &litefs.DropDBStreamFrame{Name: "\x00notice\x00" + why}).bytes
	wire := bytes.Join([][]byte{dropped, notice, beat}, nil)
	transport := script(func(*http.Request) (http.Header, io.ReadCloser) {
		return http.Header{}, io.NopCloser(bytes.NewReader(wire))
	})
	base := &litefshttp.Client{HTTPClient: &http.Client{Transport: transport}}
	var log bytes.Buffer
	client, err := receive.New(base, t.TempDir(), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	st := mustStream(t, client, "http://primary", ltx.Pos{})
	if got, err := io.ReadAll(st); err != nil || !bytes.Equal(got, append(dropped, beat...)) {
		t.Errorf("LiteFS gets %q, %v", got, err)
	}
	if err := st.Close(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), why) {
		t.Errorf("the log is %q, want with %v", log.String(), why)
	}
}
