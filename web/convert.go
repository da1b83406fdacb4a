package web

import (
	"net/url"
	"slices"
	"strconv"

	"blog/internal/posts"
	"blog/internal/tags"
	"blog/web/ui"
)

func postURL(slug string) string { return "/posts/" + url.PathEscape(slug) }

func editURL(id int64) string { return "/admin/posts/" + strconv.FormatInt(id, 10) + "/edit" }

func listURL(base string, chosen []string, page int) string {
	if q := listQuery(chosen, page); q != "" {
		return base + "?" + q
	}
	return base
}

// listQuery returns the query of a page of a list, or "" for the first page of the whole list.
func listQuery(chosen []string, page int) string {
	q := url.Values{}
	for _, l := range chosen {
		q.Add("tag", l)
	}
	if page > 1 {
		q.Set("page", strconv.Itoa(page))
	}
	return q.Encode()
}

func pager(base string, chosen []string, page, total, size int) ui.Pager {
	p := ui.Pager{Number: page, Total: max(1, (total+size-1)/size)}
	if page > 1 {
		p.Newer = listURL(base, chosen, page-1)
	}
	if page < p.Total {
		p.Older = listURL(base, chosen, page+1)
	}
	return p
}

func uiCard(c posts.Card) ui.Card {
	return ui.Card{
		ID: c.ID, Slug: c.Slug, Title: c.Title, Excerpt: firstOf(c.Description, c.Excerpt), Author: c.Author,
		PublishedAt: c.PublishedAt, ReadingMinutes: c.Minutes, Tags: c.Labels, Pinned: c.Pinned,
	}
}

func uiList(topic string, list []posts.Card, limit, total, page int) ui.List {
	l := ui.List{Topic: topic, Limit: limit, More: total > page*limit}
	for _, c := range list {
		l.Cards = append(l.Cards, uiCard(c))
	}
	return l
}

func uiTags(list []tags.Tag) []ui.TagCount {
	var out []ui.TagCount
	for _, t := range list {
		out = append(out, ui.TagCount{Label: t.Label, Count: t.Count})
	}
	return out
}

// filters returns a filter for each tag, which adds it to the chosen ones or removes it from them.
func filters(visible []tags.Tag, chosen []string) []ui.TagFilter {
	var out []ui.TagFilter
	for _, t := range visible {
		active := slices.Contains(chosen, t.Label)
		next := slices.DeleteFunc(slices.Clone(chosen), func(l string) bool { return l == t.Label })
		if !active {
			next = append(next, t.Label)
		}
		out = append(out, ui.TagFilter{Label: t.Label, URL: listURL("/posts", next, 1), Active: active})
	}
	return out
}

func uiPost(p posts.Post) ui.Post {
	out := ui.Post{
		ID: p.ID, Slug: p.Slug, Title: p.Title, Description: p.Description, Author: p.Author, PublishedAt: p.PublishedAt,
		ReadingMinutes: p.Minutes, Tags: p.Labels, Body: p.HTML,
	}
	// An edit that published the post, or one within a day of it, does not count as an update.
	if p.Visible() && p.UpdatedAt.Sub(p.PublishedAt).Hours() > 24 && p.UpdatedAt.Sub(p.CreatedAt).Hours() > 24 {
		out.UpdatedAt = p.UpdatedAt
	}
	for _, h := range p.Headings {
		out.TOC = append(out.TOC, ui.Heading{Level: h.Level, ID: h.ID, Text: h.Text})
	}
	return out
}

func uiSegments(list []posts.Segment) []ui.Segment {
	var out []ui.Segment
	for _, s := range list {
		out = append(out, ui.Segment{Text: s.Text, Hit: s.Hit})
	}
	return out
}

func link(c *posts.Card) *ui.Link {
	if c == nil {
		return nil
	}
	return &ui.Link{Title: c.Title, URL: postURL(c.Slug)}
}

// statusLine returns the state of a post, for an author who sees it.
func (s *Site) statusLine(c posts.Card) string {
	switch c.State {
	case posts.Draft:
		return "Draft"
	case posts.Scheduled:
		return "Scheduled for " + c.PublishedAt.In(s.Location).Format("2 January 2006, 15:04") + " (" + s.Zone + ")"
	}
	return ""
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
