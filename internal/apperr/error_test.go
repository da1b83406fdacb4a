package apperr_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"blog/internal/apperr"
)

func TestErrorText(t *testing.T) {
	err := apperr.Errorf(apperr.NotFound, "no %s: %w", "x", context.Canceled)
	if got := err.Error(); strings.Count(got, "context canceled") != 1 {
		t.Errorf("%q says its cause more than once, want %q once", got, "context canceled")
	}
	if e := apperr.From(context.DeadlineExceeded); e.Code != apperr.Unavailable {
		t.Errorf("a context's end is %v, want %v", e.Code, apperr.Unavailable)
	}
}

// TestUnavailableIsRoundedUp: who comes back at the second that is named does not come too early.
func TestUnavailableIsRoundedUp(t *testing.T) {
	for after, want := range map[time.Duration]int{
		0: 1, time.Millisecond: 1, time.Second: 1, 1100 * time.Millisecond: 2, 2 * time.Second: 2,
	} {
		if got := apperr.NewUnavailable("", "Later.", after, nil).RetryAfter; got != want {
			t.Errorf("after %s: %d s, want %d", after, got, want)
		}
	}
}
