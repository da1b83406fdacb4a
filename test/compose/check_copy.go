package compose

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"blog/internal/media"
	"blog/internal/posts"
	"blog/internal/repo"
)

// CheckCopy compares a copy with what the writers were told. An acknowledged write is there exactly once, as the answer
// says, by the execution that was acknowledged, and a refused one is not there. The rows of a post, in their order, are
// its revisions 1, 2, 3 and so on up to the one that it has.
func CheckCopy(c *Copy, ops []Op) error {
	var wrong []string
	note := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	rows := map[string][]WriteRow{}
	for _, w := range c.Writes {
		rows[w.Key] = append(rows[w.Key], w)
	}
	asked := byKey(ops)
	for _, op := range asked {
		has := rows[op.Key]
		switch {
		case op.Kind == Upload: // its chunks have keys of their own
		case len(has) > 1:
			note("key %s has %d rows", op.Key, len(has))
		case op.Outcome == OK && !op.Unchanged && len(has) == 0:
			note("key %s of post %s was acknowledged as row %d and is not there", op.Key, op.Post, op.Seq)
		case op.Outcome == OK && !op.Unchanged:
			w := has[0]
			if op.Seq != 0 && w.Seq != op.Seq || op.PostID != 0 && w.Result.ID != op.PostID || w.Result.Revision != op.Revision {
				note("key %s was told as row %d, post %d, revision %d, and is row %d, post %d, revision %d",
					op.Key, op.Seq, op.PostID, op.Revision, w.Seq, w.Result.ID, w.Result.Revision)
			}
			if mark := markIn(op.Cursor); op.Cursor != "" && mark != w.Mark {
				note("key %s was told with the mark %q, and row %d has the mark %q", op.Key, mark, w.Seq, w.Mark)
			}
		case op.Outcome != Unknown && len(has) > 0:
			note("key %s of post %s was told as %s and is row %d", op.Key, op.Post, op.Outcome, has[0].Seq)
		}
	}
	wrong = append(wrong, c.checkPosts(asked)...)
	return problems("the copy on "+c.Node, wrong)
}

// markIn returns the mark of a cursor in hex, or "" when it is no cursor. Another execution of a key has another mark,
// even where its row has the same number.
func markIn(cursor string) string {
	c, err := repo.ParseCursor(cursor)
	if err != nil {
		return ""
	}
	return hex.EncodeToString(c.Mark[:])
}

// made is what the rows of a post say about it.
type made struct {
	created WriteRow
	newest  WriteRow // row of the newest revision
	text    WriteRow // row of the newest text
	deleted bool
}

// made collects the rows of each post, and what is wrong with their order.
func (c *Copy) made() (all map[int64]made, wrong []string) {
	all = map[int64]made{}
	for _, w := range c.Writes {
		if !strings.HasPrefix(w.Name, "posts.") || w.Name == "posts.rerender" {
			continue
		}
		m := all[w.Result.ID]
		next := m.newest.Result.Revision + 1
		switch w.Name {
		case "posts.create":
			m.created, m.text = w, w
		case "posts.update":
			m.text = w
		case "posts.delete", "posts.release": // they raise no revision
			next--
			m.deleted = m.deleted || w.Name == "posts.delete"
		}
		if w.Result.Revision != next {
			wrong = append(wrong, fmt.Sprintf("row %d makes revision %d of post %d after %d", w.Seq, w.Result.Revision,
				w.Result.ID, m.newest.Result.Revision))
		}
		m.newest = w
		all[w.Result.ID] = m
	}
	return all, wrong
}

