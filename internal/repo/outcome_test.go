package repo_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-sqlite3"

	"blog/internal/apperr"
	"blog/internal/repo"
	"blog/internal/sqlite"
	"blog/internal/transport"
)

// result is an error of SQLite's with that extended result code.
func result(code sqlite3.ErrNoExtended) error {
	return fmt.Errorf("statement: %w", sqlite3.Error{Code: sqlite3.ErrNo(code & 0xff), ExtendedCode: code})
}

func unavailable(reason string) error {
	return apperr.NewUnavailable(reason, "As another phase says it.", 1, nil)
}

// In ruleExamples: whether Forward asks again.
const (
	final = false
	again = true
)

var refusal = apperr.Errorf(apperr.Conflict, "It has changed.")

// ruleExamples has at least one example for each rule.
var ruleExamples = []struct {
	phase  string
	rule   int // among those of the phase
	err    error
	reason string
	after  int // seconds
	again  bool
	key    bool
}{
	{"read", 0, sqlite.ErrStuck, apperr.DiskFull, 30, final, false},
	{"read", 1, fmt.Errorf("%w: %w", sqlite.ErrEnded, context.Canceled), apperr.Interrupted, 1, final, false},
	{"read", 2, fmt.Errorf("%w: %w", sqlite.ErrAbsent, result(14)), apperr.NoDatabase, 1, final, false},
	{"read", 3, result(14), apperr.CannotOpen, 1, final, false},
	{"read", 4, result(5), apperr.Busy, 1, again, false},
	{"read", 4, result(261), apperr.Busy, 1, again, false},
	{"read", 4, result(15), apperr.Busy, 1, again, false},
	{"read", 4, result(776), apperr.Busy, 1, again, false},

	{"prepare", 0, unavailable(apperr.DiskFull), apperr.DiskFull, 30, final, false},
	{"prepare", 1, unavailable(apperr.Interrupted), apperr.NotNow, 1, again, false},
	{"prepare", 1, unavailable(apperr.Busy), apperr.NotNow, 1, again, false},
	{"prepare", 1, unavailable(apperr.NoDatabase), apperr.NotNow, 1, again, false},

	{"receive", 0, io.ErrUnexpectedEOF, apperr.Interrupted, 1, final, false},

	{"start", 0, repo.ErrNotPrimary, apperr.WrongPrimary, 1, again, false},
	{"start", 1, errors.Join(repo.ErrStarting, io.EOF), apperr.NotNow, 1, again, false},
	{"start", 2, repo.ErrLeaving, apperr.NotNow, 1, again, false},
	{"start", 3, repo.ErrRoleChanged, apperr.NotNow, 1, again, false},
	{"start", 4, repo.ErrWriterEnded, apperr.NotNow, 1, again, false},
	{"start", 5, repo.ErrTooMany, apperr.Overloaded, 2, final, false},
	{"start", 6, repo.ErrExpired, apperr.Expired, 1, final, false},
	{"start", 7, repo.ErrNoCommand, apperr.UnknownCommand, 5, final, false},
	{"start", 8, repo.ErrNoField, apperr.UnknownCommand, 5, final, false},

	{"apply", 0, refusal, "", 0, final, false},
	{"apply", 0, fmt.Errorf("save: %w", apperr.NotFound), "", 0, final, false},
	{"apply", 1, result(13), apperr.DiskFull, 30, final, false},
	{"apply", 1, errors.Join(repo.ErrNoRoom, result(778)), apperr.DiskFull, 30, final, false},
	{"apply", 2, result(778), apperr.NotNow, 1, again, false},
	{"apply", 2, result(8), apperr.NotNow, 1, again, false},
	{"apply", 2, context.DeadlineExceeded, apperr.NotNow, 1, again, false},
	{"apply", 2, repo.ErrRolledBack, apperr.NotNow, 1, again, false},

	{"commit", 0, result(13), apperr.DiskFull, 30, final, false},
	{"commit", 0, errors.Join(repo.ErrNoRoom, result(778)), apperr.DiskFull, 30, final, false},
	{"commit", 1, result(778), apperr.OutcomeUnknown, 1, again, true},
	{"commit", 1, context.DeadlineExceeded, apperr.OutcomeUnknown, 1, again, true},

	{"confirm", 0, context.Canceled, apperr.OutcomeUnknown, 1, again, true},

	{"send", 0, repo.ErrNoPrimary, apperr.NoPrimary, 1, again, false},
	{"send", 1, fmt.Errorf("%w: %w", transport.ErrAddress, io.EOF), "", 0, final, false},
	{"send", 2, errors.Join(transport.ErrNotSent, io.EOF), apperr.NotNow, 1, again, false},
	{"send", 3, &apperr.Error{Code: apperr.Unauthorized, Reason: apperr.BadSecret}, apperr.BadSecret, 30, final, false},
	{"send", 4, io.ErrUnexpectedEOF, apperr.OutcomeUnknown, 1, again, true},

	{"deadline", 0, unavailable(apperr.NotNow), apperr.NoPrimary, 5, again, true},
	{"after unknown", 0, unavailable(apperr.DiskFull), apperr.OutcomeUnknown, 5, again, true},
	{"after unknown", 1, unavailable(apperr.NotNow), apperr.OutcomeUnknown, 5, again, true},

	{"server", 0, errors.Join(transport.ErrNotSent, io.EOF), apperr.NoServer, 1, final, false},
	{"server", 1, unavailable(apperr.OutcomeUnknown), apperr.OutcomeUnknown, 5, again, true},
}

