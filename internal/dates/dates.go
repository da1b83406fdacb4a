// Package dates owns clock.reset: the one command whose row may be dated earlier than
// the row before it. It puts right what a clock that was ahead has dated, as far as
// nobody need decide it; posts that have come out are the operator's to decide about.
package dates

import (
	"context"
	"time"

	"blog/internal/accounts"
	"blog/internal/media"
	"blog/internal/repo"
)

// Commands returns this package's commands for repo.NewRegistry.
func Commands() []repo.Registration {
	return []repo.Registration{repo.Register[Reset, Done]()}
}

// Reset makes the primary's clock what writes are dated with from now on, although the
// newest write is dated later. Without Force the clock has to be one that is believed:
// see package clock. Only the operator may.
type Reset struct {
	Force bool `json:"force,omitempty"`
}

// Done is the result of Reset.
type Done struct {
	Was      time.Time `json:"was"` // the newest write's date before
	Now      time.Time `json:"now"`
	Writes   int64     `json:"writes"`   // how many were dated after Now, and are dated Now
	Sessions int64     `json:"sessions"` // how many had begun after Now, and begin Now
}

// Name is "clock.reset".
func (Reset) Name() string { return repo.ClockReset }

// Apply dates everything later than now anew.
func (c Reset) Apply(ctx context.Context, tx *repo.Tx) (Done, error) {
	if tx.Actor().Name != repo.Operator {
		return Done{}, repo.Errorf(repo.Forbidden, "Only the operator resets the clock.")
	}
	was, writes, err := tx.Redate(ctx, c.Force)
	if err != nil {
		return Done{}, err
	}
	if !was.After(tx.Now()) {
		tx.NoChange() // nothing is dated by a clock that was ahead
		return Done{Was: was, Now: tx.Now()}, nil
	}
	sessions, err := accounts.Redate(ctx, tx)
	if err != nil {
		return Done{}, err
	}
	if err := media.Redate(ctx, tx); err != nil {
		return Done{}, err
	}
	return Done{Was: was, Now: tx.Now(), Writes: writes, Sessions: sessions}, nil
}
