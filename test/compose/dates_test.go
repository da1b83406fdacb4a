package compose_test

import (
	"strings"
	"testing"
	"time"

	"blog/internal/clock"
	"blog/internal/repo"
	"blog/test/compose"
)

// TestCheckDates: a row is dated within the bound of its call, and never before the row before it.
func TestCheckDates(t *testing.T) {
	begun := time.Date(2026, 5, 24, 8, 0, 0, 0, time.UTC)
	ops := []compose.Op{
		{Key: "a", Outcome: compose.OK, Call: 10 * time.Minute, Done: 11 * time.Minute},
		{Key: "lost", Outcome: compose.Unknown, Call: 0, Done: time.Minute},
	}
	for name, c := range map[string]struct {
		rows []compose.WriteRow
		want string // a part of the error; "" for none
	}{
		"in time": {[]compose.WriteRow{{Seq: 1, Key: "a", At: repo.FormatTime(begun.Add(10 * time.Minute))}}, ""},
		"within": {[]compose.WriteRow{
			{Seq: 1, Key: "a", At: repo.FormatTime(begun.Add(11*time.Minute + clock.Bound))},
		}, ""},
		"late": {[]compose.WriteRow{
			{Seq: 1, Key: "a", At: repo.FormatTime(begun.Add(12*time.Minute + clock.Bound))},
		}, "1m0s after key a was acknowledged"},
		"early": {[]compose.WriteRow{{Seq: 1, Key: "a", At: repo.FormatTime(begun.Add(8 * time.Minute))}},
			"1m0s before key a was asked for"},
		"unknown":     {[]compose.WriteRow{{Seq: 1, Key: "lost", At: repo.FormatTime(begun.Add(time.Hour))}}, ""},
		"of nobody's": {[]compose.WriteRow{{Seq: 1, Key: "other", At: repo.FormatTime(begun.Add(time.Hour))}}, ""},
		"before the last": {[]compose.WriteRow{
			{Seq: 1, Key: "x", At: repo.FormatTime(begun.Add(time.Hour))},
			{Seq: 2, Key: "y", At: repo.FormatTime(begun)},
		}, "row 2 is dated"},
	} {
		err := compose.CheckDates(&compose.Copy{Writes: c.rows}, ops, begun)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: got %v, want no error", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}
