package repo

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"blog/internal/apperr"
)

// Mark names one execution in one history: SHA-256 of the mark of the row
// before, the key and 16 random bytes. Two copies of the database agree up to a
// seq if and only if their marks at that seq are equal.
type Mark [sha256.Size]byte

// Cursor is a position in the history of writes. LiteFS can rewrite the history
// after a failover and use the same seq again, so a seq alone says nothing.
// The zero Cursor is before the first write.
type Cursor struct {
	Seq  int64
	Mark Mark
}

// Zero reports whether c is before the first write.
func (c Cursor) Zero() bool { return c.Seq == 0 }

// String returns the opaque form that goes over the wire: "0" for the zero
// cursor, else seq, a hyphen and the mark in base64url.
func (c Cursor) String() string {
	if c.Zero() {
		return "0"
	}
	return strconv.FormatInt(c.Seq, 10) + "-" + base64.RawURLEncoding.EncodeToString(c.Mark[:])
}

// ParseCursor reads what String wrote. Anything else is an Invalid error.
func ParseCursor(s string) (Cursor, error) {
	if s == "0" {
		return Cursor{}, nil
	}
	num, mark, _ := strings.Cut(s, "-")
	seq, err := strconv.ParseInt(num, 10, 64)
	raw, err2 := base64.RawURLEncoding.DecodeString(mark)
	if err == nil && err2 == nil && seq > 0 && len(raw) == sha256.Size {
		// One position has one spelling: no sign, no leading zero, no line break.
		if c := (Cursor{Seq: seq, Mark: Mark(raw)}); c.String() == s {
			return c, nil
		}
	}
	return Cursor{}, apperr.Errorf(apperr.Invalid, "Not a cursor: %.80q.", s)
}

// MarshalJSON writes the opaque form.
func (c Cursor) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }

// UnmarshalJSON reads the opaque form.
func (c *Cursor) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("decode cursor: %w", err)
	}
	v, err := ParseCursor(s)
	*c = v
	return err
}

func scanMark(b []byte) (Mark, error) {
	if len(b) != sha256.Size {
		return Mark{}, fmt.Errorf("mark of %d bytes, want %d", len(b), sha256.Size)
	}
	return Mark(b), nil
}
