package compose

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"blog/internal/repo"
)

// Kind is what a write does.
type Kind string

// The kinds: a post is made at revision 1, and each edit makes the next.
const (
	Create Kind = "create"
	Edit   Kind = "edit"
)

// Outcome is what a caller was told.
type Outcome string

// The outcomes.
const (
	Pending  Outcome = ""         // nothing yet
	OK       Outcome = "ok"       // done, and it will last
	Conflict Outcome = "conflict" // the post was not at the expected revision
	Refused  Outcome = "refused"  // not done, for another reason
	Unknown  Outcome = "unknown"  // nobody knows
)

// Ask is one request for a write and what was told. A key may be asked for
// several times, on any node.
type Ask struct {
	ID    int    `json:"id"`
	Fault string `json:"fault"` // what was going on
	Node  string `json:"node"`
	Key   string `json:"key"`
	Kind  Kind   `json:"kind"`
	Post  string `json:"post"` // the post's name, which its title has from the start
	// Expected is the revision that an edit was made from.
	Expected int64         `json:"expected,omitempty"`
	Start    time.Duration `json:"start"` // since the ledger's beginning
	Limit    time.Duration `json:"limit"` // how long the caller would wait

	Told
}

// Told is the answer to an Ask.
type Told struct {
	Outcome   Outcome        `json:"outcome,omitempty"`
	End       time.Duration  `json:"end,omitempty"`
	Code      repo.Code      `json:"code,omitempty"`
	Reason    string         `json:"reason,omitempty"`
	Message   string         `json:"message,omitempty"`
	PostID    int64          `json:"post_id,omitempty"`
	Slug      string         `json:"slug,omitempty"`
	Revision  int64          `json:"revision,omitempty"`
	Cursor    string         `json:"cursor,omitempty"`
	Seq       int64          `json:"seq,omitempty"`
	Replayed  bool           `json:"replayed,omitempty"`
	Assurance repo.Assurance `json:"durability,omitempty"`
}

// TellError returns what err says. Only a refusal of the primary is one: what
// may hide a lost answer is Unknown.
func TellError(err error) Told {
	e := repo.AsError(err)
	t := Told{Outcome: Refused, Code: e.Code, Reason: e.Reason, Message: err.Error()}
	switch {
	case e.Code == repo.Conflict && e.Reason != repo.KeyReused:
		t.Outcome = Conflict
	case e.Reason == repo.OutcomeUnknown, e.Code == repo.Internal:
		t.Outcome = Unknown
	}
	return t
}

// Ledger holds every Ask, in memory and as JSON lines in a file: one when it is
// asked and one when it is answered, so that what a crash leaves is all there.
type Ledger struct {
	begun time.Time

	mu    sync.Mutex
	asks  []*Ask
	lines *json.Encoder
	err   error // the first of writing
}

// NewLedger returns an empty ledger that also writes to w.
func NewLedger(w io.Writer) *Ledger { return &Ledger{begun: time.Now(), lines: json.NewEncoder(w)} }

// Now is the ledger's clock, which never goes back.
func (l *Ledger) Now() time.Duration { return time.Since(l.begun) }

// Begin notes that a is being asked for now, and returns the note.
func (l *Ledger) Begin(a Ask) *Ask {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.ID, a.Start, a.Told = len(l.asks), l.Now(), Told{}
	l.asks = append(l.asks, &a)
	l.write(&a)
	return &a
}

// End notes what was told.
func (l *Ledger) End(a *Ask, t Told) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.End = l.Now()
	a.Told = t
	l.write(a)
}

func (l *Ledger) write(v any) {
	if err := l.lines.Encode(v); l.err == nil && err != nil {
		l.err = fmt.Errorf("write ledger: %w", err)
	}
}

// Asks returns a copy of all that is noted so far.
func (l *Ledger) Asks() []Ask {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Ask, 0, len(l.asks))
	for _, a := range l.asks {
		out = append(out, *a)
	}
	return out
}

