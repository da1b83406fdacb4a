package foreign

import (
	"cmp"
	"fmt"
	"html"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"blog/internal/frontmatter"
)

// ghost is an export of Ghost's: the tables of its database.
type ghost struct {
	file  io.ReaderAt
	opt   Options
	site  *site
	found bool
	refs  []ghostRef
	users map[string]string   // an e-mail address or name, by id
	tags  map[string]ghostTag // by id
	meta  map[string]ghostMeta
	has   map[string][]ghostLink // tags by post
	by    map[string][]ghostLink // authors by post
	// permalinks is the form of addresses in versions that say it.
	permalinks string
	// doubt is why it cannot be told of any post who may read it.
	doubt string
}

type ghostRef struct {
	place
	id, slug, title string
	page            bool
}

// ghostPost is a row of the table posts.
type ghostPost struct {
	ID         loose  `json:"id"`
	Title      loose  `json:"title"`
	Slug       loose  `json:"slug"`
	Type       scalar `json:"type"`
	Page       scalar `json:"page"`
	Status     loose  `json:"status"`
	Visibility scalar `json:"visibility"`
	EmailOnly  scalar `json:"email_only"`
	Published  loose  `json:"published_at"`
	Featured   loose  `json:"featured"`
	Created    loose  `json:"created_at"`
	Excerpt    loose  `json:"custom_excerpt"`
	Meta       loose  `json:"meta_description"`
	Image      loose  `json:"feature_image"`
	OldImage   loose  `json:"image"`
	AuthorID   loose  `json:"author_id"`
	Head       loose  `json:"codeinjection_head"`
	Foot       loose  `json:"codeinjection_foot"`
	ghostBody
}

// ghostBody is the text of a post in the forms that Ghost has had.
type ghostBody struct {
	Lexical   loose `json:"lexical"`
	Mobiledoc loose `json:"mobiledoc"`
	HTML      loose `json:"html"`
	Markdown  loose `json:"markdown"`
}

type ghostTag struct {
	ID         loose  `json:"id"`
	Name       loose  `json:"name"`
	Visibility scalar `json:"visibility"`
	internal   bool   // readers do not see it
}

type ghostMeta struct {
	PostID    loose  `json:"post_id"`
	Alt       loose  `json:"feature_image_alt"`
	Caption   loose  `json:"feature_image_caption"`
	Meta      loose  `json:"meta_description"`
	EmailOnly scalar `json:"email_only"`
	doubt     bool   // a row of the post does not say that it is for more than readers by e-mail
}

// ghostLink is a row that joins a post with a tag or an author.
type ghostLink struct {
	PostID   loose `json:"post_id"`
	TagID    loose `json:"tag_id"`
	AuthorID loose `json:"author_id"`
	Order    loose `json:"sort_order"`
}

func newGhost(file io.ReaderAt, opt Options) *ghost {
	return &ghost{
		file: file, opt: opt, site: newSite(opt.Picture), users: map[string]string{}, tags: map[string]ghostTag{},
		meta: map[string]ghostMeta{}, has: map[string][]ghostLink{}, by: map[string][]ghostLink{},
	}
}

// isGhostPage reports whether a row is that of a page.
func isGhostPage(kind, page scalar) bool { return kind.text == "page" || !page.no() }

// open makes the index of what was found.
func (g *ghost) open(size int64) (*Export, error) {
	places, ids := make([]*place, len(g.refs)), make([]string, len(g.refs))
	for i := range g.refs {
		places[i], ids[i] = &g.refs[i].place, g.refs[i].id
		if g.doubt != "" {
			places[i].doubt = g.doubt
		}
	}
	doubtTwice(places, ids)
	if err := linesOf(g.file, size, places); err != nil {
		return nil, err
	}
	x := &Export{places: map[string]place{}, read: g.entry}
	slices.SortStableFunc(g.refs, func(a, b ghostRef) int {
		switch {
		case a.page == b.page:
			return 0
		case b.page:
			return -1
		}
		return 1
	})
	taken := newSlugs()
	for _, ref := range g.refs {
		old := ref.slug
		ref.place.slug = taken.pick(ref.id, ref.slug, plainText(ref.title))
		folder := "posts/"
		if ref.page {
			folder = "pages/"
		}
		ref.name = folder + ref.place.slug + ".md"
		x.names = append(x.names, ref.name)
		x.places[ref.name] = ref.place
		if old != "" {
			g.site.addEntry("/"+old+"/", target{slug: ref.place.slug}) // which has the slug in it
		}
	}
	for _, links := range []map[string][]ghostLink{g.has, g.by} {
		for _, rows := range links {
			slices.SortStableFunc(rows, func(a, b ghostLink) int {
				return cmp.Compare(number(string(a.Order)), number(string(b.Order)))
			})
		}
	}
	return x, nil
}

