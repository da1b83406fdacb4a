package live

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"blog/internal/repo"
)

// Type is what a frame asks the browser to do.
type Type string

// The types. A Renderer returns Change, Gone, Moved or None; the hub itself makes the others.
const (
	None   Type = ""       // there is nothing that readers may know: no frame is sent
	Change Type = "change" // the entry is now HTML
	Gone   Type = "gone"   // the entry is no longer there
	Moved  Type = "moved"  // the topic is now To, at URL
	hello  Type = "hello"
	resync Type = "resync"
)

// Frame is the present state of one entry of a topic.
type Frame struct {
	Type  Type
	Topic string // empty: the topic of the touch
	ID    string // the id of the element, such as post-12; empty when the topic is one thing
	HTML  string // with Change: the element, as the page has it
	To    string // with Moved: the topic's new name
	URL   string // with Moved: where it is now, relative to the host
}

// wire is a frame in the form that the browser receives.
type wire struct {
	Type    Type        `json:"type"`
	Seq     int64       `json:"seq"`
	Cursor  repo.Cursor `json:"cursor"`
	Version string      `json:"version,omitempty"`
	// Heartbeat is the longest time until the next hello, in milliseconds. A browser cannot see pings: without it, it
	// would wait for a dead node for ever.
	Heartbeat int64  `json:"heartbeat,omitempty"`
	Topic     string `json:"topic,omitempty"`
	ID        string `json:"id,omitempty"`
	To        string `json:"to,omitempty"`
	URL       string `json:"url,omitempty"`
	HTML      string `json:"html,omitempty"`
}

// encode returns the whole websocket message, header included, so that one slice of bytes serves all sockets and is
// written in one system call. This is possible because frames of a server are not masked (RFC 6455, section 5.1).
func encode(w wire) ([]byte, error) {
	const room = 10 // the longest header
	var b bytes.Buffer
	b.Write(make([]byte, room))
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // JSON.parse reads it, not a page; escaped it is a third longer
	if err := e.Encode(w); err != nil {
		return nil, fmt.Errorf("encode frame: %w", err)
	}
	msg := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	size := len(msg) - room
	const finText = 0x81
	switch {
	case size < 126:
		msg = msg[room-2:]
		msg[1] = byte(size) //nolint:gosec // below 126
	case size < 1<<16:
		msg = msg[room-4:]
		msg[1] = 126
		binary.BigEndian.PutUint16(msg[2:], uint16(size))
	default:
		msg[1] = 127
		binary.BigEndian.PutUint64(msg[2:], uint64(size))
	}
	msg[0] = finText
	return bytes.Clone(msg), nil // without the buffer's spare room
}

// pingMessage is a whole ping without payload.
func pingMessage() []byte { return []byte{0x89, 0} }
