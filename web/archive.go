package web

import (
	"context"
	"net/http"

	"github.com/a-h/templ"

	"blog/internal/posts"
	"blog/internal/repo"
	"blog/web/ui"
)

// archive shows every post that readers see, by the year of its date in the blog's zone.
func (s *Site) archive(w http.ResponseWriter, r *http.Request) error {
	return s.show(w, r,
		view{key: address{path: "/archive"}, topics: []string{posts.Topic},
			read: func(ctx context.Context, rd repo.Reader) (templ.Component, error) {
				v := ui.ArchiveView{Page: s.page(r, "Archive", ui.NavPosts)}
				v.Page.Canonical = s.absolute("/archive")
				list, _, err := posts.List(ctx, rd, posts.Filter{})
				if err != nil {
					return nil, err
				}
				v.Years = s.years(list)
				v.Page.Live, err = follow(ctx, rd, ui.LiveRefetch, posts.Topic)
				return ui.Archive(v), err
			}})
}

// years groups posts by year. list is sorted newest first.
func (s *Site) years(list []posts.Card) []ui.ArchiveYear {
	var out []ui.ArchiveYear
	for _, c := range list {
		year := c.PublishedAt.In(s.Location).Year()
		if len(out) == 0 || out[len(out)-1].Year != year {
			out = append(out, ui.ArchiveYear{Year: year})
		}
		last := &out[len(out)-1]
		last.Posts = append(last.Posts, ui.ArchivePost{ID: c.ID, Slug: c.Slug, Title: c.Title, PublishedAt: c.PublishedAt})
	}
	return out
}
