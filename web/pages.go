package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"

	"blog/internal/apperr"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/internal/tags"
	"blog/web/ui"
)

// Lengths of lists.
const (
	homePosts = 8
	pagePosts = 20
)

// follow makes a page live. It returns the position of the newest write that touched one of its
// topics.
func follow(ctx context.Context, rd repo.Reader, mode string, topics ...string) (*ui.Live, error) {
	c, err := repo.NewestOf(ctx, rd, topics...)
	return &ui.Live{Topics: topics, Cursor: c.String(), Mode: mode}, err
}

func (s *Site) home(w http.ResponseWriter, r *http.Request) error {
	return s.show(w, r,
		view{key: address{path: "/"}, topics: []string{posts.Topic},
			read: func(ctx context.Context, rd repo.Reader) (templ.Component, error) {
				v := ui.HomeView{Page: s.page(r, "", ui.NavHome)}
				v.Page.Description, v.Page.Canonical = s.Description, s.absolute("/")
				list, total, err := posts.List(ctx, rd, posts.Filter{PinnedFirst: true, Limit: homePosts})
				if err != nil {
					return nil, err
				}
				v.List = uiList(posts.Topic, list, homePosts, total, 1)
				visible, err := tags.Visible(ctx, rd)
				if err != nil {
					return nil, err
				}
				v.Tags = uiTags(visible)
				v.Page.Live, err = follow(ctx, rd, ui.LiveRefetch, posts.Topic)
				return ui.Home(v), err
			}})
}

func (s *Site) postList(w http.ResponseWriter, r *http.Request) error {
	chosen, _ := tags.NormalizeAll(r.URL.Query()["tag"]) // what is no tag filters nothing
	slices.Sort(chosen)
	chosen = chosen[:min(len(chosen), 10)]
	page := pageNumber(r)
	topics := []string{posts.Topic}
	return s.show(w, r,
		view{key: address{
			"/posts", listQuery(chosen, page),
		}, topics: topics, read: func(ctx context.Context, rd repo.Reader) (templ.Component, error) {
			list, total, err := posts.List(ctx, rd, posts.Filter{
				Labels: chosen, PinnedFirst: true, Offset: (page - 1) * pagePosts, Limit: pagePosts,
			})
			if err != nil {
				return nil, err
			}
			if len(list) == 0 && page > 1 {
				return nil, apperr.Errorf(apperr.NotFound, "The list has no page %d.", page)
			}
			v := ui.PostListView{Page: s.page(r, "Posts", ui.NavPosts), List: uiList(posts.Topic, list, pagePosts, total, page)}
			v.Page.Canonical = s.absolute(listURL("/posts", chosen, page))
			v.Page.NoIndex = len(chosen) > 0
			v.Pager = pager("/posts", chosen, page, total, pagePosts)
			if len(chosen) > 0 {
				v.Clear = "/posts"
			}
			visible, err := tags.Visible(ctx, rd)
			if err != nil {
				return nil, err
			}
			v.Filters = filters(visible, chosen)
			mode, listTopics := listMode(page), []string{posts.Topic}
			if len(chosen) > 0 {
				listTopics = nil
				for _, l := range chosen {
					listTopics = append(listTopics, tags.Topic(l))
				}
				if len(listTopics) == 1 {
					v.List.Topic = listTopics[0]
				} else if page == 1 {
					mode = ui.LiveRefetch
				}
			}
			v.Page.Live, err = follow(ctx, rd, mode, listTopics...)
			if len(list) == 0 && len(chosen) > 0 {
				return unkept{ui.PostList(v)}, err
			}
			return ui.PostList(v), err
		}})
}

func listMode(page int) string {
	if page > 1 {
		return ui.LiveNotice
	}
	return ui.LiveList
}

func (s *Site) post(w http.ResponseWriter, r *http.Request) error {
	typed := chi.URLParam(r, "slug")
	notFound := apperr.Errorf(apperr.NotFound, "There is no such post.")
	slug, problem := posts.CheckSlug(typed)
	if problem != "" {
		return notFound
	}
	if slug == typed {
		err := s.show(w, r, s.postView(r, slug))
		if !errors.Is(err, apperr.NotFound) {
			return err
		}
	}
	return s.moved(w, r, notFound, func(ctx context.Context, rd repo.Reader) (string, error) {
		if slug != typed { // the slug was typed in capitals, for example
			p, err := posts.BySlug(ctx, rd, slug)
			if err == nil && p.Visible() {
				return slug, nil
			}
			if err != nil && !errors.Is(err, apperr.NotFound) {
				return "", err
			}
		}
		return posts.Moved(ctx, rd, slug)
	})
}

func (s *Site) postView(r *http.Request, slug string) view {
	_, signed := userOf(r.Context())
	return view{key: address{path: "/posts/" + slug}, topics: []string{
		posts.PostTopic(slug), posts.Topic,
	}, read: func(ctx context.Context, rd repo.Reader) (templ.Component, error) {
		p, err := posts.BySlug(ctx, rd, slug)
		if err != nil {
			return nil, err
		}
		if !p.Visible() && !signed {
			return nil, apperr.Errorf(apperr.NotFound, "There is no such post.")
		}
		v := ui.PostView{Page: s.page(r, p.Title, ""), Post: uiPost(p)}
		v.Page.Description, v.Page.Canonical = firstOf(p.Description, p.Excerpt), s.absolute(postURL(slug))
		if signed {
			v.EditURL, v.Status = editURL(p.ID), s.statusLine(p.Card)
			v.Page.NoIndex = !p.Visible()
		}
		if !p.Visible() {
			return ui.PostPage(v), nil
		}
		newer, older, err := posts.Neighbours(ctx, rd, p.Card)
		if err != nil {
			return nil, err
		}
		v.Newer, v.Older = link(newer), link(older)
		v.Page.Live, err = follow(ctx, rd, ui.LivePost, posts.PostTopic(slug))
		return ui.PostPage(v), err
	}}
}

