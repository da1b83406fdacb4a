package main

import "blog/internal/posts"

type postEndorseCmd struct {
	target
	By string `required:"" help:"Who endorses it."`
	writing
}

// Run endorses the post.
func (c postEndorseCmd) Run(s *session) error {
	return writePost(s, c.writing, posts.Endorse{Target: c.post(), By: c.By}, "Endorsed")
}