// checkPosts compares the posts with their rows, and the rows with what was asked for.
func (c *Copy) checkPosts(asked map[string]Op) []string {
	last, wrong := c.made()
	note := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for id, m := range last {
		if there := c.post(id) != nil; there == m.deleted {
			note("post %d is there: %t, and its rows say that it is deleted: %t", id, there, m.deleted)
		}
	}
	names := map[string]int64{}
	for _, p := range c.Posts {
		m, shown := last[p.ID], ShownIn(p.Title)
		if m.newest.Result.Revision != p.Revision {
			note("post %d is at revision %d, its newest row made %d", p.ID, p.Revision, m.newest.Result.Revision)
		}
		op, ok := asked[m.text.Key]
		if len(shown) != 1 || shown[0].Revision != m.text.Result.Revision || shown[0].Key != m.text.Key ||
			p.Body != Text(p.Title, op.Picture) {
			note("post %d at revision %d, with the text by %s, is %q with text %q", p.ID, p.Revision, m.text.Key, p.Title,
				p.Body)
			continue
		}
		if other := names[shown[0].Post]; other != 0 {
			note("post %s is there twice: %d and %d", shown[0].Post, other, p.ID)
		}
		names[shown[0].Post] = p.ID
		if !ok || op.Post != shown[0].Post {
			note("post %d is by %s, which nobody asked for", p.ID, m.text.Key)
		}
	}
	return wrong
}

// CheckTags checks that each post has the label of the write that its text comes from, and that
// each label has a post.
func CheckTags(c *Copy) error {
	var wrong []string
	carried := map[string]bool{}
	last, _ := c.made()
	for _, p := range c.Posts {
		want := []string{Tag(last[p.ID].text.Key)}
		if !slices.Equal(p.Labels, want) || !slices.Equal(p.Tagged, want) {
			wrong = append(wrong, fmt.Sprintf("post %d has the labels %q and the tags %q, want %q", p.ID, p.Labels, p.Tagged,
				want))
		}
		for _, label := range p.Tagged {
			carried[label] = true
		}
	}
	for _, label := range c.Tags {
		if !carried[label] {
			wrong = append(wrong, fmt.Sprintf("tag %s is there, and no post has it", label))
		}
	}
	return problems("tags on "+c.Node, wrong)
}

// CheckPictures checks that every acknowledged picture is stored as a whole, whichever posts with
// it were deleted, and that a post shows the picture that it was written with.
func CheckPictures(c *Copy, ops []Op) error {
	var wrong []string
	note := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	acknowledged := map[string]time.Duration{}
	for _, op := range ops {
		if op.Kind != Upload || op.Outcome != OK {
			continue
		}
		if since, ok := acknowledged[op.Picture]; !ok || op.Done < since {
			acknowledged[op.Picture] = op.Done
		}
		if p := c.Pictures[op.Picture]; !p.Complete || p.Sum != op.Picture {
			note("picture %.8s of %s was acknowledged and is there as %+v", op.Picture, op.Key, p)
		}
	}
	asked := byKey(ops)
	last, _ := c.made()
	for _, p := range c.Posts {
		op := asked[last[p.ID].text.Key]
		since, stored := acknowledged[op.Picture]
		shows := slices.Contains(p.Pictures, op.Picture) && strings.Contains(p.HTML, media.Address(op.Picture, pictureName))
		switch {
		case op.Picture == "" && len(p.Pictures) > 0:
			note("post %d by %s shows %q, and was written without a picture", p.ID, op.Key, p.Pictures)
		case op.Picture != "" && stored && since < op.Call && !shows:
			note("post %d by %s does not show %.8s: %q", p.ID, op.Key, op.Picture, p.Pictures)
		}
	}
	return problems("pictures on "+c.Node, wrong)
}

