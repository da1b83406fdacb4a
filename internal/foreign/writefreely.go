package foreign

import (
	"html"
	"io"
	"net/url"
	"regexp"
	"strings"

	"blog/internal/frontmatter"
)

// writeFreely is an export of WriteFreely's, or write.as's: a user with collections, which are blogs, and
// posts in none, which are drafts; or a list of posts.
type writeFreely struct {
	file   io.ReaderAt
	opt    Options
	author string
	found  bool
	refs   []freelyRef
	blogs  []freelyBlog
	site   *site
}

// freelyBlog is a collection without its posts.
type freelyBlog struct {
	alias, url string
	public     bool
}

type freelyRef struct {
	place
	id, slug, title string
	blog            int // of blogs; -1 for none
}

// freelyPost is a post.
type freelyPost struct {
	ID         loose   `json:"id"`
	Slug       loose   `json:"slug"`
	Title      loose   `json:"title"`
	Body       *loose  `json:"body"`
	Created    loose   `json:"created"`
	Tags       []loose `json:"tags"`
	Paid       loose   `json:"paid"`
	Collection *struct {
		Alias  loose  `json:"alias"`
		URL    loose  `json:"url"`
		Public *loose `json:"public"`
	} `json:"collection"`
}

func newWriteFreely(file io.ReaderAt, opt Options) *writeFreely {
	return &writeFreely{file: file, opt: opt, site: newSite(opt.Picture)}
}

// collection reads a collection with its posts. What it says of itself may stand behind them.
func (w *writeFreely) collection(r *jsonReader) error {
	w.found = true
	n := len(w.blogs)
	w.blogs = append(w.blogs, freelyBlog{})
	return r.object(func(name string) error {
		var text loose
		switch name {
		case "posts":
			return r.array(func() error { return w.post(r, &n) })
		case "alias", "url", "public":
		default:
			return r.skip()
		}
		_, err := r.value(&text)
		switch name {
		case "alias":
			w.blogs[n].alias = bounded(string(text))
		case "url":
			w.blogs[n].url = bounded(string(text))
		case "public":
			w.blogs[n].public = text.yes()
		}
		return err
	})
}

// post reads a post without its text. blog is nil where it stands in no collection.
func (w *writeFreely) post(r *jsonReader, blog *int) error {
	var p freelyPost
	at, err := r.value(&p)
	if err != nil {
		return err
	}
	if p.Body == nil { // it is somebody else's post
		return nil
	}
	ref := freelyRef{
		place: at, id: bounded(string(p.ID)), slug: bounded(string(p.Slug)), title: bounded(string(p.Title)), blog: -1,
	}
	switch {
	case blog != nil:
		ref.blog = *blog
	case p.Collection != nil:
		w.blogs = append(w.blogs, freelyBlog{
			alias: bounded(string(p.Collection.Alias)), url: bounded(string(p.Collection.URL)),
			public: p.Collection.Public != nil && p.Collection.Public.yes(),
		})
		ref.blog = len(w.blogs) - 1
	}
	w.refs = append(w.refs, ref)
	return nil
}

// open makes the index of what was found.
func (w *writeFreely) open(size int64) (*Export, error) {
	places := make([]*place, len(w.refs))
	for i := range w.refs {
		places[i] = &w.refs[i].place
	}
	if err := linesOf(w.file, size, places); err != nil {
		return nil, err
	}
	x := &Export{System: "WriteFreely", places: map[string]place{}, read: w.entry}
	taken := slugs{}
	for i := range w.refs {
		ref := &w.refs[i]
		ref.place.slug = taken.pick(ref.id, ref.slug, ref.title)
		ref.name = "posts/" + ref.place.slug + ".md"
		ref.extra = i
		x.names = append(x.names, ref.name)
		x.places[ref.name] = ref.place
		w.site.addHost(w.blog(ref).url)
		if address := w.address(ref); address != "" {
			w.site.addEntry(address, ref.place.slug)
		}
	}
	return x, nil
}

// blog returns the collection of a post; the zero one where it is in none.
func (w *writeFreely) blog(ref *freelyRef) freelyBlog {
	if ref.blog < 0 {
		return freelyBlog{}
	}
	return w.blogs[ref.blog]
}

// address is that of a post in its collection. Where the collection says none, it is that of a site with
// one blog.
func (w *writeFreely) address(ref *freelyRef) string {
	if ref.blog < 0 || ref.slug == "" {
		return ""
	}
	base := w.blog(ref).url
	if base == "" {
		base = "/"
	}
	return strings.TrimRight(base, "/") + "/" + url.PathEscape(ref.slug)
}

var (
	freelyComment = regexp.MustCompile(`(?m)^[ \t]*<!--\s*(?:more|emailsub|paid)\s*-->[ \t]*$`)
	freelyPaid    = regexp.MustCompile(`<!--\s*paid\s*-->`)
	freelyTag     = regexp.MustCompile(`(?:^|[\s(])#([\p{L}\p{N}_]+)`)
	freelyCode    = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
)

// entry reads one post.
func (w *writeFreely) entry(at place) (*post, error) {
	var row freelyPost
	if err := valueAt(w.file, at, &row); err != nil {
		return nil, err
	}
	ref := &w.refs[at.extra]
	p := &post{
		title: html.EscapeString(string(row.Title)), author: w.author, date: row.Created.day(), address: w.address(ref),
	}
	body := ""
	if row.Body != nil {
		body = strings.ReplaceAll(string(*row.Body), "\r\n", "\n")
	}
	switch b := w.blog(ref); {
	case ref.blog < 0:
		p.hide("collection", "it is in no blog")
	case !b.public:
		p.hide("public", "its blog "+short(b.alias)+" is not public")
	}
	if row.Paid.yes() || freelyPaid.MatchString(body) {
		p.hide("paid", "it is for subscribers")
	}
	for _, t := range row.Tags {
		p.labels = append(p.labels, html.EscapeString(string(t)))
	}
	if row.Tags == nil {
		for _, m := range freelyTag.FindAllStringSubmatch(freelyCode.ReplaceAllString(body, ""), 100) {
			p.labels = append(p.labels, m[1])
		}
	}
	p.body = freelyComment.ReplaceAllString(body, "")
	if strings.TrimSpace(p.title) == "" {
		p.title = heading(p)
	}
	return p, nil
}

// heading takes the heading that a text begins with for its title, as WriteFreely shows it.
func heading(p *post) string {
	body := frontmatter.CanonicalBody(p.body)
	first, after, _ := strings.Cut(body, "\n")
	text, found := strings.CutPrefix(first, "# ")
	if !found || strings.TrimSpace(text) == "" {
		return ""
	}
	p.body = after
	return html.EscapeString(strings.Trim(text, " #"))
}
