package web

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/a-h/templ"

	"blog/internal/posts"
	"blog/internal/repo"
)

// atomFeed is an Atom feed (RFC 4287).
type atomFeed struct {
	XMLName  xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	Lang     string      `xml:"xml:lang,attr"`
	Title    string      `xml:"title"`
	Subtitle string      `xml:"subtitle,omitempty"`
	ID       string      `xml:"id"`
	Updated  string      `xml:"updated"`
	Links    []atomLink  `xml:"link"`
	Entries  []atomEntry `xml:"entry"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr,omitempty"`
	Type string `xml:"type,attr,omitempty"`
	Href string `xml:"href,attr"`
}

type atomEntry struct {
	Title      string         `xml:"title"`
	ID         string         `xml:"id"`
	Link       atomLink       `xml:"link"`
	Published  string         `xml:"published"`
	Updated    string         `xml:"updated"`
	Author     string         `xml:"author>name"`
	Categories []atomCategory `xml:"category"`
	Summary    string         `xml:"summary"`
	Content    atomContent    `xml:"content"`
}

type atomCategory struct {
	Term string `xml:"term,attr"`
}

type atomContent struct {
	Type string `xml:"type,attr"`
	Base string `xml:"xml:base,attr"`
	Body string `xml:",chardata"`
}

const feedPosts = 20

func (s *Site) feed(w http.ResponseWriter, r *http.Request) error {
	return s.show(w, r,
		view{key: address{path: "/feed.xml"}, topics: []string{posts.Topic}, contentType: typeAtom,
			read: func(ctx context.Context, rd repo.Reader) (templ.Component, error) {
				list, err := posts.Full(ctx, rd, feedPosts)
				if err != nil {
					return nil, err
				}
				return xmlComponent(s.atom(list)), nil
			}})
}

func (s *Site) atom(list []posts.Post) atomFeed {
	f := atomFeed{
		Lang: s.Language, Title: s.Title, Subtitle: s.Description, ID: s.absolute("/"),
		Links: []atomLink{
			{Rel: "self", Type: "application/atom+xml", Href: s.absolute("/feed.xml")},
			{Rel: "alternate", Type: "text/html", Href: s.absolute("/")},
		},
	}
	newest := time.Unix(0, 0).UTC() // of a feed without entries
	for _, p := range list {
		if p.UpdatedAt.After(newest) {
			newest = p.UpdatedAt
		}
		e := atomEntry{
			Title: xmlText(p.Title), ID: s.absolute(fmt.Sprintf("/#post-%d", p.ID)), Link: atomLink{
				Rel: "alternate", Href: s.absolute(postURL(p.Slug)),
			},
			Published: p.PublishedAt.Format(time.RFC3339), Updated: p.UpdatedAt.Format(time.RFC3339), Author: xmlText(p.Author),
			Summary: xmlText(firstOf(p.Description, p.Excerpt)),
			Content: atomContent{
				Type: "html", Base: s.absolute(postURL(p.Slug)),
				Body: xmlText(absoluteLinks(p.HTML, s.absolute(""), s.absolute(postURL(p.Slug)))),
			},
		}
		for _, l := range p.Labels {
			e.Categories = append(e.Categories, atomCategory{Term: l})
		}
		f.Entries = append(f.Entries, e)
	}
	f.Updated = newest.Format(time.RFC3339)
	return f
}

// xmlText drops the characters that XML 1.0 cannot contain.
func xmlText(s string) string {
	out := make([]rune, 0, len(s))
	for _, r := range s {
		if r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r != 0xfffe && r != 0xffff {
			out = append(out, r)
		}
	}
	return string(out)
}

func xmlComponent(v any) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		if _, err := io.WriteString(w, xml.Header); err != nil {
			return fmt.Errorf("write xml: %w", err)
		}
		if err := xml.NewEncoder(w).Encode(v); err != nil {
			return fmt.Errorf("encode xml: %w", err)
		}
		return nil
	})
}

type sitemapSet struct {
	XMLName xml.Name     `xml:"http://www.sitemaps.org/schemas/sitemap/0.9 urlset"`
	URLs    []sitemapURL `xml:"url"`
}

type sitemapURL struct {
	Loc     string `xml:"loc"`
	LastMod string `xml:"lastmod,omitempty"`
}

func (s *Site) sitemap(w http.ResponseWriter, r *http.Request) error {
	return s.show(w, r,
		view{key: address{path: "/sitemap.xml"}, topics: []string{posts.Topic}, contentType: typeXML,
			read: func(ctx context.Context, rd repo.Reader) (templ.Component, error) {
				const most = 50_000 // the protocol's limit
				list, _, err := posts.List(ctx, rd, posts.Filter{Limit: most - 4})
				if err != nil {
					return nil, err
				}
				set := sitemapSet{
					URLs: []sitemapURL{
						{Loc: s.absolute("/")}, {Loc: s.absolute("/posts")}, {Loc: s.absolute("/archive")}, {Loc: s.absolute("/tags")},
					},
				}
				for _, c := range list {
					set.URLs = append(set.URLs, sitemapURL{
						Loc: s.absolute(postURL(c.Slug)), LastMod: c.UpdatedAt.Format(time.RFC3339),
					})
				}
				return xmlComponent(set), nil
			}})
}

func (s *Site) robots(w http.ResponseWriter, r *http.Request) error {
	body := "User-agent: *\nDisallow: /admin/\nDisallow: /login\nDisallow: /search\n\nSitemap: " +
		s.absolute("/sitemap.xml") + "\n"
	s.send(w, r, newDocument("text/plain; charset=utf-8", []byte(body)))
	return nil
}
