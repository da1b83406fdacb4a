package ui

import "time"

// Form is what every form needs: where it is sent, and what was wrong with it.
type Form struct {
	Action  string
	Message string            // about the whole form
	Errors  map[string]string // by the name of the field
}

// LoginView fills Login. Fields: email, password, next.
type LoginView struct {
	Page  Page
	Form  Form
	Email string // as typed
	Next  string // where to go afterwards, a path
}

// SetupView fills Setup. Fields: token, email, name, password.
type SetupView struct {
	Page  Page
	Form  Form
	Token string // of the one-time link
	Email string
	Name  string
}

// Session is one place where the author is signed in.
type Session struct {
	Label     string // what the browser calls itself
	CreatedAt time.Time
	ExpiresAt time.Time
	Current   bool
}

// AccountView fills Account. Fields of Password: current, password. The other forms are one button
// each.
type AccountView struct {
	Page            Page
	Name, Email     string
	Password        Form
	LogoutAll       Form
	Renew           Form
	Sessions        []Session
	MinPasswordLen  int
	PasswordChanged bool
}

// AdminPost is a line of the admin's list. Its form has the fields do (publish, unpublish, pin or unpin),
// revision and key.
type AdminPost struct {
	ID        int64
	Title     string
	Slug      string
	At        time.Time // published, due or last edited, depending on the group
	Author    string
	Tags      []string
	Pinned    bool
	ViewURL   string // "" when there is nothing to see yet
	EditURL   string
	DeleteURL string // the page that asks for confirmation
	Action    string
	Revision  string
	Key       string
}

// AdminView fills Admin.
type AdminView struct {
	Page      Page
	Message   string // about a refused action
	Drafts    []AdminPost
	Scheduled []AdminPost
	Published []AdminPost
	NewURL    string
	Pager     Pager // of the published posts
}

// States of a post in the editor.
const (
	StatusDraft     = "draft"
	StatusScheduled = "scheduled"
	StatusPublished = "published"
)

// Upload is a stored picture, with the Markdown that shows it.
type Upload struct {
	Name     string
	URL      string
	Markdown string
}

// Preview is the post as readers would see it.
type Preview struct {
	Post Post
}

// Warning names what of a text is not shown.
type Warning struct {
	Line int // of the text, from 1
	Text string
}

// EditorView fills Editor. Fields: title, slug, description, tags, body,
// published_at, revision, key, image (a file) and do, which is save, publish,
// schedule, unpublish, delete, preview or upload. All text is as typed.
type EditorView struct {
	Page        Page
	Form        Form
	New         bool
	DraftKey    string // names the browser's own copy: "new" or the post's id
	Status      string // StatusDraft, ...; "" when it is not known
	Title       string
	Slug        string
	Description string
	Tags        string // separated by commas
	Body        string
	PublishedAt string // 2006-01-02T15:04 in the zone Zone
	Zone        string // name of the zone of PublishedAt, as shown
	Revision    string
	Key         string
	ViewURL     string // where the post is read; "" when it is not public
	Unavailable bool   // 503: nothing was saved, the text is still in the form
	SignedOut   bool   // the session has ended: nothing was saved, the text is still in the form
	Saved       bool   // the last request has saved it, so the browser's copy may be deleted
	Preview     *Preview
	Warnings    []Warning // what of Body is not shown to readers
	Uploads     []Upload
	// UploadURL is where the editor's script stores a picture, with progress. "" leaves uploads to
	// the form.
	UploadURL string
}

// Kinds of DiffLine.
const (
	DiffSame   = "same"
	DiffMine   = "mine"
	DiffTheirs = "theirs"
	// DiffSkip stands for equal lines that are left out. Text says how many.
	DiffSkip = "skip"
)

// DiffLine is a line of the difference between two versions.
type DiffLine struct {
	Kind string // DiffSame, DiffMine, DiffTheirs or DiffSkip
	Text string
}

// Version is one side of a conflict.
type Version struct {
	Title       string
	Slug        string
	Description string
	Tags        string
	Body        string
	PublishedAt string
}

// ConflictView fills Conflict. Its form has the fields of the editor and is sent to the editor's
// action. Revision is the newer one, so that sending the form again overwrites knowingly.
type ConflictView struct {
	Page      Page
	Form      Form
	Mine      Version
	Theirs    Version
	TheirsBy  string
	TheirsAt  time.Time
	TheirsURL string // the editor with their version
	Diff      []DiffLine
	Do        string // what was asked for: save, publish, ...
	Zone      string
	Revision  string
	Key       string
	DraftKey  string
}

// DeleteView fills DeleteConfirm. Fields: revision, key, do=delete.
type DeleteView struct {
	Page      Page
	Form      Form
	Title     string
	URL       string // where the post is read now; "" when it is not public
	CancelURL string
	Revision  string
	Key       string
}
