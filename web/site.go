// Package web is the site: router, handlers, cookies and the cache of rendered pages. It turns
// requests into queries and commands of the packages below, and their results into components of
// web/ui. It has no SQL and decides nothing about a write: the command checks what has to be
// checked.
package web

import (
	"cmp"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/a-h/templ"

	"blog/internal/accounts"
	"blog/internal/repo"
	"blog/internal/transport"
	"blog/web/assets"
	"blog/web/ui"
)

// Config is the name and the address of the site.
type Config struct {
	Title, Description string
	Language           string         // BCP 47
	Location           *time.Location // time zone of days and of the editor
	Zone               string         // its name, as the editor shows it
	PublicURL          *url.URL       // base of absolute addresses, which never come from Host
	ClientIPHeader     string         // header that a proxy sets; "" without a proxy
}

// Options is what New needs.
type Options struct {
	Config   Config
	Repo     *repo.Repo
	Accounts *accounts.Service
	Assets   *assets.Set
	Secret   string // signs the position cookie; the same on every node
	Now      func() time.Time
	Logger   *slog.Logger
	// Limit is how long a request may wait for its write; 0 means 30 s.
	Limit time.Duration
	// CatchUp is how long a request waits for the reader's position; 0 means 2 s.
	CatchUp time.Duration
	// NotYet returns why this node should get no readers yet although it could serve them, or "".
	// When NotYet is nil there is never a reason.
	NotYet func() string
	// SearchLimit is how long a search may take, and wait for its turn; 0 means 1 s.
	SearchLimit time.Duration
}

// Site is the blog as browsers see it.
type Site struct {
	Config
	repo     *repo.Repo
	accounts *accounts.Service
	assets   *assets.Set
	signer   signer
	caches   caches
	fixed    fixed
	ids      requestIDs
	now      func() time.Time
	log      *slog.Logger
	limit    time.Duration
	patience time.Duration
	limiters limiters
	pictures *transport.Bodies // forms with pictures that are read or stored now
	leaving  atomic.Bool
	arrived  atomic.Bool   // this node has had a database from which pages can be made
	stale    atomic.Uint64 // answers that said that something is missing
	absent   absent
	notYet   func() string
	// readiness is the result of the last request for it.
	readiness atomic.Pointer[readiness]
	// wrap, which only tests set, gets each component before it is rendered.
	wrap func(path string, c templ.Component) templ.Component
}

// New returns the site. Attach its Cache to the feed before anything that sends changes to browsers, then serve
// Handler.
func New(o Options) *Site {
	if o.NotYet == nil {
		o.NotYet = func() string { return "" }
	}
	return &Site{
		Config: o.Config, notYet: o.NotYet, repo: o.Repo, accounts: o.Accounts, assets: o.Assets, signer: newSigner(o.Secret),
		caches: caches{pages: newCache(pageBytes), searches: newCache(searchBytes)},
		fixed:  newFixed(o.Config.PublicURL.Scheme == "https"), ids: newRequestIDs(), now: o.Now, log: o.Logger,
		limit:    cmp.Or(o.Limit, defaultLimit),
		pictures: transport.NewBodies(maxPictures),
		patience: cmp.Or(o.CatchUp, repo.ReadableWithin), limiters: newLimiters(cmp.Or(o.SearchLimit, defaultSearchLimit)),
	}
}

// Cache returns the tail that removes pages from the caches when a write touches them.
func (s *Site) Cache() repo.Tail { return s.caches }

// secure reports whether browsers reach the site over https.
func (s *Site) secure() bool { return s.PublicURL.Scheme == "https" }

// cookieName returns the name with the prefix that binds a cookie to this host. Browsers accept the
// prefix only over https.
func (s *Site) cookieName(name string) string {
	if s.secure() {
		return "__Host-" + name
	}
	return name
}

// absolute returns the public address of a path.
func (s *Site) absolute(path string) string {
	return strings.TrimSuffix(s.PublicURL.String(), "/") + path
}

// page returns the frame of a page for this request.
func (s *Site) page(r *http.Request, title, active string) ui.Page {
	p := ui.Page{
		Title: title, Lang: s.Language, Active: active, AssetBase: s.assets.Base(), FeedURL: "/feed.xml",
		Blog: ui.Blog{Title: s.Title, Description: s.Description, Location: s.Location},
	}
	if u, ok := userOf(r.Context()); ok {
		p.User = &ui.User{Name: u.user.Name, Email: u.user.Email}
	}
	return p
}

func (s *Site) blog() ui.Blog {
	return ui.Blog{Title: s.Title, Description: s.Description, Location: s.Location}
}