// TestRules: what an error is to the caller, by how far the call had come.
func TestRules(t *testing.T) {
	covered := map[int]bool{}
	for _, c := range ruleExamples {
		first := slices.IndexFunc(repo.Rules(), func(r repo.Rule) bool { return r.Phase == c.phase })
		rule := repo.Rules()[first+c.rule]
		covered[first+c.rule] = true
		t.Run(fmt.Sprintf("%s: %s: %v", c.phase, rule.When, c.err), func(t *testing.T) {
			got := repo.Fail(c.phase, c.err, "k1", "more")
			if !errors.Is(got, c.err) {
				t.Errorf("got %v, which does not have the error as its cause, want %v", got, c.err)
			}
			if rule.Reason != c.reason {
				t.Errorf("the rule has the reason %q, want %q", rule.Reason, c.reason)
			}
			if again := repo.IsAskedAgain(got); again != c.again {
				t.Errorf("asked again: %t, want %t", again, c.again)
			}
			if c.reason == "" {
				if got != c.err { //nolint:errorlint // as it is
					t.Errorf("got %v, want it as it is", got)
				}
				return
			}
			e := apperr.From(got)
			want := apperr.Error{Code: apperr.Unavailable, Reason: c.reason, Message: e.Message, RetryAfter: c.after}
			if c.key {
				want.Key = "k1"
			}
			if diff := cmp.Diff(want, seen(got), uncaused); diff != "" {
				t.Errorf("what is seen of it (-want +got):\n%s", diff)
			}
		})
	}
	for i, r := range repo.Rules() {
		if !covered[i] {
			t.Errorf("got no example for the rule of %q at the phase %q, want one", r.When, r.Phase)
		}
	}
}

// TestErrorsWithoutARule: they are passed on as they are.
func TestErrorsWithoutARule(t *testing.T) {
	for _, phase := range []string{"read", "prepare", "start", "apply"} {
		if err := repo.Fail(phase, io.EOF, "k1"); err != io.EOF { //nolint:errorlint // as it is
			t.Errorf("%s: got %v, want %v", phase, err, io.EOF)
		}
	}
	for _, r := range repo.Rules() {
		if err := repo.Fail(r.Phase, nil, "k1"); err != nil {
			t.Errorf("%s: no error becomes %v, want none", r.Phase, err)
		}
	}
}

// TestRulesOfOneReasonAgree: whether a call is asked again follows from the reason alone, since only that is on the
// wire. After the last attempt nobody asks.
func TestRulesOfOneReasonAgree(t *testing.T) {
	last := []string{"deadline", "after unknown", "server"}
	next := map[string]string{}
	for _, r := range repo.Rules() {
		if slices.Contains(last, r.Phase) {
			if r.Next != "answered" {
				t.Errorf("%s, %s: %s, want %q", r.Phase, r.When, r.Next, "answered")
			}
			continue
		}
		if _, ok := next[r.Reason]; !ok {
			next[r.Reason] = r.Next
		}
		if want := next[r.Reason]; r.Next != want {
			t.Errorf("the reason %q is %s at the phase %q, want %s, as before", r.Reason, r.Next, r.Phase, want)
		}
	}
}