// moved redirects to the post whose slug find returns, or fails with notFound.
func (s *Site) moved(
	w http.ResponseWriter, r *http.Request, notFound error, find func(context.Context, repo.Reader) (string, error),
) error {
	var slug string
	err := s.readAndAdvance(w, r, func(ctx context.Context, rd repo.Reader) error {
		var err error
		slug, err = find(ctx, rd)
		return err
	})
	if errors.Is(err, apperr.NotFound) {
		return notFound
	}
	if err != nil {
		return err
	}
	s.redirect(w, r, postURL(slug), http.StatusMovedPermanently)
	return nil
}

func (s *Site) permalink(w http.ResponseWriter, r *http.Request) error {
	notFound := apperr.Errorf(apperr.NotFound, "There is no such page.")
	path, problem := posts.CheckPermalink(r.URL.Path)
	if problem != "" || !reads(r) {
		return notFound
	}
	return s.moved(w, r, notFound, func(ctx context.Context, rd repo.Reader) (string, error) {
		return posts.Permalink(ctx, rd, path)
	})
}

func (s *Site) tagList(w http.ResponseWriter, r *http.Request) error {
	return s.show(w, r,
		view{key: address{path: "/tags"}, topics: []string{posts.Topic},
			read: func(ctx context.Context, rd repo.Reader) (templ.Component, error) {
				v := ui.TagsView{Page: s.page(r, "Tags", ui.NavTags)}
				v.Page.Canonical = s.absolute("/tags")
				visible, err := tags.Visible(ctx, rd)
				if err != nil {
					return nil, err
				}
				v.Tags = uiTags(visible)
				v.Page.Live, err = follow(ctx, rd, ui.LiveRefetch, posts.Topic)
				return ui.Tags(v), err
			}})
}

func (s *Site) tag(w http.ResponseWriter, r *http.Request) error {
	label, err := tags.Normalize(chi.URLParam(r, "label"))
	notFound := apperr.Errorf(apperr.NotFound, "There is no such tag.")
	if err != nil {
		return notFound
	}
	page := pageNumber(r)
	topic := tags.Topic(label)
	return s.show(w, r,
		view{key: address{
			"/tags/" + label, listQuery(nil, page),
		}, topics: []string{topic}, read: func(ctx context.Context, rd repo.Reader) (templ.Component, error) {
			list, total, err := posts.List(ctx, rd, posts.Filter{
				Labels: []string{label}, PinnedFirst: true, Offset: (page - 1) * pagePosts, Limit: pagePosts,
			})
			if err != nil {
				return nil, err
			}
			if len(list) == 0 {
				return nil, notFound
			}
			v := ui.TagView{
				Page: s.page(r, label, ui.NavTags), Label: label, Count: total, List: uiList(topic, list, pagePosts, total, page),
			}
			v.Pager = pager("/tags/"+url.PathEscape(label), nil, page, total, pagePosts)
			v.Page.Canonical = s.absolute(listURL("/tags/"+url.PathEscape(label), nil, page))
			v.Page.Live, err = follow(ctx, rd, listMode(page), topic)
			return ui.Tag(v), err
		}})
}

func (s *Site) search(w http.ResponseWriter, r *http.Request) error {
	// Spaces have no meaning, so they make no other page.
	query := strings.Join(strings.Fields(strings.ToValidUTF8(r.URL.Query().Get("q"), "\ufffd")), " ")
	page := pageNumber(r)
	key := address{"/search", searchURL(query, listURL("", nil, page))}
	return s.show(w, r,
		view{key: key, cache: s.caches.searches, search: query != "", topics: []string{posts.Topic},
			read: func(ctx context.Context, rd repo.Reader) (templ.Component, error) {
				found, err := posts.Search(ctx, rd, query, page)
				if err != nil {
					return nil, err
				}
				v := ui.SearchView{
					Page: s.page(r, "Search", ui.NavSearch), Query: query, Message: found.Message, Total: found.Total,
				}
				v.Page.NoIndex = true
				for _, f := range found.List {
					v.Results = append(v.Results, ui.Result{
						Slug: f.Slug, Title: uiSegments(f.Title), Snippet: uiSegments(f.Snippet), PublishedAt: f.PublishedAt,
						Tags: f.Labels,
					})
				}
				v.Pager = pager("/search", nil, page, found.Total, posts.SearchPage)
				for _, u := range []*string{&v.Pager.Newer, &v.Pager.Older} {
					if *u != "" {
						*u = searchURL(query, *u)
					}
				}
				return ui.Search(v), nil
			}})
}

// searchURL returns a page's address with the query.
func searchURL(query, page string) string {
	joint := "?"
	if strings.Contains(page, "?") {
		joint = "&"
	}
	return page + joint + "q=" + url.QueryEscape(query)
}

// pageNumber returns the number of the page that is asked for, from 1.
func pageNumber(r *http.Request) int {
	n, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil || n < 1 || n > 100_000 {
		return 1
	}
	return n
}
