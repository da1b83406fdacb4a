package compose

import (
	"fmt"
	"strings"
	"time"

	"blog/internal/repo"
)

// CheckCopies checks that all copies are one: the same position and checksum, and
// the same marks in the same order.
func CheckCopies(copies []*Copy) error {
	var wrong []string
	first := copies[0]
	for _, c := range copies[1:] {
		if c.Position != first.Position {
			wrong = append(wrong, fmt.Sprintf("%s is at %s, %s at %s", first.Node, first.Position, c.Node, c.Position))
		}
		if len(c.Writes) != len(first.Writes) {
			wrong = append(wrong, fmt.Sprintf("%s has %d writes, %s %d", first.Node, len(first.Writes), c.Node, len(c.Writes)))
		}
		for i := range min(len(c.Writes), len(first.Writes)) {
			if a, b := first.Writes[i], c.Writes[i]; a.Seq != b.Seq || a.Mark != b.Mark || a.Key != b.Key {
				wrong = append(wrong, fmt.Sprintf("write %d of %s is %d %s %.8s, of %s %d %s %.8s", i, first.Node, a.Seq, a.Key, a.Mark, c.Node, b.Seq, b.Key, b.Mark))
				break
			}
		}
	}
	return problems("copies", wrong)
}

// CheckCopy checks a copy against what the writers were told: what is done is
// there exactly once, as it was told, and what was refused is not; and the rows of
// a post, in their order, are its revisions 1, 2, 3 up to the one that it has.
func CheckCopy(c *Copy, ops []Op) error {
	var wrong []string
	note := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	rows := map[string][]WriteRow{}
	for _, w := range c.Writes {
		rows[w.Key] = append(rows[w.Key], w)
	}
	asked := map[string]Op{}
	for _, op := range ops {
		asked[op.Key] = op
		has := rows[op.Key]
		switch {
		case len(has) > 1:
			note("key %s has %d rows", op.Key, len(has))
		case op.Outcome == OK && len(has) == 0:
			note("key %s of post %s was acknowledged as row %d and is not there", op.Key, op.Post, op.Seq)
		case op.Outcome == OK:
			if w := has[0]; w.Seq != op.Seq || w.Result.ID != op.PostID || w.Result.Revision != op.Revision {
				note("key %s was told as row %d, post %d, revision %d, and is row %d, post %d, revision %d",
					op.Key, op.Seq, op.PostID, op.Revision, w.Seq, w.Result.ID, w.Result.Revision)
			}
		case op.Outcome != Unknown && len(has) > 0:
			note("key %s of post %s was told as %s and is row %d", op.Key, op.Post, op.Outcome, has[0].Seq)
		}
	}
	last := map[int64]WriteRow{}
	for _, w := range c.Writes {
		if w.Name != "posts.create" && w.Name != "posts.update" {
			continue
		}
		if before := last[w.Result.ID].Result.Revision; w.Result.Revision != before+1 {
			note("row %d makes revision %d of post %d after %d", w.Seq, w.Result.Revision, w.Result.ID, before)
		}
		last[w.Result.ID] = w
	}
	names := map[string]int64{}
	for _, p := range c.Posts {
		w, shown := last[p.ID], ShownIn(p.Title)
		if w.Result.Revision != p.Revision {
			note("post %d is at revision %d, its newest row made %d", p.ID, p.Revision, w.Result.Revision)
		}
		if len(shown) != 1 || shown[0].Revision != p.Revision || shown[0].Key != w.Key || p.Body != p.Title {
			note("post %d at revision %d by %s is %q with text %q", p.ID, p.Revision, w.Key, p.Title, p.Body)
			continue
		}
		if other := names[shown[0].Post]; other != 0 {
			note("post %s is there twice: %d and %d", shown[0].Post, other, p.ID)
		}
		names[shown[0].Post] = p.ID
		if op, ok := asked[w.Key]; !ok || op.Post != shown[0].Post {
			note("post %d is by %s, which nobody asked for", p.ID, w.Key)
		}
	}
	return problems("the copy on "+c.Node, wrong)
}

// CheckPage compares the list of posts on a node, whose cards are given by their ids, with
// the node's copy: it shows the newest posts, as they are there.
func CheckPage(c *Copy, cards map[string]string) error {
	var wrong []string
	oldest, shown := oldestOf(cards), 0
	for _, p := range c.Posts {
		card, ok := cards[fmt.Sprintf("post-%d", p.ID)]
		switch {
		case ok && !strings.Contains(card, p.Title):
			wrong = append(wrong, fmt.Sprintf("post %d is %q there and %q in the copy", p.ID, card, p.Title))
		case !ok && p.ID > oldest:
			wrong = append(wrong, fmt.Sprintf("post %d (%s) is in the copy alone", p.ID, p.Title))
		}
		if ok {
			shown++
		}
	}
	if shown < len(cards) {
		wrong = append(wrong, fmt.Sprintf("%d posts are not in the copy", len(cards)-shown))
	}
	return problems("the page of "+c.Node, wrong)
}

// Looks are the final states of all posts, as a copy has them, for CheckRegisters.
func (c *Copy) Looks(start, end time.Duration) []Look {
	var all []Look
	for _, p := range c.Posts {
		for _, s := range ShownIn(p.Title) {
			all = append(all, Look{Post: s.Post, Revision: s.Revision, Key: s.Key, Start: start, End: end})
		}
	}
	return all
}

// CheckAnswers finds what no fault explains: a refusal that is neither a conflict
// nor for the time being, nor the one that fault o is about.
func CheckAnswers(asks []Ask) error {
	var wrong []string
	for _, a := range asks {
		if a.Reason == repo.BadSecret && strings.HasPrefix(a.Fault, "o.") {
			continue
		}
		if a.Outcome == Refused && a.Code != repo.Unavailable {
			wrong = append(wrong, fmt.Sprintf("[%s] %s of %s (%s) was refused: %s", a.Fault, a.Kind, a.Post, at(a), a.Message))
		}
		if a.Code == repo.Internal {
			wrong = append(wrong, fmt.Sprintf("[%s] %s of %s (%s) met a fault of the program: %s", a.Fault, a.Kind, a.Post, at(a), a.Message))
		}
	}
	return problems("answers", wrong)
}
