package repo_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/repo/repotest"
)

// TestANodeThatAcceptsNoWritesSaysSo, in bubbles of synctest: when it begins, once a minute with for how long, and
// when it ends, here or because another node is the primary. What is tried each second is in no operator's log, and a
// lease that is given up and had again begins nothing anew.
func TestANodeThatAcceptsNoWritesSaysSo(t *testing.T) {
	for name, end := range map[string]struct {
		ends func(fit *atomic.Bool, node *repotest.Node)
		line string
	}{
		"until it can": {
			func(fit *atomic.Bool, _ *repotest.Node) { fit.Store(true) }, "takes writes again after 2m30s",
		},
		"until another can": {
			func(_ *atomic.Bool, node *repotest.Node) { node.Set(repotest.Replica("http://primary.example")) },
			"writes are taken by another node after 2m29.5s",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var fit atomic.Bool
				l := &ledger{refuse: func() error {
					if fit.Load() {
						return nil
					}
					return errInjected
				}}
				node, journal := repotest.NewNode(repotest.Unknown()), &repotest.Journal{}
				o := options(t, filepath.Join(t.TempDir(), "blog.db"), node)
				o.LiteFS, o.Durability, o.Logger = true, l, journal.JSON()
				repotest.MustOpen(t, o)
				synctest.Wait()
				node.Set(repotest.Primary())
				time.Sleep(80*time.Second + 500*time.Millisecond)
				node.Set(repotest.Unknown())
				time.Sleep(500 * time.Millisecond)
				node.Set(repotest.Primary())
				time.Sleep(68*time.Second + 500*time.Millisecond)
				end.ends(&fit, node)
				time.Sleep(10 * time.Minute)
				want := []string{
					"cannot take writes", "cannot take writes for 1m0s", "cannot take writes for 2m0s", end.line,
				}
				if diff := cmp.Diff(want, mustTrouble(t, journal)); diff != "" {
					t.Errorf("the log (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// mustTrouble returns what an operator's log says of a node's writes, with for how long.
func mustTrouble(t *testing.T, journal *repotest.Journal) []string {
	t.Helper()
	var out []string
	for line := range strings.Lines(journal.String()) {
		var entry struct {
			Level, Msg string
			For, After time.Duration
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if entry.Level == "DEBUG" || !strings.Contains(entry.Msg, "writes") {
			continue
		}
		for preposition, took := range map[string]time.Duration{" for ": entry.For, " after ": entry.After} {
			if took != 0 {
				entry.Msg += preposition + took.String()
			}
		}
		out = append(out, entry.Msg)
	}
	return out
}
