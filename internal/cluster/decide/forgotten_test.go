package decide_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"blog/internal/apperr"
	"blog/internal/cluster/decide"
)

// TestWhoIsForgotten has the rows of DESIGN.md.
func TestWhoIsForgotten(t *testing.T) {
	knows := func(t *testing.T, p *primary, id string, want bool) {
		t.Helper()
		if uplinks, _ := p.s.Peer(id); (uplinks >= 0) != want {
			t.Errorf("%s is known: %t, want %t", id, uplinks >= 0, want)
		}
	}
	gone := func(t *testing.T, others ...string) *primary {
		t.Helper()
		p := MustPrimary(t, usual(), 5, others...)
		p.connect("C", 5, func(i *decide.Info) { i.Candidate = false })
		p.on(decide.UplinkClosed{ID: "C"})
		return p
	}
	refused := func(t *testing.T, p *primary, id string, code apperr.Code, says string) {
		t.Helper()
		_, _, err := p.s.Forget(p.at, id)
		if err == nil {
			t.Errorf("%s: got no error, want %s", id, code)
			return
		}
		if got := apperr.From(err).Code; got != code {
			t.Errorf("%s: got the code %s, want %s: %v", id, got, code, err)
		}
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %q, want %q in it", id, err, says)
		}
	}
	table(t, "a node that the primary knows", map[string]func(t *testing.T){
		"has not reported for a day": func(t *testing.T) {
			t.Helper()
			p := gone(t)
			p.at += 24*time.Hour + time.Second
			p.on(decide.Cleaned{Primary: true})
			knows(t, p, "C", false)
		},
		"has not reported for less than a day": func(t *testing.T) {
			t.Helper()
			p := gone(t)
			p.at += 24*time.Hour - time.Second
			p.on(decide.Cleaned{Primary: true})
			knows(t, p, "C", true)
			out, _, err := p.s.Forget(p.at, "C")
			if err != nil {
				t.Error(err)
			}
			if out.ID != "C" {
				t.Errorf("%q is forgotten, want %q", out.ID, "C")
			}
			if want := (24*time.Hour - time.Second).Milliseconds(); out.Heard != want {
				t.Errorf("it was heard of %d ms ago, want %d", out.Heard, want)
			}
			knows(t, p, "C", false)
			refused(t, p, "C", apperr.NotFound, "blog status --json")
			p.connect("S", 5)
			ids := func() []string { return p.s.NextHeartbeat("S", p.at, time.Time{}).Forgotten }
			if got := ids(); !slices.Equal(got, []string{"C"}) {
				t.Errorf("heartbeats say that %v are forgotten, want %v", got, []string{"C"})
			}
			p.on(decide.UplinkOpened{ID: "C"})
			if got := ids(); len(got) != 0 {
				t.Errorf("one that is back counts as forgotten: %v, want 0 of them", got)
			}
		},
		"has an uplink": func(t *testing.T) {
			t.Helper()
			p := gone(t)
			p.on(decide.UplinkOpened{ID: "C"})
			p.at += 48 * time.Hour
			p.on(decide.Cleaned{Primary: true})
			knows(t, p, "C", true)
			refused(t, p, "C", apperr.Conflict, "it reported")
		},
		"is in the sync set, or may be": func(t *testing.T) {
			t.Helper()
			p := MustPrimary(t, usual(), 5, "S")
			p.connect("S", 5)
			p.on(decide.UplinkClosed{ID: "S"})
			p.deaf = true
			p.at += 48 * time.Hour
			p.on(decide.Cleaned{Primary: true})
			knows(t, p, "S", true)
			refused(t, p, "S", apperr.Conflict, "in the sync set")

			p = MustPrimary(t, usual(), 5)
			p.until(func(e decide.Effect) bool { _, is := e.(decide.ReadStanding); return is })
			p.connect("S", 5)
			p.deaf = false
			p.answerCall()
			if !p.until(isWrite) {
				t.Fatal("P writes no set, want one with S")
			}
			p.on(decide.UplinkClosed{ID: "S"})
			refused(t, p, "S", apperr.Conflict, "in the sync set")
		},
		"is the primary itself": func(t *testing.T) {
			t.Helper()
			refused(t, gone(t), "P", apperr.Conflict, "the primary itself")
		},
		"was forgotten by an operator, on the primary before": func(t *testing.T) {
			t.Helper()
			p := gone(t)
			p.on(decide.TermEnded{Term: p.s.Term()})
			knows(t, p, "C", true)
			p.on(decide.HeartbeatReceived{Heartbeat: decide.Heartbeat{From: "S", Forgotten: []string{"C"}}})
			knows(t, p, "C", false)
		},
	})
}