// Told returns what was asked for after since and told for that reason.
func (l *Ledger) Told(since time.Duration, reason string) []Ask {
	return slices.DeleteFunc(l.Asks(), func(a Ask) bool { return a.Start <= since || a.Reason != reason })
}

// Settled is how many answers of a list were unknown, and how many told, as replayed, what
// an earlier unknown had left open. That a key that is known to be done is replayed, when it
// is asked for once more, has nothing to do with any fault.
func Settled(asks []Ask) (unknown, replayed int) {
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

// Err returns what kept the file from being written.
func (l *Ledger) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// never is later than everything in a run.
const never = time.Duration(1<<63 - 1)

// Op is all that was asked and told with one key.
type Op struct {
	Key, Post  string
	Kind       Kind
	Expected   int64
	Call, Done time.Duration // it takes effect between these; Done is never for what is Unknown
	Outcome    Outcome
	// With OK.
	PostID, Revision, Seq int64
	Slug, Cursor          string
	Asks                  int
}

// Merge makes one Op of each key, in the order of their first asks. An error says
// that what was told with one key contradicts itself.
func Merge(asks []Ask) ([]Op, error) {
	byKey := map[string][]Ask{}
	var keys []string
	for _, a := range asks {
		if byKey[a.Key] == nil {
			keys = append(keys, a.Key)
		}
		byKey[a.Key] = append(byKey[a.Key], a)
	}
	ops := make([]Op, 0, len(keys))
	for _, key := range keys {
		op, err := merge(byKey[key])
		if err != nil {
			return nil, err
		}
		ops = append(ops, op)
	}
	return ops, nil
}

func merge(asks []Ask) (Op, error) {
	first := asks[0]
	op := Op{
		Key: first.Key, Post: first.Post, Kind: first.Kind, Expected: first.Expected,
		Call: first.Start, Done: never, Outcome: Refused, Asks: len(asks),
	}
	with := func(o Outcome) (found []Ask) {
		for _, a := range asks {
			if a.Outcome == o {
				found = append(found, a)
			}
		}
		slices.SortStableFunc(found, func(a, b Ask) int { return int(a.End - b.End) })
		return found
	}
	done, conflicts := with(OK), with(Conflict)
	switch {
	case len(done) > 0 && len(conflicts) > 0:
		// A key that was carried out is replayed, and an edit from a revision
		// that is gone can never be carried out.
		return op, fmt.Errorf("key %s is done (%s) and in conflict (%s)", op.Key, at(done[0]), at(conflicts[0]))
	case len(done) > 0:
		op.Outcome, op.Done = OK, done[0].End
		op.PostID, op.Revision, op.Slug, op.Cursor, op.Seq = done[0].PostID, done[0].Revision, done[0].Slug, done[0].Cursor, done[0].Seq
		for _, a := range done[1:] {
			if a.Cursor != op.Cursor || a.PostID != op.PostID || a.Revision != op.Revision {
				return op, fmt.Errorf("key %s is done as row %s (post %d, revision %d; %s) and as row %s (post %d, revision %d; %s)",
					op.Key, op.Cursor, op.PostID, op.Revision, at(done[0]), a.Cursor, a.PostID, a.Revision, at(a))
			}
		}
		for _, a := range done {
			if !a.Replayed && a.Start > op.Done {
				return op, fmt.Errorf("key %s is done (%s) and was carried out again (%s)", op.Key, at(done[0]), at(a))
			}
		}
	case len(conflicts) > 0:
		// This very answer is what has its place in the history: had an earlier
		// ask been carried out, this one would have been replayed.
		op.Outcome, op.Call, op.Done = Conflict, conflicts[0].Start, conflicts[0].End
	case len(with(Unknown))+len(with(Pending)) > 0:
		op.Outcome = Unknown
	default:
		op.Done = first.End
	}
	return op, nil
}

func at(a Ask) string {
	return fmt.Sprintf("on %s, %s to %s", a.Node, a.Start.Round(time.Millisecond), a.End.Round(time.Millisecond))
}
