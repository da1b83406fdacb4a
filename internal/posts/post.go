package posts

import (
	"strconv"
	"time"

	"blog/internal/apperr"
)

// State says who sees a post.
type State string

// The states of a post.
const (
	Draft     State = "draft"     // authors only
	Scheduled State = "scheduled" // authors only, until the primary releases it at its date
	Published State = "published" // everybody
)

// Heading is an entry of a post's table of contents.
type Heading struct {
	Level int    `json:"level"` // 2 to 6
	ID    string `json:"id"`    // id attribute of the element, with the prefix
	Text  string `json:"text"`
}

// Card is what a list shows of a post.
type Card struct {
	ID          int64
	Slug        string
	Title       string
	Description string
	Excerpt     string // plain text
	Author      string // name
	State       State
	PublishedAt time.Time // UTC; zero for a draft without a date
	UpdatedAt   time.Time // UTC
	Minutes     int       // reading time
	Labels      []string
	Revision    int64
	Pinned      int64 // the post with the largest number comes first; 0 when the post is not pinned
}

// Post is a post with its text and everything that its page shows.
type Post struct {
	Card
	AuthorID    int64
	AuthorEmail string
	Body        string // Markdown
	HTML        string // sanitised
	Headings    []Heading
	Permalinks  []string
	CreatedAt   time.Time
}

// Visible reports whether readers see the post.
func (c Card) Visible() bool { return c.State == Published }

// Subject returns the name by which the topics of lists refer to the post: its id.
func (c Card) Subject() string { return strconv.FormatInt(c.ID, 10) }

// Topic is the topic of the list of all posts.
const Topic = "posts"

// PostTopic returns the topic of the page of the post with this slug.
func PostTopic(slug string) string { return "post:" + slug }

// Ref is the result of the commands. It is small, because the history stores it.
type Ref struct {
	ID       int64  `json:"id"`
	Slug     string `json:"slug"`
	State    State  `json:"state"`
	Revision int64  `json:"revision"`
	// Unchanged is true when the command had nothing to change.
	Unchanged bool `json:"unchanged,omitempty"`
}

// RevisionMismatch is the reason of the Conflict error when the post has another revision than the
// caller saw.
const RevisionMismatch = "revision"

// conflict returns the Conflict error for a post that is at revision have.
func conflict(have int64) error {
	return &apperr.Error{
		Code: apperr.Conflict, Reason: RevisionMismatch,
		Message: "The post was changed by somebody else meanwhile (it is at revision " + strconv.FormatInt(have, 10) +
			" now). Nothing was overwritten.",
	}
}