// entry reads one post.
func (g *ghost) entry(at place) (*post, error) {
	var row ghostPost
	whole, doubt, err := valueAt(g.file, at, &row, "type", "page", "status", "visibility", "email_only")
	if err != nil {
		return nil, err
	}
	id := bounded(string(row.ID))
	meta := g.meta[id]
	p := &post{
		title:       html.EscapeString(string(row.Title)),
		description: html.EscapeString(string(cmp.Or(row.Excerpt, meta.Meta, row.Meta))),
		pinned:      row.Featured.yes(), date: row.Published.day(),
	}
	if p.date.IsZero() && row.Status == "published" {
		p.date = row.Created.day()
	}
	g.privacy(p, &row, meta)
	if id == "" && len(g.meta) > 0 {
		p.hide("id", "it has none, by which it could be told what the export's posts_meta says of it")
	}
	if !whole {
		p.hide("entry", notWhole)
	}
	if doubt != "" {
		p.hide(doubt, "it may not be for everybody")
	}
	g.author(p, &row)
	for _, l := range g.has[id] {
		t, found := g.tags[string(l.TagID)]
		switch {
		case !found:
		case t.internal || strings.HasPrefix(string(t.Name), "#"):
			p.note(Term, string(t.Name), "readers do not see this tag in Ghost, and it is left out")
		default:
			p.labels = append(p.labels, html.EscapeString(string(t.Name)))
		}
	}
	if row.Slug != "" && row.Status != "draft" {
		p.address = g.address(&row, p)
	}
	if strings.TrimSpace(string(row.Head+row.Foot)) != "" {
		p.note(Lost, "code injection", "posts have no code of their own, and it is left out")
	}
	g.body(p, &row, meta)
	return p, nil
}

// privacy decides who may read the post.
func (g *ghost) privacy(p *post, row *ghostPost, meta ghostMeta) {
	switch row.Status {
	case "published":
	case "scheduled":
		p.scheduled = true
		if p.date.IsZero() {
			p.hide("published_at", "it is scheduled without a date")
		}
	case "sent":
		p.hide("status", "it was sent by e-mail only")
	default:
		p.hide("status", "its status is "+cmp.Or(short(string(row.Status)), "not known"))
	}
	if row.Published != "" && row.Published.day().IsZero() {
		p.hide("published_at", "its date cannot be read")
	}
	// Versions before members have no visibility.
	if row.Visibility.given && row.Visibility.text != "public" {
		p.hide("visibility", "it is for "+cmp.Or(short(string(row.Visibility.text)), "nobody who is named"))
	}
	if (meta.doubt || !row.EmailOnly.no()) && row.Status != "sent" {
		p.hide("email_only", "it may be for readers by e-mail only")
	}
	switch {
	case isGhostPage(row.Type, row.Page):
		p.draft = true
		p.note(Page, "", isPage)
	case row.Type.given && row.Type.text != "post":
		p.hide("type", "it does not say that it is a post")
	}
}

// isPage is what is said of a page.
const isPage = "this is a page, of which the blog has none, so it is a draft of a post"

// author gives the first author.
func (g *ghost) author(p *post, row *ghostPost) {
	p.author = g.users[string(row.AuthorID)]
	if rows := g.by[string(row.ID)]; len(rows) > 0 {
		p.author = cmp.Or(g.users[string(rows[0].AuthorID)], p.author)
		if len(rows) > 1 {
			p.note(frontmatter.Choice, "author", fmt.Sprintf("a post has one author: the first of these %d", len(rows)))
		}
	}
}

// address is the one that the post has in Ghost: /slug/, or what old versions' setting says.
func (g *ghost) address(row *ghostPost, p *post) string {
	pattern := g.permalinks
	if pattern == "" || isGhostPage(row.Type, row.Page) {
		pattern = "/:slug/"
	}
	at := p.date.In(g.opt.Loc)
	path := strings.NewReplacer(":slug", string(row.Slug), ":year", at.Format("2006"), ":month", at.Format("01"), ":day",
		at.Format("02"), ":id", string(row.ID)).Replace(pattern)
	return (&url.URL{Path: path}).EscapedPath()
}

var ghostAddress = regexp.MustCompile(ghostURL + "[^\\s)\\]\"'<>`\\\\]*")

// body makes Markdown of the post's text, of the form in which it was written.
func (g *ghost) body(p *post, row *ghostPost, meta ghostMeta) {
	d := &document{c: &converting{site: g.site, post: p}}
	// What Ghost made of the text says so, too, where the text itself cannot be read.
	d.gated(string(row.HTML))
	d.gated(string(row.Markdown))
	if image := cmp.Or(row.Image, row.OldImage); image != "" {
		d.image(string(image), string(meta.Alt), string(meta.Caption), "")
	}
	switch {
	case row.Lexical != "" && d.lexical(string(row.Lexical)):
	case row.Mobiledoc != "" && d.mobiledoc(string(row.Mobiledoc)):
	case row.HTML != "":
		d.html.WriteString(string(row.HTML))
	case row.Markdown != "":
		d.markdown(string(row.Markdown))
	case row.Lexical+row.Mobiledoc != "":
		p.note(Lost, "body", "its text cannot be read")
	}
	// What is left stands in Markdown, or is no address.
	p.body = ghostAddress.ReplaceAllStringFunc(d.text(), func(address string) string {
		if picture := g.site.find(address); picture != "" {
			return picture
		}
		to, _ := g.site.link(address, p.hidden)
		return to
	})
}
