//go:build linux

package stream

import (
	"context"
	"io"
	"time"

	"github.com/superfly/litefs"
	"github.com/superfly/ltx"
)

// Hooks are what tests change of a server before Listen. Zero values change nothing.
type Hooks struct {
	Stall     time.Duration
	Unused    time.Duration
	SliceSize int
	Free      func() (int64, error)
	Between   func() // after each slice, without a lock
}

// Set sets the hooks.
func (s *Server) Set(h Hooks) {
	if h.Stall > 0 {
		s.stall = h.Stall
	}
	if h.Unused > 0 {
		s.images.unused = h.Unused
	}
	if h.SliceSize > 0 {
		s.images.sliceSize = h.SliceSize
	}
	if h.Free != nil {
		s.images.free = h.Free
	}
	s.images.between = h.Between
}

// Images returns how many images there are, complete or in the making.
func (s *Server) Images() int {
	s.images.mu.Lock()
	defer s.images.mu.Unlock()
	return len(s.images.all)
}

// Held reports whether copying holds SHARED or PENDING of the database now.
func Held(db *litefs.DB) bool {
	g := db.GuardSet(lockOwner)
	const free = litefs.RWMutexStateUnlocked
	return g != nil && (g.Shared().State() != free || g.Pending().State() != free)
}

// ReadSome reads as a slice does that began then.
func ReadSome(f io.ReaderAt, buf []byte, offset int64, began time.Time) ([]byte, error) {
	return readSome(f, buf, offset, began)
}

// SliceLimit is for how long a slice may last, ReadSize how much it reads at a time.
const (
	SliceLimit = sliceLimit
	ReadSize   = readSize
)

// Spare is what an image leaves free on the disk, in bytes.
const Spare = spareDisk

// NoticePrefix begins the name in a notice.
const NoticePrefix = noticePrefix

// Lacks says what a follower was not sent, for a hand-off.
func (s *Server) Lacks(ctx context.Context, id uint64) error { return s.awaitFollower(ctx, id) }

// HeaderSize is the length of an LTX file's header.
const HeaderSize = ltx.HeaderSize
