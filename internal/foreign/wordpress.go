package foreign

import (
	"cmp"
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// wxrFile is a WXR file.
type wxrFile struct {
	file    io.ReaderAt
	opt     Options
	site    *site
	authors map[string]string // an e-mail address or name, by login
	media   map[string]wxrMedia
	albums  map[string][]string // ids of the pictures that belong to an entry, by its id
	open    map[string]bool     // by id, the entries that everybody may read
}

// wxrMedia is an attachment.
type wxrMedia struct {
	address, alt, caption string
	parent                string // id of the entry that it belongs to, "" or 0 for none
	page                  string // the address of the page that shows it
	order                 int
}

// wxrRef is an entry in the index.
type wxrRef struct {
	place
	id, name, title, link string
	hidden                bool // it may not be for everybody
}

// openWXR reads the index of a WXR file.
func openWXR(file io.ReaderAt, size int64, opt Options) (*Export, error) {
	w := &wxrFile{
		file: file, opt: opt, site: newSite(opt.Picture), authors: map[string]string{}, media: map[string]wxrMedia{},
		albums: map[string][]string{}, open: map[string]bool{},
	}
	r := newWXRReader(io.NewSectionReader(file, 0, size))
	found, err := w.index(r)
	if err != nil {
		return nil, r.problem(err)
	}
	x := &Export{places: map[string]place{}, Left: found.left(), read: w.entry}
	slices.SortStableFunc(found.refs, func(a, b wxrRef) int { return cmp.Compare(a.extra, b.extra) })
	places, ids := make([]*place, len(found.refs)), make([]string, len(found.refs))
	for i := range found.refs {
		places[i], ids[i] = &found.refs[i].place, found.refs[i].id
	}
	doubtTwice(places, ids)
	taken := newSlugs()
	for _, ref := range found.refs {
		title := plainText(ref.title)
		ref.slug = taken.pick(ref.id, ref.name, title)
		folder := "posts/"
		if ref.extra == wxrPage {
			folder = "pages/"
		}
		ref.place.name = folder + ref.slug + ".md"
		x.names = append(x.names, ref.place.name)
		x.places[ref.place.name] = ref.place
		to := target{slug: ref.slug, hidden: ref.hidden || ref.doubt != ""}
		w.site.addEntry(ref.link, to)
		if ref.id != "" {
			w.site.entries["?"+ref.id] = to
			w.open[ref.id] = !to.hidden
		}
	}
	for _, id := range sortedKeys(w.media) { // the page of a file leads to the file, where everybody may see the page
		m := w.media[id]
		if u, err := url.Parse(m.page); err == nil && entryKey(u) != "" && w.shows(m.parent) {
			w.site.files[entryKey(u)] = m.address
		}
	}
	for _, ids := range w.albums {
		slices.SortStableFunc(ids, func(a, b string) int {
			return cmp.Or(cmp.Compare(w.media[a].order, w.media[b].order), cmp.Compare(number(a), number(b)))
		})
	}
	return x, nil
}

// What an entry of WordPress's becomes, in the order of slugs: of two that want one, the first gets it.
const (
	wxrPost = iota
	wxrPage
)

// wxrIndex is what the first reading finds.
type wxrIndex struct {
	refs     []wxrRef
	others   map[string]int // what is no entry, by type
	comments int
	media    int
	trash    int
}

// index reads the whole file without its texts.
func (w *wxrFile) index(r *wxrReader) (*wxrIndex, error) {
	found := &wxrIndex{others: map[string]int{}}
	known := false
	for items := 0; ; {
		at, line := r.dec.InputOffset(), r.line()
		t, err := r.next()
		if errors.Is(err, io.EOF) && known {
			return found, nil
		}
		if errors.Is(err, io.EOF) {
			return nil, errUnknown
		}
		if err != nil {
			return nil, err
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		known = known || start.Name.Local == "wxr_version"
		switch start.Name.Local {
		case "base_site_url", "base_blog_url", "link":
			r.size = 0
			text, _, err := r.text(start.Name)
			if err != nil {
				return nil, err
			}
			w.site.addHost(text)
		case "author":
			if err := w.author(r); err != nil {
				return nil, err
			}
		case "item":
			it, err := r.item(start.Name)
			if err != nil {
				return nil, err
			}
			known = known || it.kind != ""
			if items++; items > maxEntries {
				return nil, errTooMany
			}
			w.sort(found, it, place{at: at, end: r.dec.InputOffset(), line: line})
		}
	}
}

// author reads an author whose start was read.
func (w *wxrFile) author(r *wxrReader) error {
	var login, email, name string
	r.size = 0
	for {
		t, err := r.next()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.EndElement:
			if t.Name.Local != "author" {
				continue
			}
			if login = strings.TrimSpace(login); login != "" && len(w.authors) < maxEntries {
				w.authors[bounded(login)] = bounded(cmp.Or(strings.TrimSpace(email), strings.TrimSpace(name), login))
			}
			return nil
		case xml.StartElement:
			text, _, err := r.text(t.Name)
			if err != nil {
				return err
			}
			switch t.Name.Local {
			case "author_login":
				login = text
			case "author_email":
				email = text
			case "author_display_name":
				name = text
			}
		}
	}
}

// sort puts an item where it belongs.
func (w *wxrFile) sort(found *wxrIndex, it *wxrItem, at place) {
	found.comments += it.comments
	for _, text := range []*string{&it.id, &it.name, &it.title, &it.link, &it.kind, &it.parent, &it.attachment, &it.alt} {
		*text = bounded(*text)
	}
	kind := it.kind
	switch {
	case it.doubt == "status" || it.doubt == "post_type": // it is whatever makes a draft of it
		kind = "post"
	case it.status == "trash" || it.status == "auto-draft":
		found.trash++
		return
	}
	switch kind {
	case "post", "":
		at.extra = wxrPost
	case "page":
		at.extra = wxrPage
	case "attachment":
		found.media++
		w.attach(it)
		return
	default:
		found.others[it.kind]++
		return
	}
	found.refs = append(found.refs, wxrRef{
		place: at, id: it.id, name: it.name, title: it.title, link: it.link, hidden: !w.isOpen(it, at),
	})
}

// isOpen reports whether everybody may read an entry, before its text is converted. What only its text can tell is
// taken for no where it is not sure.
func (w *wxrFile) isOpen(it *wxrItem, at place) bool {
	date, dated := w.date(it)
	p := &post{date: date, scheduled: it.status == "future"}
	w.privacy(p, it, at)
	p.publishedAt()
	s := &shortcodes{w: w, p: p, entry: it}
	s.restricted(it.content)
	for _, m := range shortcode.FindAllStringSubmatch(it.content, -1) {
		if restricts(m[3]) || restrictsBy(attributes(m[4])) {
			s.hide(m[3])
		}
	}
	blocks(it.content, p)
	return dated && !p.hidden && !p.scheduled
}

// shows reports whether everybody may see what belongs to an entry: the entry is not known to be for everybody where
// it is not in the export. What belongs to none is everybody's.
func (w *wxrFile) shows(parent string) bool { return parent == "" || parent == "0" || w.open[parent] }

// attach notes a file of the site. One that is not for everybody itself is in no gallery.
func (w *wxrFile) attach(it *wxrItem) {
	if it.status != "inherit" && it.status != "publish" || it.password != "" || it.access != "" || it.doubt != "" {
		return
	}
	w.site.addUpload(it.attachment)
	w.media[it.id] = wxrMedia{
		address: it.attachment, alt: it.alt, caption: bounded(plainText(it.excerpt)),
		order: number(it.order), parent: it.parent, page: it.link,
	}
	if it.parent != "" && it.parent != "0" && isPicture(it.attachment) {
		w.albums[it.parent] = append(w.albums[it.parent], it.id)
	}
}

// left says what is in no file.
func (f *wxrIndex) left() []Left {
	var out []Left
	add := func(kind string, n int, why string) {
		if n > 0 {
			out = append(out, Left{kind, n, why})
		}
	}
	add("attachment", f.media, "attachments are no posts: their pictures go in where a text shows them")
	add("comment", f.comments, "comments are not imported: the blog has none")
	add("menu entry", f.others["nav_menu_item"], "entries of menus are not imported: the blog has none")
	add("trash", f.trash, "entries are in the trash, or were never written, and are not imported")
	for _, kind := range sortedKeys(f.others) {
		if kind != "nav_menu_item" {
			add(kind, f.others[kind], "entries of the type "+short(kind)+" are not imported: the blog has none")
		}
	}
	return out
}

// entry reads one entry.
func (w *wxrFile) entry(at place) (*post, error) {
	r := newWXRReader(io.NewSectionReader(w.file, at.at, at.end-at.at))
	t, err := r.next()
	if err != nil {
		return nil, err
	}
	start, ok := t.(xml.StartElement)
	if !ok || start.Name.Local != "item" {
		return nil, errors.New("the file has changed")
	}
	it, err := r.item(start.Name)
	if err != nil {
		return nil, err
	}
	date, dated := w.date(it)
	p := &post{
		title: it.title, description: it.excerpt, author: w.authors[bounded(it.creator)],
		pinned: it.sticky == "1", date: date, scheduled: it.status == "future",
	}
	if p.author == "" {
		p.author = it.creator
	}
	w.privacy(p, it, at)
	if !dated {
		p.hide("post_date", "its date cannot be read")
	}
	if it.status != "draft" && it.status != "pending" { // these have none yet
		p.address = it.link
	}
	w.terms(p, it)
	w.body(p, it)
	return p, nil
}

// privacy decides who may read the post.
func (w *wxrFile) privacy(p *post, it *wxrItem, at place) {
	switch it.status {
	case "publish", "future":
	case "":
		p.hide("status", "it has no status")
	default:
		p.hide("status", "its status is "+short(it.status))
	}
	if it.doubt != "" {
		p.hide(it.doubt, "it says this twice, or in a form that is not known")
	}
	if it.kind != "post" && it.kind != "page" && it.doubt != "post_type" {
		p.hide("post_type", "it does not say that it is a post")
	}
	if it.password != "" {
		p.hide("post_password", "it has a password")
	}
	if it.access != "" {
		p.hide(it.access, "a plugin says that it is for some readers only")
	}
	if at.extra == wxrPage {
		p.draft = true
		p.note(Page, "", isPage)
	}
	if it.status == "future" && p.date.IsZero() {
		p.hide("post_date", "it is scheduled without a date")
	}
}

// date is when the post came out, or will. readable is false where what says so is no date: for a post that
// comes out at its date, the first of its dates counts.
func (w *wxrFile) date(it *wxrItem) (at time.Time, readable bool) {
	const layout = "2006-01-02 15:04:05"
	readable = true
	for _, d := range []struct {
		text string
		loc  *time.Location
	}{{it.dateGMT, time.UTC}, {it.date, w.opt.Loc}} {
		if d.text == "" || strings.HasPrefix(d.text, "0000") {
			continue
		}
		if t, err := time.ParseInLocation(layout, d.text, d.loc); err == nil {
			return t.UTC(), readable || it.status != "future"
		}
		readable = false
	}
	if t, err := time.Parse(time.RFC1123Z, it.pubDate); err == nil && t.Year() > 0 {
		return t.UTC(), readable || it.status != "future"
	}
	return time.Time{}, readable
}

// terms makes tags of categories and tags. A post's format, and what it is in for want of another
// category, are none.
func (w *wxrFile) terms(p *post, it *wxrItem) {
	for _, domain := range []string{"category", "post_tag"} {
		for _, t := range it.terms {
			switch {
			case t.domain == "" && domain == "post_tag":
				p.labels = append(p.labels, t.label)
			case t.domain != domain:
			case t.slug == "uncategorized":
				p.note(Term, "Uncategorized", "what is in no category is in this one, so it is no tag")
			default:
				p.labels = append(p.labels, t.label)
			}
		}
	}
	for _, t := range it.terms {
		if t.domain != "" && t.domain != "category" && t.domain != "post_tag" {
			p.note(Term, t.domain, short(t.label)+" is neither a category nor a tag, so it is left out")
		}
	}
}

// number reads a whole number, 0 where there is none.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// bounded is a text as the index holds it.
func bounded(s string) string {
	const most = 1000
	return strings.Clone(strings.ToValidUTF8(s[:min(len(s), most)], ""))
}
