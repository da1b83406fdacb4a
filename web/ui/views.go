// Package ui owns what the blog looks like: templ components, one a file, and
// the plain structs that fill them. It knows no database, no router and no
// other package of the blog: strings, numbers and times come in, HTML goes
// out. The same input gives the same bytes on every node: nothing here reads a
// clock, a random number or the environment.
package ui

import "time"

// Blog is what every page says about the blog itself.
type Blog struct {
	Title       string
	Description string
	// Location is the zone that dates are shown in; nil means UTC.
	Location *time.Location
}

// User is the author who is signed in.
type User struct {
	Name  string
	Email string
}

// Names for Page.Active: the entry of the navigation that is the current page.
const (
	NavHome    = "home"
	NavPosts   = "posts"
	NavTags    = "tags"
	NavSearch  = "search"
	NavAdmin   = "admin"
	NavNew     = "new"
	NavAccount = "account"
)

// Modes of a live page: what its script does with a frame.
const (
	// LiveList keeps a list's first page up to date: cards come, move and go.
	LiveList = "list"
	// LiveNotice only says that the list has changed: pages beyond the first.
	LiveNotice = "notice"
	// LivePost replaces the article in place.
	LivePost = "post"
	// LiveRefetch fetches the page's own address and merges its <main>: for
	// pages whose frames do not carry all that they show (tags and counts, a
	// filter by several tags).
	LiveRefetch = "refetch"
)

// Live makes a page follow its topics over a websocket.
type Live struct {
	Topics []string // "posts", "tag:LABEL", "post:SLUG"
	Cursor string   // of the newest write that touched one of Topics
	Mode   string   // LiveList, LiveNotice, LivePost or LiveRefetch
}

// Page is the frame around every page.
type Page struct {
	Title       string // without the blog's name, which the frame adds
	Description string
	Canonical   string // absolute address; empty leaves the link out
	Lang        string // BCP 47; empty means "en"
	Blog        Blog
	User        *User  // nil for anonymous readers
	Active      string // NavPosts, ...
	Live        *Live  // nil: the page does not change by itself
	FeedURL     string // empty means "/feed.xml"
	AssetBase   string // "/assets/<hash>/"
	Flash       string // one message about what has just been done
	NoIndex     bool   // asks search engines to stay away
}

// Card is a post in a list.
type Card struct {
	ID             int64
	Slug           string
	Title          string
	Excerpt        string // plain text
	Author         string
	PublishedAt    time.Time
	ReadingMinutes int
	Tags           []string
}

// List is the live list of cards that several pages show.
type List struct {
	Topic string // the list topic it follows: "posts" or "tag:LABEL"
	Cards []Card
	Limit int  // most cards on a page
	More  bool // there are older posts than the last card
}

// Pager leads to the neighbouring pages of a list.
type Pager struct {
	Number, Total int
	Newer, Older  string // addresses; empty where there is none
}

// TagCount is a tag with the number of visible posts that carry it.
type TagCount struct {
	Label string
	Count int
}

// TagFilter is a chip above the list: following URL adds or removes the tag.
type TagFilter struct {
	Label  string
	URL    string
	Active bool
}

// Link is a title that leads somewhere.
type Link struct {
	Title string
	URL   string
}

// HomeView fills Home.
type HomeView struct {
	Page Page
	List List
	Tags []TagCount
}

// PostListView fills PostList.
type PostListView struct {
	Page    Page
	List    List
	Filters []TagFilter
	Clear   string // address without any filter; empty when none is on
	Pager   Pager
}

// Heading is an entry of a table of contents.
type Heading struct {
	Level int // 1 to 6, as in the document
	ID    string
	Text  string
}

// Post is one post in full. It holds only what is the same for every reader,
// since Article is also pushed over the socket.
type Post struct {
	ID             int64
	Slug           string
	Title          string
	Description    string
	Author         string
	PublishedAt    time.Time // zero: not published, no date is shown
	UpdatedAt      time.Time // zero: not shown
	ReadingMinutes int
	Tags           []string
	TOC            []Heading
	Body           string // sanitised HTML
}

// PostView fills PostPage.
type PostView struct {
	Page    Page
	Post    Post
	Newer   *Link
	Older   *Link
	EditURL string // for authors; empty leaves the link out
	Status  string // for authors: "Draft", "Scheduled for ..."; empty when public
}

// TagsView fills Tags.
type TagsView struct {
	Page Page
	Tags []TagCount
}

// TagView fills Tag.
type TagView struct {
	Page  Page
	Label string
	Count int
	List  List
	Pager Pager
}

// ArchiveView fills Archive.
type ArchiveView struct {
	Page  Page
	Years []ArchiveYear // newest first
}

// ArchiveYear is the posts of a year of the blog's zone, newest first.
type ArchiveYear struct {
	Year  int
	Posts []ArchivePost
}

// ArchivePost is a line of the archive.
type ArchivePost struct {
	ID          int64
	Slug        string
	Title       string
	PublishedAt time.Time
}

// Segment is a piece of a search result's text.
type Segment struct {
	Text string
	Hit  bool // it is what was searched for
}

// Result is a post that was found.
type Result struct {
	Slug        string
	Title       []Segment
	Snippet     []Segment
	PublishedAt time.Time
	Tags        []string
}

// SearchView fills Search.
type SearchView struct {
	Page    Page
	Query   string
	Message string // why nothing was searched for, or what was made of the query
	Total   int
	Results []Result
	Pager   Pager
}

// ErrorView fills Error, NotFound and OnItsWay.
type ErrorView struct {
	Page      Page
	Status    int
	Title     string
	Message   string
	RequestID string
	// RetryAfter in seconds: the page says when to try again and, where that
	// is safe (RetryURL), leads there; 0 says nothing.
	RetryAfter int
	RetryURL   string
	// Key of a write whose outcome is unknown, to ask again with.
	Key string
}
