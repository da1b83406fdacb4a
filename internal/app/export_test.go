package app

import "context"

// Hang makes the closing of s wait until release is closed.
func (s *Server) Hang(release <-chan struct{}) {
	s.closing(func(context.Context) error { <-release; return nil })
}

// ErrUnclosed is what Run returns where closing took too long.
var ErrUnclosed = errUnclosed
