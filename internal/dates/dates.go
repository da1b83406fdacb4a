// Package dates owns clock.reset, the only command whose row may be dated earlier than the row
// before it. It corrects what a clock that was ahead has dated, as far as that needs no decision.
// The operator decides about posts that were published too early.
package dates

import (
	"context"
	"time"

	"blog/internal/accounts"
	"blog/internal/apperr"
	"blog/internal/media"
	"blog/internal/repo"
)

// Commands returns the commands of this package, for repo.NewRegistry.
func Commands() []repo.Registration {
	return []repo.Registration{repo.Register[Reset, Done]()}
}

// Reset is the command that dates writes by the primary's clock again, although the newest write is
// dated later. Without Force it fails unless the clock is believed (see package clock). Only the
// operator may run it.
type Reset struct {
	Force bool `json:"force,omitempty"`
}

// Done is the result of Reset.
type Done struct {
	Was      time.Time `json:"was"` // date of the newest write before
	Now      time.Time `json:"now"`
	Writes   int64     `json:"writes"`   // how many were dated later than Now, and are dated Now
	Sessions int64     `json:"sessions"` // how many began later than Now, and begin Now
}

// Name returns "clock.reset".
func (Reset) Name() string { return repo.ClockReset }

// Apply gives everything that is dated later than now the date now.
func (c Reset) Apply(ctx context.Context, tx *repo.Tx) (Done, error) {
	if tx.Actor().Name != repo.Operator {
		return Done{}, apperr.Errorf(apperr.Forbidden, "Only the operator resets the clock.")
	}
	was, writes, err := tx.Redate(ctx, c.Force)
	if err != nil {
		return Done{}, err
	}
	if !was.After(tx.Now()) {
		tx.NoChange() // no clock that was ahead has dated anything
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