// Releases returns the rows that released scheduled posts, as ops for CheckRegisters. Each took
// effect between the call that made the post and end. It fails when a post was released twice for
// one date, or before its date by the database's own time.
func (c *Copy) Releases(ops []Op, end time.Duration) (out []Op, err error) {
	var wrong []string
	asked := byKey(ops)
	last, _ := c.made()
	seen := map[int64]int64{}
	for _, w := range c.Writes {
		if w.Name != "posts.release" {
			continue
		}
		created := last[w.Result.ID].created.Key
		op, ok := asked[created]
		switch {
		case strings.HasPrefix(created, byFault):
			continue
		case !ok || op.Due.IsZero():
			wrong = append(wrong, fmt.Sprintf("row %d brings post %d out, which was not scheduled", w.Seq, w.Result.ID))
			continue
		case seen[w.Result.ID] != 0:
			wrong = append(wrong, fmt.Sprintf("row %d brings post %s out, which row %d did already", w.Seq, op.Post,
				seen[w.Result.ID]))
		case w.At < repo.FormatTime(op.Due):
			wrong = append(wrong, fmt.Sprintf("row %d, of %s, brings post %s out, which is due at %s", w.Seq, w.At, op.Post,
				repo.FormatTime(op.Due)))
		}
		seen[w.Result.ID] = w.Seq
		out = append(out, Op{
			Key: w.Key, Post: op.Post, Born: op.Key, Kind: Release, Call: op.Call, Done: end, Outcome: OK,
			Revision: w.Result.Revision,
		})
	}
	return out, problems("scheduled posts on "+c.Node, wrong)
}

// CheckDue returns the scheduled posts that were not released long after their date.
func (c *Copy) CheckDue(now time.Time) error {
	var wrong []string
	for _, p := range c.Posts {
		if p.State == posts.Scheduled && p.PublishedAt < repo.FormatTime(now) {
			wrong = append(wrong, fmt.Sprintf("post %d was due at %s and is scheduled still", p.ID, p.PublishedAt))
		}
	}
	return problems("scheduled posts on "+c.Node, wrong)
}

// WithStates returns ops with the states that the copy's rows have, where the answer has none: for
// unknown outcomes and for forms.
func (c *Copy) WithStates(ops []Op) []Op {
	states := map[string]posts.State{}
	for _, w := range c.Writes {
		states[w.Key] = w.Result.State
	}
	out := slices.Clone(ops)
	for i := range out {
		if out[i].State == "" && (out[i].Outcome == Unknown || out[i].Outcome == OK && !out[i].Unchanged) {
			out[i].State = states[out[i].Key]
		}
	}
	return out
}

// CheckPage compares the list of posts on a node with the node's copy. cards are the cards of the
// list by their ids. The list has to show the newest posts, as the copy has them.
func CheckPage(c *Copy, cards map[string]string) error {
	var list []PostRow
	for _, p := range c.Posts {
		if p.State == posts.Published {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b PostRow) int {
		if a.PublishedAt != b.PublishedAt {
			return strings.Compare(b.PublishedAt, a.PublishedAt)
		}
		return int(b.ID - a.ID)
	})
	var wrong, missing []string
	shown := 0
	for _, p := range list {
		card, ok := cards[fmt.Sprintf("post-%d", p.ID)]
		if !ok {
			missing = append(missing, fmt.Sprintf("post %d (%s) is in the copy alone", p.ID, p.Title))
			continue
		}
		if shown++; !strings.Contains(card, p.Title) {
			wrong = append(wrong, fmt.Sprintf("post %d is %q there and %q in the copy", p.ID, card, p.Title))
		}
		wrong, missing = append(wrong, missing...), nil // an older post is shown
	}
	if len(cards) == 0 {
		wrong = append(wrong, missing...)
	}
	if shown < len(cards) {
		wrong = append(wrong, fmt.Sprintf("%d posts are not published in the copy", len(cards)-shown))
	}
	return problems("the page of "+c.Node, wrong)
}

// FinalStates returns the states of all posts that were asked for, as the copy has them, for
// CheckRegisters.
func (c *Copy) FinalStates(ops []Op, start, end time.Duration) []FinalState {
	var all []FinalState
	there := map[string]bool{}
	last, _ := c.made()
	for _, p := range c.Posts {
		for _, s := range ShownIn(p.Title) {
			there[s.Post] = true
			all = append(all, FinalState{
				Post: s.Post, Born: last[p.ID].created.Key, Revision: p.Revision, Key: s.Key, State: p.State,
				Start: start, End: end,
			})
		}
	}
	for _, op := range ops {
		if op.Post != "" && !there[op.Post] {
			there[op.Post] = true
			all = append(all, FinalState{Post: op.Post, Start: start, End: end})
		}
	}
	return all
}
