package compose

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"blog/internal/apperr"
	"blog/internal/posts"
	"blog/internal/repo"
)

// Kind is what a write does.
type Kind string

// The kinds. A post is made at revision 1, and each edit and each change of its state raises the
// revision.
const (
	Create    Kind = "create"
	Edit      Kind = "edit"
	Publish   Kind = "publish"
	Unpublish Kind = "unpublish"
	Delete    Kind = "delete"
	Same      Kind = "same"    // an edit that changes nothing
	Release   Kind = "release" // by the primary itself: a scheduled post is published
	Upload    Kind = "upload"  // of a picture, not of a post
)

// Outcome is what a caller was told.
type Outcome string

// The outcomes.
const (
	Pending  Outcome = ""         // no answer yet
	OK       Outcome = "ok"       // done, and will last
	Conflict Outcome = "conflict" // the post did not have the expected revision
	NotFound Outcome = "notfound" // there was no such post
	SlugUsed Outcome = "slugused" // another post had the slug
	KeyUsed  Outcome = "keyused"  // another write had the key
	Refused  Outcome = "refused"  // not done, for another reason
	Unknown  Outcome = "unknown"  // not known to anybody
)

// Ask is one request for a write, and its answer. A key may be asked for several times, on any
// node.
type Ask struct {
	ID    int    `json:"id"`
	Fault string `json:"fault"` // the fault at that time
	Node  string `json:"node"`
	Key   string `json:"key"`
	Kind  Kind   `json:"kind"`
	Post  string `json:"post"` // name of the post, with which its title begins
	// Expected is the revision that an edit starts from.
	Expected int64 `json:"expected,omitempty"`
	// Born is the key of the write that made the post. Names may be used again.
	Born string `json:"born,omitempty"`
	// Variant distinguishes contents that were sent under one key.
	Variant string `json:"variant,omitempty"`
	Picture string `json:"picture,omitempty"` // hash of the picture in the text, or of the upload
	// Due is the date of a scheduled post by the wall clock; DueAt is the same by the ledger's
	// clock.
	Due   time.Time     `json:"due,omitzero"`
	DueAt time.Duration `json:"due_at,omitempty"`
	// Reader is the browser that sent a form, or "" for a call of the operator.
	Reader string        `json:"reader,omitempty"`
	Start  time.Duration `json:"start"` // since the ledger's beginning
	Limit  time.Duration `json:"limit"` // how long the caller waits

	Answer
}

// Answer is the answer to an Ask.
type Answer struct {
	Outcome   Outcome        `json:"outcome,omitempty"`
	End       time.Duration  `json:"end,omitempty"`
	Code      apperr.Code    `json:"code,omitempty"`
	Reason    string         `json:"reason,omitempty"`
	Message   string         `json:"message,omitempty"`
	PostID    int64          `json:"post_id,omitempty"`
	Slug      string         `json:"slug,omitempty"`
	Revision  int64          `json:"revision,omitempty"`
	Cursor    string         `json:"cursor,omitempty"`
	Seq       int64          `json:"seq,omitempty"`
	Replayed  bool           `json:"replayed,omitempty"`
	State     posts.State    `json:"state,omitempty"`     // of the post; "" when the answer does not say it
	Unchanged bool           `json:"unchanged,omitempty"` // there was nothing to do
	Assurance repo.Assurance `json:"durability,omitempty"`
}

// ErrorOutcome returns the answer in err. Only a refusal by the primary counts as one; an error
// that may hide a lost answer is Unknown.
func ErrorOutcome(err error) Answer {
	e := apperr.From(err)
	t := Answer{Outcome: Refused, Code: e.Code, Reason: e.Reason, Message: err.Error()}
	switch {
	case e.Reason == apperr.KeyReused:
		t.Outcome = KeyUsed
	case e.Reason == posts.RevisionMismatch:
		t.Outcome = Conflict
	case e.Code == apperr.NotFound:
		t.Outcome = NotFound
	case e.Code == apperr.Invalid && len(e.Fields) == 1 && e.Fields["slug"] != "":
		t.Outcome = SlugUsed
	case e.Reason == apperr.OutcomeUnknown, e.Code == apperr.Internal:
		t.Outcome = Unknown
	}
	return t
}

// Ledger has every Ask, in memory and as JSON lines in a file: one line when it is asked and one
// when it is answered, so that the file is complete after a crash.
type Ledger struct {
	begun time.Time

	mu    sync.Mutex
	asks  []*Ask
	lines *json.Encoder
	err   error // the first error of writing
}

// NewLedger returns an empty ledger that also writes to w.
func NewLedger(w io.Writer) *Ledger { return &Ledger{begun: time.Now(), lines: json.NewEncoder(w)} }

// Now returns the time of the ledger's clock, which never goes back.
func (l *Ledger) Now() time.Duration { return time.Since(l.begun) }

// Begin notes that a is asked for now, and returns the note.
func (l *Ledger) Begin(a Ask) *Ask {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.ID, a.Start, a.Answer = len(l.asks), l.Now(), Answer{}
	if !a.Due.IsZero() {
		a.DueAt = a.Due.Sub(l.begun)
	}
	l.asks = append(l.asks, &a)
	l.write(&a)
	return &a
}

// End notes the answer. It was given now, unless it says when.
func (l *Ledger) End(a *Ask, t Answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.End == 0 {
		t.End = l.Now()
	}
	a.Answer = t
	l.write(a)
}

func (l *Ledger) write(v any) {
	if err := l.lines.Encode(v); l.err == nil && err != nil {
		l.err = fmt.Errorf("write ledger: %w", err)
	}
}

// Asks returns a copy of everything that was noted so far.
func (l *Ledger) Asks() []Ask {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Ask, 0, len(l.asks))
	for _, a := range l.asks {
		out = append(out, *a)
	}
	return out
}

// AnsweredWith returns what was asked for after since and answered with this reason.
func (l *Ledger) AnsweredWith(since time.Duration, reason string) []Ask {
	return slices.DeleteFunc(l.Asks(), func(a Ask) bool { return a.Start <= since || a.Reason != reason })
}

// CountReplays returns how many answers were unknown, and how many were replays of what an unknown
// answer had left open. The replay of a key that is known to be done does not count, since no fault
// causes it.
func CountReplays(asks []Ask) (unknown, replayed int) {
	open := map[string]time.Duration{} // since when, by key
	for _, a := range asks {
		if a.Outcome == Unknown {
			unknown++
			if since, ok := open[a.Key]; !ok || a.End < since {
				open[a.Key] = a.End
			}
		}
	}
	for _, a := range asks {
		if since, ok := open[a.Key]; ok && a.Replayed && a.Start >= since {
			replayed++
		}
	}
	return unknown, replayed
}

// Err returns the first error of writing the file.
func (l *Ledger) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// never is later than everything in a run.
const never = time.Duration(1<<63 - 1)
