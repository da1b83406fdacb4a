package foreign

import (
	"html"
	"io"
	"net/url"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

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
	doubt      string // a member that does not say that it is public
}

// isPublic reports whether everybody may read and find the blog.
func (b freelyBlog) isPublic() bool { return b.public && b.doubt == "" }

type freelyRef struct {
	place
	id, slug, title string
	blog            int // of blogs; -1 for none
}

// freelyPost is a post.
type freelyPost struct {
	ID         loose          `json:"id"`
	Slug       loose          `json:"slug"`
	Title      loose          `json:"title"`
	Body       *loose         `json:"body"`
	Created    loose          `json:"created"`
	Tags       []loose        `json:"tags"`
	Paid       scalar         `json:"paid"`
	Collection jsontext.Value `json:"collection"`
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
		key := frontmatter.PlainKey(name)
		if key == "posts" {
			return r.array(func() error { return w.post(r, &n) })
		}
		if speaks, _ := aboutReaders(key); key != "alias" && key != "url" && !speaks {
			return r.skip()
		}
		var text scalar
		_, err := r.value(&text)
		w.blogs[n].set(name, text)
		return err
	})
}

// set notes what a member says of a blog. What is said of its readers twice has to be said twice.
func (b *freelyBlog) set(name string, text scalar) {
	switch key := frontmatter.PlainKey(name); {
	case key == "alias":
		b.alias = bounded(string(text.text))
	case key == "url":
		b.url = bounded(string(text.text))
	case name == "public" && text.text.yes():
		b.public = true
	case key == "visibility" && (text.text == "1" || text.text == "public"): // WriteFreely's number
	case key == "visibility", text.hides(key):
		b.doubt = short(name)
	}
}

// collectionOf reads the blog that a post says it is in. found is false where it says none.
func collectionOf(value jsontext.Value) (b freelyBlog, found bool) {
	if len(value) == 0 || value.Kind() == 'n' {
		return b, false
	}
	var members map[string]scalar
	if whole, err := unmarshal(value, &members); err != nil || !whole {
		b.doubt = "collection"
	}
	for _, name := range sortedKeys(members) {
		b.set(name, members[name])
	}
	return b, true
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
	b, found := collectionOf(p.Collection)
	switch {
	case blog != nil:
		ref.blog = *blog
		if found && !b.isPublic() && ref.doubt == "" {
			ref.doubt = "the blog that it names is not public"
		}
	case found:
		w.blogs = append(w.blogs, b)
		ref.blog = len(w.blogs) - 1
	}
	w.refs = append(w.refs, ref)
	return nil
}

// open makes the index of what was found.
func (w *writeFreely) open(size int64) (*Export, error) {
	places, ids := make([]*place, len(w.refs)), make([]string, len(w.refs))
	for i := range w.refs {
		places[i], ids[i] = &w.refs[i].place, w.refs[i].id
	}
	doubtTwice(places, ids)
	if err := linesOf(w.file, size, places); err != nil {
		return nil, err
	}
	x := &Export{places: map[string]place{}, read: w.entry}
	taken := newSlugs()
	for i := range w.refs {
		ref := &w.refs[i]
		ref.place.slug = taken.pick(ref.id, ref.slug, ref.title)
		ref.name = "posts/" + ref.place.slug + ".md"
		ref.extra = i
		x.names = append(x.names, ref.name)
		x.places[ref.name] = ref.place
		w.site.addHost(w.blog(ref).url)
		if address := w.address(ref); address != "" {
			w.site.addEntry(address, target{slug: ref.place.slug}) // which has the slug in it
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
	freelyComment = regexp.MustCompile(`(?mi)^[ \t]*<!--\s*(?:more|emailsub|paid)\s*-->[ \t]*$`)
	freelyPaid    = regexp.MustCompile(`(?i)<!--\s*paid\s*-->`)
	freelyTag     = regexp.MustCompile(`(?:^|[\s(])#([\p{L}\p{N}_]+)`)
	freelyCode    = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
)

// entry reads one post.
func (w *writeFreely) entry(at place) (*post, error) {
	var row freelyPost
	whole, doubt, err := valueAt(w.file, at, &row, "paid", "collection")
	if err != nil {
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
	case b.doubt != "" && b.doubt != "public":
		p.hide(b.doubt, "its blog "+short(b.alias)+" may not be public")
	case !b.isPublic():
		p.hide("public", "its blog "+short(b.alias)+" is not public")
	}
	if !whole {
		p.hide("entry", notWhole)
	}
	if doubt != "" {
		p.hide(doubt, "it may not be for everybody")
	}
	if row.Created != "" && p.date.IsZero() {
		p.hide("created", "its date cannot be read")
	}
	if !row.Paid.no() || freelyPaid.MatchString(body) {
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
