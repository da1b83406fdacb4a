package web

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"blog/internal/apperr"
	"blog/internal/live"
	"blog/internal/posts"
	"blog/internal/repo"
	"blog/web/ui"
)

// Render implements live.Renderer: it renders the present state of an entry of a topic with the very component of the
// page. What readers cannot see gives no frame, or Gone in a place where they may have seen it.
func (s *Site) Render(ctx context.Context, rd repo.Reader, t repo.Touch) (live.Frame, error) {
	if slug, ok := strings.CutPrefix(t.Topic, posts.PostTopic("")); ok {
		return s.renderPost(ctx, rd, slug)
	}
	id, err := strconv.ParseInt(t.Subject, 10, 64)
	if err != nil {
		return live.Frame{}, nil //nolint:nilerr // another kind of entry
	}
	gone := live.Frame{Type: live.Gone, ID: "post-" + t.Subject}
	card, err := posts.VisibleCard(ctx, rd, id)
	if errors.Is(err, apperr.NotFound) {
		return gone, nil
	}
	if err != nil {
		return live.Frame{}, err
	}
	if label, ok := strings.CutPrefix(t.Topic, "tag:"); ok && !contains(card.Labels, label) {
		return gone, nil
	}
	html, err := htmlOf(ctx, ui.PostCard(s.blog(), uiCard(card)))
	return live.Frame{Type: live.Change, ID: gone.ID, HTML: html}, err
}

func (s *Site) renderPost(ctx context.Context, rd repo.Reader, slug string) (live.Frame, error) {
	p, err := posts.BySlug(ctx, rd, slug)
	if err == nil && p.Visible() {
		html, herr := htmlOf(ctx, ui.Article(s.blog(), uiPost(p)))
		return live.Frame{Type: live.Change, HTML: html}, herr
	}
	if err != nil && !errors.Is(err, apperr.NotFound) {
		return live.Frame{}, err
	}
	to, err := posts.Moved(ctx, rd, slug)
	if errors.Is(err, apperr.NotFound) {
		return live.Frame{Type: live.Gone}, nil
	}
	if err != nil {
		return live.Frame{}, err
	}
	return live.Frame{Type: live.Moved, To: posts.PostTopic(to), URL: postURL(to)}, nil
}

func htmlOf(ctx context.Context, c templ.Component) (string, error) {
	b, err := bytesOf(ctx, c)
	return string(b), err
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}
