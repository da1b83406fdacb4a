package foreign

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"blog/internal/frontmatter"
)

// wxrItem is one <item> of a WXR file. Without its texts it is what the index needs.
type wxrItem struct {
	title, link, creator, pubDate  string
	content, excerpt               string
	id, name, status, parent, kind string
	date, dateGMT, password        string
	attachment, sticky, order      string
	terms                          []wxrTerm
	thumbnail, alt                 string
	access                         string // a plugin's key by which only some readers may read it
	comments                       int
	doubt                          string            // an element that cannot be told by, "" for none
	seen                           map[string]string // what the elements of decisive say
}

// decisive are the elements that say who may read an item, when, and what. Of two that differ it cannot be told
// which one counts.
var decisive = []string{"status", "post_type", "post_password", "post_date", "post_date_gmt", "content", "excerpt"}

// set notes what an element says. A second one that says something else, and one that has more than a text,
// cannot be told by.
func (it *wxrItem) set(name string, to *string, value string, plain bool) {
	if slices.Contains(decisive, name) {
		before, again := it.seen[name]
		if it.doubt == "" && (!plain || again && before != value) {
			it.doubt = name
		}
		if it.seen == nil {
			it.seen = map[string]string{}
		}
		it.seen[name] = value
	}
	*to = value
}

// wxrTerm is a tag, a category or a term of another taxonomy.
type wxrTerm struct{ domain, slug, label string }

// wxrReader reads the tokens of a WXR file. It follows the names of elements and not their nesting, so
// that an item with a tag too much ends where it ends.
type wxrReader struct {
	dec     *xml.Decoder
	in      *meter
	size    int      // bytes of the texts of one item
	current xml.Name // the item that is read, none between items
	deep    string   // an element of decisive in another one
}

func newWXRReader(r io.Reader) *wxrReader {
	in := newMeter(&textReader{in: r})
	dec := xml.NewDecoder(in)
	dec.Strict = false // an unknown entity stays as it is, and none is expanded
	dec.Entity = xml.HTMLEntity
	dec.CharsetReader = func(charset string, _ io.Reader) (io.Reader, error) {
		return nil, fmt.Errorf("the file says that it is in %.40q and WordPress exports in UTF-8", charset)
	}
	return &wxrReader{dec: dec, in: in}
}

// next returns the next token.
func (r *wxrReader) next() (xml.Token, error) {
	r.in.reset()
	return r.dec.RawToken()
}

// line is that of the next token.
func (r *wxrReader) line() int {
	line, _ := r.dec.InputPos()
	return line
}

// text returns what stands in an element whose start was read. plain is false where there are elements in it.
func (r *wxrReader) text(name xml.Name) (text string, plain bool, err error) {
	var b strings.Builder
	plain = true
	for depth := 0; ; {
		t, err := r.within(name)
		if err != nil {
			return "", false, err
		}
		switch t := t.(type) {
		case xml.CharData:
			if r.size += len(t); r.size > maxEntry {
				return "", false, errTooLong
			}
			b.Write(t)
		case xml.StartElement:
			plain = false
			if slices.Contains(decisive, t.Name.Local) && t.Name.Local != "content" && t.Name.Local != "excerpt" {
				r.deep = t.Name.Local
			}
			if t.Name == name {
				depth++
			}
		case xml.EndElement:
			if t.Name != name {
				continue
			}
			if depth--; depth < 0 {
				return b.String(), plain, nil
			}
		}
	}
}

// within returns the next token of an element of an item. The item does not end, and no other one begins,
// before the element ends: what follows would be taken for what the item says.
func (r *wxrReader) within(name xml.Name) (xml.Token, error) {
	t, err := r.next()
	if err != nil || r.current == (xml.Name{}) {
		return t, err
	}
	start, isStart := t.(xml.StartElement)
	end, isEnd := t.(xml.EndElement)
	if isStart && start.Name == r.current || isEnd && end.Name == r.current {
		return nil, fmt.Errorf("the element %.40q of an item has no end", name.Local)
	}
	return t, nil
}

// item reads an item whose start was read.
func (r *wxrReader) item(name xml.Name) (*wxrItem, error) {
	it := &wxrItem{}
	r.size, r.deep, r.current = 0, "", name
	defer func() { r.current = xml.Name{} }()
	for {
		t, err := r.next()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.EndElement:
			if t.Name == name {
				if it.doubt == "" {
					it.doubt = r.deep
				}
				return it, nil
			}
		case xml.StartElement:
			if t.Name == name {
				return nil, errors.New("an item begins in another one")
			}
			if err := r.field(it, t); err != nil {
				return nil, err
			}
		}
	}
}

