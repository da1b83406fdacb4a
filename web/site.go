// Package web is the site: router, handlers, cookies and the cache of rendered
// pages. It turns requests into queries and commands of the packages below and
// their answers into the components of web/ui. It holds no SQL and decides
// nothing about a write: what must be checked is checked by the command.
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
	"blog/web/assets"
	"blog/web/ui"
)

// Config says what the site is called and where it is.
type Config struct {
	Title, Description string
	Language           string         // BCP 47
	Location           *time.Location // the zone of days and of the editor
	Zone               string         // its name, as the editor shows it
	PublicURL          *url.URL       // absolute addresses come from here, never from Host
	ClientIPHeader     string         // names the header that a proxy sets; "" for none
}

// Options are what New needs.
type Options struct {
	Config   Config
	Repo     *repo.Repo
	Accounts *accounts.Service
	Assets   *assets.Set
	Secret   string // signs the position cookie; the same on every node
	Now      func() time.Time
	Logger   *slog.Logger
	// Limit is how long a request may wait for its write; 30 s when 0.
	Limit time.Duration
	// CatchUp is how long a reader's position is waited for; 2 s when 0.
	CatchUp time.Duration
	// NotYet says why this node is not to be given readers yet although it could serve
	// them, "" when it is. Nil: always.
	NotYet func() string
	// SearchLimit is how long a search may take, and wait for its turn; 1 s when 0.
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
	lanes    lanes
	pictures *repo.Bodies // forms with pictures that are being read or stored
	leaving  atomic.Bool
	arrived  atomic.Bool   // this node has had a database that pages can be made of
	stale    atomic.Uint64 // answers that said that something is missing
	absent   absent
	notYet   func() string
	// told is the readiness that was asked for last.
	told atomic.Pointer[readiness]
	// wrap, of the tests, gets each component that is about to be rendered. Nil: none does.
	wrap func(path string, c templ.Component) templ.Component
}

// New returns the site. Attach its Cache to the feed before anything that tells
// browsers of changes, then serve Handler.
func New(o Options) *Site {
	if o.NotYet == nil {
		o.NotYet = func() string { return "" }
	}
	return &Site{
		Config: o.Config, notYet: o.NotYet, repo: o.Repo, accounts: o.Accounts, assets: o.Assets, signer: newSigner(o.Secret),
		caches: caches{pages: newCache(pageBytes), searches: newCache(searchBytes)},
		fixed:  newFixed(o.Config.PublicURL.Scheme == "https"), ids: newRequestIDs(), now: o.Now, log: o.Logger, limit: cmp.Or(o.Limit, defaultLimit),
		pictures: repo.NewBodies(maxPictures),
		patience: cmp.Or(o.CatchUp, catchUp), lanes: newLanes(cmp.Or(o.SearchLimit, defaultSearchLimit)),
	}
}

// Cache is the tail that keeps rendered pages as fresh as the database.
func (s *Site) Cache() repo.Tail { return s.caches }

// secure reports whether browsers reach the site over https.
func (s *Site) secure() bool { return s.PublicURL.Scheme == "https" }

// cookieName has the prefix that binds a cookie to this very host where browsers
// take it, which is over https.
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

// page is the frame of a page for this request.
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
