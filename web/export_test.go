package web

import (
	"time"

	"blog/internal/repo"
)

// SetCatchUp changes how long a reader's position is waited for, between two requests.
func (s *Site) SetCatchUp(d time.Duration) { s.patience = d }

// Sign returns the cookie of a position.
func (s *Site) Sign(c repo.Cursor) string { return s.signer.sign(c.String()) }

// Absent lets the tests note rows that were waited for in vain.
type Absent struct{ a absent }

func (a *Absent) Note(c, feed repo.Cursor, now time.Time) {
	a.a.note(c, feedState{at: feed}, now)
}

func (a *Absent) Known(c, feed repo.Cursor, now time.Time) bool {
	return a.a.known(c, feedState{at: feed}, now)
}

func (a *Absent) Len() int { return len(a.a.until) }

// SetPictures sets how many bytes the forms with pictures may have that s reads at a time.
func (s *Site) SetPictures(limit int64) { s.pictures = repo.NewBodies(limit) }
