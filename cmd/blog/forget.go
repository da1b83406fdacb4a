package main

import (
	"context"
	"net/url"
	"time"

	"blog/internal/app"
	"blog/internal/cluster"
)

type nodeCmd struct {
	Forget nodeForgetCmd `cmd:"" help:"Take a node that is gone for good out of the status."`
}

type nodeForgetCmd struct {
	ID string `arg:"" name:"id" help:"The node's id, as blog status names it."`
}

// Help returns what kong shows below the usage.
func (nodeForgetCmd) Help() string {
	return `The primary forgets a node by itself a day after its last report; this does it at once.
A node that reports is not forgotten, nor is a member of the sync set, which a primary
takes out when it goes on alone. One that comes back after all is known again.`
}

// Run asks this machine's server, which asks the primary.
func (c nodeForgetCmd) Run(s *session) error {
	t, err := s.transport()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.ctx, statusLimit)
	defer cancel()
	var gone cluster.Forgotten
	if err := t.Post(ctx, s.base(), app.PathForget+"?"+url.Values{"id": {c.ID}}.Encode(), &gone); err != nil {
		return err
	}
	if s.json {
		s.print(gone)
	}
	heard := (time.Duration(gone.Heard) * time.Millisecond).Round(time.Second / 10)
	s.say("%s is forgotten: it was heard of %s ago.", gone.Node, heard)
	return nil
}
