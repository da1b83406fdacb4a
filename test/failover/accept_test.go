package failover_test

import (
	"context"
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"testing"

	"blog/internal/app"
	"blog/internal/repo"
	"blog/test/cluster"
)

func passwordFile() io.Reader { return strings.NewReader("correct horse battery staple\n") }

func MustOutput(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v: %s", cmd.Args, err, text)
	}
	return string(text)
}

// TestAcceptLoss: the nodes with every acknowledged write are gone for good.
func TestAcceptLoss(t *testing.T) {
	w := MustWorld(t, 2)
	first, second := w.Nodes[0], w.Nodes[1]
	before := w.MustWrite(t, first, "Before")
	if out, err := second.Command(t.Context(), "accept-loss", "--yes").CombinedOutput(); err == nil {
		t.Errorf("accepted beside a living primary: %s", out)
	}
	if code := second.Stop(t); code != 0 {
		t.Errorf("the standby's exit code is %d", code)
	}
	w.MustSet(t, "node1")
	lost := w.MustWrite(t, first, "Lost")
	if lost.Assurance != repo.Alone {
		t.Errorf("acknowledged with %q and no standby", lost.Assurance)
	}
	first.Kill(t)
	second.Start(t)
	cluster.Poll(t, patience, "the old standby serves readers", func(ctx context.Context) error { return get(ctx, second.PublicURL+"/posts/before") })

	text := MustOutput(t, second.Command(t.Context(), "accept-loss"))
	if !strings.Contains(text, "node1") || !strings.Contains(text, "Nothing has been changed") {
		t.Errorf("without --yes: %s", text)
	}
	// The dead primary's lease has to end first.
	var loss app.Loss
	cluster.Poll(t, patience, "accepted", func(ctx context.Context) error {
		out, err := second.Command(ctx, "accept-loss", "--yes", "--json").Output()
		if err != nil {
			return err
		}
		return json.Unmarshal(out, &loss)
	})
	if !loss.Done || loss.Seq != before.Seq || loss.Known < before.Seq || len(loss.Before) != 1 || loss.Before[0] != "node1" {
		t.Errorf("%+v, want what came after %d given up", loss, before.Seq)
	}
	w.MustLead(t, second)
	again := w.MustWrite(t, second, "After")
	if again.Seq != lost.Seq {
		t.Errorf("the new history goes on at %d, want %d", again.Seq, lost.Seq)
	}

	// One that comes back after all takes the new history.
	first.Restart(t)
	w.MustSet(t, "node1", "node2")
	if err := get(t.Context(), first.PublicURL+"/posts/after"); err != nil {
		t.Error(err)
	}
	if err := get(t.Context(), first.PublicURL+"/posts/lost"); err == nil {
		t.Error("what was given up is still there")
	}
}
