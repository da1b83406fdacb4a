package compose

import (
	"fmt"
	"slices"
	"time"

	"blog/internal/posts"
)

// Op is everything that was asked for and answered under one key, or one answer to a key that
// changed nothing.
type Op struct {
	Key, Post, Born string
	Kind            Kind
	Expected        int64
	Picture         string
	Due             time.Time
	DueAt           time.Duration
	Asked           time.Duration // when the key was asked for first
	Call, Done      time.Duration // it takes effect between these; Done is never for an Unknown outcome
	Outcome         Outcome
	// These are set when the outcome is OK.
	PostID, Revision, Seq int64
	Slug, Cursor          string
	State                 posts.State
	Unchanged             bool
	Asks                  int
	// Further means that the key has another Op: this answer changed nothing.
	Further bool
	// Readers are the browsers whose form was answered with "done", and when.
	Readers map[string]time.Duration
}

// Merge returns the Ops of each key, in the order of their first asks: one, and a further one for
// each other answer that has to be true at a moment of its own. It fails when answers under one key
// contradict each other. Answers to a key that was used for other content are checked by CheckKeys.
func Merge(asks []Ask) ([]Op, error) {
	byKey := map[string][]Ask{}
	var keys []string
	for _, a := range asks {
		if a.Variant != "" || a.Outcome == KeyUsed {
			continue
		}
		if byKey[a.Key] == nil {
			keys = append(keys, a.Key)
		}
		byKey[a.Key] = append(byKey[a.Key], a)
	}
	ops := make([]Op, 0, len(keys))
	for _, key := range keys {
		all, err := merge(byKey[key])
		if err != nil {
			return nil, err
		}
		ops = append(ops, all...)
	}
	return ops, nil
}

// changed reports whether a says that the write was carried out and has a row.
func changed(a Ask) bool { return a.Outcome == OK && !a.Unchanged }

// judged reports whether a says something about the post at a moment between Start and End, and
// changed nothing.
func judged(a Ask) bool {
	return a.Outcome == Conflict || a.Outcome == NotFound || a.Outcome == SlugUsed || a.Outcome == OK && a.Unchanged
}

func merge(asks []Ask) ([]Op, error) {
	first := asks[0]
	op := Op{
		Key: first.Key, Post: first.Post, Born: first.Born, Kind: first.Kind, Expected: first.Expected,
		Picture: first.Picture, Due: first.Due, DueAt: first.DueAt,
		Asked: first.Start, Call: first.Start, Done: never, Outcome: Refused, Asks: len(asks),
	}
	if op.Kind == Create {
		op.Born = op.Key
	}
	with := func(is func(Ask) bool) (found []Ask) {
		for _, a := range asks {
			if is(a) {
				found = append(found, a)
			}
		}
		slices.SortStableFunc(found, func(a, b Ask) int { return int(a.End - b.End) })
		return found
	}
	done, judgements := with(changed), with(judged)
	unknown := with(func(a Ask) bool { return a.Outcome == Unknown || a.Outcome == Pending })
	var all []Op
	switch {
	case len(done) > 0:
		if err := op.carriedOut(done, judgements); err != nil {
			return nil, err
		}
		all = append(all, op)
	case len(unknown) > 0 && (len(judgements) == 0 || op.Kind == Create):
		op.Outcome = Unknown
		all = append(all, op)
	case len(judgements) == 0:
		op.Done = first.End
		all = append(all, op)
	}
	// If an earlier ask had been carried out, this answer would be a replay, and a write that
	// expects an earlier revision can never be carried out. So such an answer is the only one of
	// its key. A slug, on the other hand, may become free.
	for _, a := range judgements {
		o := op
		o.Outcome, o.Unchanged, o.Call, o.Done, o.Further = a.Outcome, a.Unchanged, a.Start, a.End, len(all) > 0
		o.PostID, o.Revision, o.State, o.Slug, o.Cursor, o.Seq, o.Readers = a.PostID, a.Revision, a.State, a.Slug, "", 0, nil
		all = append(all, o)
	}
	return all, nil
}

// carriedOut makes op one that is done. A key that was carried out is replayed from then on, so any
// other answer to a later ask is wrong, and for a write that expects a revision any other earlier
// answer too.
func (op *Op) carriedOut(done, judgements []Ask) error {
	for _, a := range judgements {
		if op.Kind != Create || a.Start > done[0].End {
			return fmt.Errorf("key %s is done (%s) and was told as %s (%s)", op.Key, at(done[0]), a.Outcome, at(a))
		}
	}
	one := done[0]
	op.Outcome, op.Done = OK, one.End
	op.Revision, op.State, op.Slug, op.Cursor, op.Seq = one.Revision, one.State, one.Slug, one.Cursor, one.Seq
	for _, a := range done {
		if op.PostID == 0 { // the answer to a form does not say it
			op.PostID = a.PostID
		}
		if op.Cursor == "" { // nor its row, when it is a replay
			op.Cursor, op.Seq = a.Cursor, a.Seq
		}
		if a.Cursor != "" && a.Cursor != op.Cursor || a.PostID != 0 && a.PostID != op.PostID || a.Revision != op.Revision {
			return fmt.Errorf("key %s is done as row %s (post %d, revision %d; %s) and as row %s (post %d, revision %d; %s)",
				op.Key, op.Cursor, op.PostID, op.Revision, at(one), a.Cursor, a.PostID, a.Revision, at(a))
		}
		if a.Reader != "" {
			if op.Readers == nil {
				op.Readers = map[string]time.Duration{}
			}
			if since, ok := op.Readers[a.Reader]; !ok || a.End < since {
				op.Readers[a.Reader] = a.End
			}
		}
		// The answer to a form does not say whether it is a replay; that its row is the same shows
		// it. A picture may be stored any number of times.
		if a.Reader == "" && op.Kind != Upload && !a.Replayed && a.Start > op.Done {
			return fmt.Errorf("key %s is done (%s) and was carried out again (%s)", op.Key, at(one), at(a))
		}
	}
	return nil
}

// byKey returns the op of each key.
func byKey(ops []Op) map[string]Op {
	all := map[string]Op{}
	for _, op := range ops {
		if !op.Further {
			all[op.Key] = op
		}
	}
	return all
}

func at(a Ask) string {
	return fmt.Sprintf("on %s, %s to %s", a.Node, a.Start.Round(time.Millisecond), a.End.Round(time.Millisecond))
}
