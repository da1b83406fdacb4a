// Package ui owns what the blog looks like: templ components, one a file, and the structs that fill
// them. It knows no database, no router and no other package of the blog: its input is strings,
// numbers and times, and its output is HTML. The same input gives the same bytes on every node,
// because the package reads no clock, no random number and no environment.
package ui

import "time"

// Blog is what every page shows of the blog itself.
type Blog struct {
	Title       string
	Description string
	// Location is the time zone in which dates are shown; nil means UTC.
	Location *time.Location
}

// User is the author who is signed in.
type User struct {
	Name  string
	Email string
}

// Names for Page.Active, which is the entry of the navigation for the current page.
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
	// LiveList keeps the first page of a list up to date: cards appear, move and disappear.
	LiveList = "list"
	// LiveNotice only shows a notice that the list has changed. It is for further pages.
	LiveNotice = "notice"
	// LivePost replaces the article in place.
	LivePost = "post"
	// LiveRefetch fetches the page's own address again and merges its <main>. It is for pages that
	// show more than their frames contain, such as tags with counts, or a filter by several tags.
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
	Canonical   string // absolute address; "" leaves the link out
	Lang        string // BCP 47; "" means "en"
	Blog        Blog
	User        *User  // nil for anonymous readers
	Active      string // NavPosts, ...
	Live        *Live  // nil when the page does not change by itself
	FeedURL     string // "" means "/feed.xml"
	AssetBase   string // "/assets/<hash>/"
	Flash       string // a message about what has just been done
	NoIndex     bool   // asks search engines not to index the page
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
	Pinned         int64 // the post with the largest number comes first; 0 when the post is not pinned
}

// List is the live list of cards that several pages show.
type List struct {
	Topic string // the topic that it follows: "posts" or "tag:LABEL"
	Cards []Card
	Limit int  // most cards on a page
	More  bool // there are posts older than the last card
}

// Pager links to the neighbouring pages of a list.
type Pager struct {
	Number, Total int
	Newer, Older  string // addresses; "" when there is none
}

// TagCount is a tag and the number of visible posts that have it.
type TagCount struct {
	Label string
	Count int
}

// TagFilter is a filter above the list. Following URL adds the tag to the filters, or removes it.
type TagFilter struct {
	Label  string
	URL    string
	Active bool
}

// Link is a title with an address.
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
	Clear   string // address without filters; "" when there are none
	Pager   Pager
}

// Heading is an entry of a table of contents.
type Heading struct {
	Level int // 1 to 6, as in the document
	ID    string
	Text  string
}

// Post is a post in full. It has only what is the same for every reader, because Article is also
// pushed over sockets.
type Post struct {
	ID             int64
	Slug           string
	Title          string
	Description    string
	Author         string
	PublishedAt    time.Time // zero when not published; then no date is shown
	UpdatedAt      time.Time // zero when it is not shown
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
	EditURL string // for authors; "" leaves the link out
	Status  string // for authors: "Draft", "Scheduled for ..."; "" when public
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

// ArchiveYear is the posts of one year in the blog's zone, newest first.
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

// Segment is a piece of the text of a search result.
type Segment struct {
	Text string
	Hit  bool // whether it is what was searched for
}

// Result is a post that a search found.
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
	Message string // why nothing was searched for, or how the query was understood
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
	// RetryAfter is in seconds. The page says when to try again and, if that is safe (RetryURL),
	// links there. 0 leaves it out.
	RetryAfter int
	RetryURL   string
	// Key is the key of a write whose outcome is unknown, with which to ask again.
	Key string
}
