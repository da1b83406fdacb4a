package main

import (
	"fmt"
	"time"

	"blog/internal/dates"
	"blog/internal/posts"
	"blog/internal/repo"
)

type clockCmd struct {
	Reset clockResetCmd `cmd:"" help:"Date writes by the clock again, after a clock that was ahead."`
}

type clockResetCmd struct {
	Force bool `help:"Rely on the primary's clock as it is, although it is in doubt: blog status says why."`
	writing
}

// Help returns what kong shows below the usage.
func (clockResetCmd) Help() string {
	return `Dates of writes never go back, so one write by a clock that was ahead dates all that
come after it: posts come out before their time, and sessions end. Set the clocks of all
nodes by NTP, then let this command date writes by the primary's clock again. What was
dated later than now is dated now: writes, whose keys are honoured for 30 days from now,
sessions and pictures. Posts that are out although their date is to come are listed, and
stay as they are: unpublish them, or give them another date.`
}

// earlyPost is a post that is published before its date.
type earlyPost struct {
	ID          int64     `json:"id"`
	Slug        string    `json:"slug"`
	Title       string    `json:"title"`
	PublishedAt time.Time `json:"published_at"`
}

// Run resets the clock, and lists the posts that this machine's copy has as published before their
// date.
func (c clockResetCmd) Run(s *session) error {
	var done dates.Done
	var receipt repo.Receipt
	err := s.write(func(w repo.Writer) (err error) {
		ctx, cancel := c.within(s.operator())
		defer cancel()
		if done, receipt, err = repo.Do(ctx, w, dates.Reset{Force: c.Force}, repo.WithKey(c.Key)); err != nil {
			return again(err, receipt.Key)
		}
		return nil
	})
	if err != nil {
		return err
	}
	early := []earlyPost{}
	err = s.read(func(rd repo.Reader) error {
		cards, cerr := posts.After(s.ctx, rd, done.Now)
		early = early[:0]
		for _, p := range cards {
			early = append(early, earlyPost{p.ID, p.Slug, p.Title, p.PublishedAt})
		}
		return cerr
	})
	if err != nil {
		return fmt.Errorf("the clock is reset, but not known is which posts came out: %w", err)
	}
	if s.json {
		s.print(struct {
			repo.Receipt
			dates.Done
			Posts []earlyPost `json:"posts"`
		}{receipt, done, early})
		return nil
	}
	s.say("%s", resetText(done, early))
	return nil
}

func resetText(d dates.Done, early []earlyPost) string {
	text := fmt.Sprintf("Writes are dated by the clock, which says %s.", d.Now.Format(time.RFC3339))
	if d.Was.After(d.Now) {
		text += fmt.Sprintf(" The newest was dated %s.", d.Was.Format(time.RFC3339))
		text += fmt.Sprintf(" What was dated later than now is dated now: %d writes, %d sessions.", d.Writes, d.Sessions)
	}
	if len(early) == 0 {
		return text + "\nNo post is out before its date."
	}
	text += "\nThese posts are out although their date is to come; `blog post unpublish SLUG` takes one back:"
	for _, p := range early {
		text += fmt.Sprintf("\n  %s  %s  %s", p.PublishedAt.Format(time.RFC3339), p.Slug, p.Title)
	}
	return text
}
