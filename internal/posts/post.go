package posts

import (
	"strconv"
	"time"

	"blog/internal/repo"
)

// State says who sees a post.
type State string

// The states.
const (
	Draft     State = "draft"     // authors only
	Scheduled State = "scheduled" // authors only, until the primary releases it at its date
	Published State = "published" // everybody
)

// Heading is an entry of a post's table of contents.
type Heading struct {
	Level int    `json:"level"` // 2 to 6
	ID    string `json:"id"`    // of the element, with its prefix
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
}

// Post is a whole post.
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

// Subject is the post's name in the topics of lists.
func (c Card) Subject() string { return strconv.FormatInt(c.ID, 10) }

// Topic is the topic of the list of all posts.
const Topic = "posts"

// PostTopic is the topic of one post's page.
func PostTopic(slug string) string { return "post:" + slug }

// Ref is the result of the commands: what the history keeps of a post.
type Ref struct {
	ID       int64  `json:"id"`
	Slug     string `json:"slug"`
	State    State  `json:"state"`
	Revision int64  `json:"revision"`
	// Unchanged is set when there was nothing to do.
	Unchanged bool `json:"unchanged,omitempty"`
}

// RevisionMismatch is the reason of the Conflict error of a command whose caller
// saw another revision of the post than there is.
const RevisionMismatch = "revision"

func conflict(have int64) error {
	return &repo.Error{Code: repo.Conflict, Reason: RevisionMismatch, Message: "The post was changed by somebody else meanwhile (it is at revision " + strconv.FormatInt(have, 10) + " now). Nothing was overwritten."}
}
