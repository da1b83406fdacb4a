package posts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"blog/internal/repo"
)

// Segment is a piece of the text of a result. Hit is true when it is what was searched for.
type Segment struct {
	Text string
	Hit  bool
}

// Result is a post that a search found.
type Result struct {
	Slug        string
	Title       []Segment
	Snippet     []Segment
	PublishedAt time.Time
	Labels      []string
}

// Results is one page of a search. Total counts the results of all pages.
type Results struct {
	List  []Result
	Total int
	// Message says why nothing was searched for; it is "" when a search was made.
	Message string
}

// SearchPage is the number of results on a page.
const SearchPage = 20

// Characters that begin and end a hit in a text.
const (
	hitStart = "\x02"
	hitEnd   = "\x03"
)

// Search returns the visible posts that match query, best first, on the given page (from 1). No
// query is an error: one without a word to search for gives a Message.
func Search(ctx context.Context, rd repo.Reader, query string, page int) (Results, error) {
	p := parseQuery(query)
	switch {
	case strings.TrimSpace(query) == "":
		return Results{}, nil
	case len(p.groups) == 0:
		return Results{
			Message: "There is no word to look for in this. Words, \"exact phrases\", beginnings*, OR, -without and " +
				"title:word all work.",
		}, nil
	case p.unspaced():
		return scanFor(ctx, rd, p, page)
	}
	var out Results
	match := p.match()
	err := rd.QueryRowContext(ctx,
		"SELECT COUNT(*) FROM search JOIN posts p ON p.id = search.rowid WHERE search MATCH ? AND p.state = 'published'",
		match).Scan(&out.Total)
	if err != nil {
		return out, fmt.Errorf("search %q: %w", match, err)
	}
	rows, err := rd.QueryContext(ctx, `
		SELECT p.slug, highlight(search, 0, ?2, ?3), snippet(search, 2, ?2, ?3, '…', 32),
				p.description, p.published_at, p.labels
		FROM search
		JOIN posts p ON p.id = search.rowid
		WHERE search MATCH ?1 AND p.state = 'published'
		ORDER BY bm25(search, 10, 4, 1, 6), p.published_at DESC, p.id DESC
		LIMIT ?4 OFFSET ?5`, match, hitStart, hitEnd, SearchPage, max(0, page-1)*SearchPage)
	if err != nil {
		return out, fmt.Errorf("search %q: %w", match, err)
	}
	out.List, err = results(rows, nil)
	return out, err
}

// scanFor answers a search for terms in scripts without spaces by scanning all texts. Such a search
// is rare and a blog is small.
func scanFor(ctx context.Context, rd repo.Reader, p parsed, page int) (Results, error) {
	cond, args := p.like()
	where := " FROM posts WHERE state = 'published' AND (" + cond + ")"
	var out Results
	if err := rd.QueryRowContext(ctx, "SELECT COUNT(*)"+where, args...).Scan(&out.Total); err != nil {
		return out, fmt.Errorf("search texts: %w", err)
	}
	rows, err := rd.QueryContext(ctx,
		"SELECT slug, title, plain, description, published_at, labels"+where+
			" ORDER BY published_at DESC, id DESC LIMIT ? OFFSET ?",
		append(args, SearchPage, max(0, page-1)*SearchPage)...)
	if err != nil {
		return out, fmt.Errorf("search texts: %w", err)
	}
	out.List, err = results(rows, p.groups)
	return out, err
}

// results reads rows of slug, title, snippet, description, date and labels. With groups it marks
// the hits itself and cuts the snippet out of the text.
func results(rows *sql.Rows, groups [][]term) (_ []Result, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	out := []Result{}
	for rows.Next() {
		var r Result
		var title, snippet, description, at, labels string
		if err = rows.Scan(&r.Slug, &title, &snippet, &description, &at, &labels); err != nil {
			return nil, fmt.Errorf("read results: %w", err)
		}
		if groups != nil {
			title, snippet = mark(title, groups), around(snippet, groups)
		}
		if !strings.Contains(snippet, hitStart) && description != "" {
			snippet = description
			if groups != nil {
				snippet = mark(description, groups)
			}
		}
		if r.PublishedAt, err = repo.ParseTime(at); err != nil {
			return nil, err
		}
		r.Title, r.Snippet, r.Labels = segments(title), segments(snippet), splitLabels(labels)
		out = append(out, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	return out, nil
}
