package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"blog/internal/posts"
	"blog/internal/repo"
)

type postCmd struct {
	New       postNewCmd       `cmd:"" help:"Write a post and publish it, or keep it as a draft."`
	Edit      postEditCmd      `cmd:"" help:"Change what is given of a post and leave the rest."`
	Publish   postPublishCmd   `cmd:"" help:"Publish a post, now or at a date."`
	Unpublish postUnpublishCmd `cmd:"" help:"Make a post a draft again."`
	Pin       postPinCmd       `cmd:"" help:"Make a post come first in lists; enough of them fill the home page."`
	Unpin     postUnpinCmd     `cmd:"" help:"Put a post back in its place by date."`
	Delete    postDeleteCmd    `cmd:"" help:"Delete a post."`
	List      postListCmd      `cmd:"" help:"List all posts, drafts too."`
	Show      postShowCmd      `cmd:"" help:"Show a post."`
}

// target is the post of a command.
type target struct {
	Slug string `arg:"" help:"The post's slug."`
}

func (t target) post() posts.Target { return posts.Target{Post: t.Slug} }

// writtenPost is the post in the answer of a write.
type writtenPost struct {
	ID       int64       `json:"id"`
	Slug     string      `json:"slug"`
	State    posts.State `json:"state"`
	Draft    bool        `json:"draft"`
	Revision int64       `json:"revision"`
	URL      string      `json:"url"`
}

func (s *session) written(ref posts.Ref) writtenPost {
	return writtenPost{
		ID: ref.ID, Slug: ref.Slug, State: ref.State, Draft: ref.State == posts.Draft, Revision: ref.Revision,
		URL: s.postURL(ref.Slug),
	}
}

// postURL returns a post's address, which is relative when the host is not configured.
func (s *session) postURL(slug string) string {
	return s.config.Address() + "/posts/" + url.PathEscape(slug)
}

// writePost runs a command about a post and prints its result; done says what it did.
func writePost[C repo.Command[posts.Ref]](s *session, w writing, cmd C, done string) error {
	return s.write(func(to repo.Writer) error {
		ctx, cancel := w.within(s.operator())
		defer cancel()
		ref, receipt, err := repo.Do[posts.Ref](ctx, to, cmd, repo.WithKey(w.Key))
		if err != nil {
			return again(err, receipt.Key)
		}
		if s.json {
			s.print(struct {
				repo.Receipt
				Post writtenPost `json:"post"`
			}{receipt, s.written(ref)})
			return nil
		}
		if ref.Unchanged {
			done = "Nothing to change"
		}
		s.say("%s: %s (%s, revision %d)", done, s.postURL(ref.Slug), ref.State, ref.Revision)
		return nil
	})
}

// changing has the flags of all commands that change one thing of a post.
type changing struct {
	target
	Revision int64 `help:"Refuse when the post has another revision."`
	writing
}

type postPublishCmd struct {
	changing
	At string `placeholder:"DATE" help:"${help_post_at}"`
}

// Run publishes the post.
func (c postPublishCmd) Run(s *session) error {
	at, err := s.date(c.At)
	if err != nil {
		return err
	}
	return writePost(s, c.writing, posts.Publish{Target: c.post(), Revision: c.Revision, At: at}, "Published")
}

type postUnpublishCmd struct{ changing }

// Run makes the post a draft.
func (c postUnpublishCmd) Run(s *session) error {
	return writePost(s, c.writing, posts.Unpublish{Target: c.post(), Revision: c.Revision}, "A draft again")
}

type postPinCmd struct{ changing }

// Run pins the post.
func (c postPinCmd) Run(s *session) error {
	return writePost(s, c.writing, posts.Pin{Target: c.post(), Revision: c.Revision}, "Pinned")
}

type postUnpinCmd struct{ changing }

// Run unpins the post.
func (c postUnpinCmd) Run(s *session) error {
	return writePost(s, c.writing, posts.Unpin{Target: c.post(), Revision: c.Revision}, "No longer pinned")
}

type postDeleteCmd struct{ changing }

// Run deletes the post.
func (c postDeleteCmd) Run(s *session) error {
	return writePost(s, c.writing, posts.Delete{Target: c.post(), Revision: c.Revision}, "Deleted")
}

// listedPost is a post in a list.
type listedPost struct {
	ID          int64       `json:"id"`
	Slug        string      `json:"slug"`
	Title       string      `json:"title"`
	State       posts.State `json:"state"`
	Draft       bool        `json:"draft"`
	Pinned      bool        `json:"pinned"`
	PublishedAt *time.Time  `json:"published_at"`
	Tags        []string    `json:"tags"`
	Author      string      `json:"author"`
	Revision    int64       `json:"revision"`
}

func listed(c posts.Card) listedPost {
	p := listedPost{
		ID: c.ID, Slug: c.Slug, Title: c.Title, State: c.State, Draft: c.State == posts.Draft,
		Pinned: c.Pinned != 0, Tags: c.Labels, Author: c.Author, Revision: c.Revision,
	}
	if !c.PublishedAt.IsZero() {
		p.PublishedAt = &c.PublishedAt
	}
	return p
}

type postListCmd struct {
	Tag []string `placeholder:"TAG" help:"Only posts with one of these tags."`
}

// Run lists all posts of this node's copy.
func (c postListCmd) Run(s *session) error {
	var cards []posts.Card
	err := s.read(func(rd repo.Reader) error {
		var err error
		cards, _, err = posts.List(s.ctx, rd, posts.Filter{Hidden: true, Labels: c.Tag})
		return err
	})
	if err != nil {
		return err
	}
	out := make([]listedPost, 0, len(cards))
	for _, card := range cards {
		p := listed(card)
		out = append(out, p)
		s.say("%-10s %-10s %s  (%s)%s", day(p.PublishedAt), p.State, p.Title, p.Slug, pinnedText(p))
	}
	if s.json {
		s.print(out)
	}
	return nil
}

// pinnedText returns the text behind a pinned post.
func pinnedText(p listedPost) string {
	if p.Pinned {
		return ", pinned"
	}
	return ""
}

func day(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format(time.DateOnly)
}

type postShowCmd struct{ target }

// Run shows one post of this node's copy.
func (c postShowCmd) Run(s *session) error {
	var p posts.Post
	err := s.read(func(rd repo.Reader) error {
		var err error
		p, err = c.post().Find(s.ctx, rd)
		return err
	})
	if err != nil {
		return err
	}
	if s.json {
		s.print(struct {
			listedPost
			Description string    `json:"description"`
			Body        string    `json:"body"`
			Permalinks  []string  `json:"permalinks"`
			CreatedAt   time.Time `json:"created_at"`
			UpdatedAt   time.Time `json:"updated_at"`
			URL         string    `json:"url"`
		}{listed(p.Card), p.Description, p.Body, p.Permalinks, p.CreatedAt, p.UpdatedAt, s.postURL(p.Slug)})
		return nil
	}
	head := fmt.Sprintf("%s\n%s, by %s, %s, revision %d%s", p.Title, p.State, p.Author, day(listed(p.Card).PublishedAt),
		p.Revision, pinnedText(listed(p.Card)))
	if len(p.Labels) > 0 {
		head += "\ntags: " + strings.Join(p.Labels, ", ")
	}
	s.say("%s\n%s\n\n%s", head, s.postURL(p.Slug), p.Body)
	return nil
}