// field reads one element of an item.
func (r *wxrReader) field(it *wxrItem, t xml.StartElement) error {
	switch t.Name.Local {
	case "postmeta":
		return r.meta(it)
	case "comment":
		it.comments++
		return r.skip(t.Name)
	}
	text, plain, err := r.text(t.Name)
	if err != nil {
		return err
	}
	if t.Name.Local == "category" {
		term := wxrTerm{label: text}
		for _, a := range t.Attr {
			switch a.Name.Local {
			case "domain":
				term.domain = a.Value
			case "nicename":
				term.slug = a.Value
			}
		}
		if len(it.terms) < 1000 {
			it.terms = append(it.terms, term)
		}
		return nil
	}
	if t.Name.Local == "encoded" {
		if t.Name.Space == "excerpt" {
			it.set("excerpt", &it.excerpt, text, plain)
		} else {
			it.set("content", &it.content, text, plain)
		}
		return nil
	}
	to := it.at(t.Name.Local)
	switch {
	case to == nil:
	case to == &it.password: // one of blanks is one
		it.set(t.Name.Local, to, text, plain)
	default:
		it.set(t.Name.Local, to, strings.TrimSpace(text), plain)
	}
	return nil
}

// at is the field that an element fills, nil where there is none.
func (it *wxrItem) at(name string) *string {
	switch name {
	case "title":
		return &it.title
	case "link":
		return &it.link
	case "creator":
		return &it.creator
	case "pubDate":
		return &it.pubDate
	case "post_id":
		return &it.id
	case "post_name":
		return &it.name
	case "status":
		return &it.status
	case "post_parent":
		return &it.parent
	case "post_type":
		return &it.kind
	case "post_date":
		return &it.date
	case "post_date_gmt":
		return &it.dateGMT
	case "post_password":
		return &it.password
	case "attachment_url":
		return &it.attachment
	case "is_sticky":
		return &it.sticky
	case "menu_order":
		return &it.order
	}
	return nil
}

// meta reads a key with its value.
func (r *wxrReader) meta(it *wxrItem) error {
	var key, value string
	keys, values, whole := 0, 0, true
	for {
		t, err := r.within(xml.Name{Local: "postmeta"})
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.EndElement:
			if t.Name.Local != "postmeta" {
				continue
			}
			switch {
			case keys > 1 && it.doubt == "":
				it.doubt = "postmeta"
			case key == "_thumbnail_id":
				it.thumbnail = value
			case key == "_wp_attachment_image_alt":
				it.alt = value
			case frontmatter.Hides(key, value), restrictsKey.MatchString(key) && frontmatter.Hides("roles", value),
				(values > 1 || !whole) && (restrictsKey.MatchString(key) || frontmatter.RestrictsKey(key)):
				it.access = key
			}
			return nil
		case xml.StartElement:
			text, plain, err := r.text(t.Name)
			if err != nil {
				return err
			}
			switch t.Name.Local {
			case "meta_key":
				key = strings.TrimSpace(text)
				keys++
			case "meta_value":
				value = strings.TrimSpace(text)
				values++
				whole = whole && plain
			}
		}
	}
}

// restrictsKey finds the keys by which plugins show an entry to some readers only, and which have no word of
// frontmatter's for it. Their values are roles.
var restrictsKey = regexp.MustCompile(`(?i)^_jetpack_newsletter_access$|^rcp_(access|subscription|user)_level$|` +
	`^_wpmem_block$|^groups-(groups_)?read`)

// skip reads up to the end of an element, of which nothing is wanted.
func (r *wxrReader) skip(name xml.Name) error {
	for {
		t, err := r.within(name)
		if err != nil {
			return err
		}
		if end, ok := t.(xml.EndElement); ok && end.Name == name {
			return nil
		}
	}
}

// problem is an error of the reader with its line.
func (r *wxrReader) problem(err error) error {
	line := r.line()
	var syntax *xml.SyntaxError
	switch {
	case errors.Is(err, io.EOF):
		err = errors.New("the file ends in the middle; export it again")
	case errors.As(err, &syntax):
		line, err = syntax.Line, errors.New(syntax.Msg)
		if strings.HasPrefix(syntax.Msg, "unexpected EOF") {
			err = errors.New("the file ends in the middle; export it again")
		}
	}
	return &Problem{line, err}
}

// textReader replaces, byte for byte, what XML may not contain and exports do: control characters, and
// bytes that are no UTF-8. The places of everything else stay.
type textReader struct {
	in    io.Reader
	begun []byte // the beginning of a character that was read
	end   error
}

// Read reads as io.Reader says.
func (t *textReader) Read(p []byte) (int, error) {
	if len(p) < utf8.UTFMax {
		return 0, io.ErrShortBuffer
	}
	n := copy(p, t.begun)
	t.begun = t.begun[:0]
	if t.end == nil {
		var m int
		m, t.end = t.in.Read(p[n:])
		n += m
	}
	for i := 0; i < n; {
		c, size := utf8.DecodeRune(p[i:n])
		switch {
		case c == utf8.RuneError && size == 1 && !utf8.FullRune(p[i:n]) && t.end == nil:
			t.begun = append(t.begun, p[i:n]...)
			return i, nil
		case c == utf8.RuneError && size == 1:
			p[i] = '?'
		case c < ' ' && c != '\n' && c != '\t' && c != '\r':
			p[i] = ' '
		case c == '\ufffe' || c == '\uffff':
			copy(p[i:], "   ")
		}
		i += size
	}
	if n == 0 {
		return 0, t.end
	}
	return n, nil
}
