package failover_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// mustAccept accepts the loss on n once the dead primary's lease has ended.
func mustAccept(t *testing.T, n *cluster.Node) app.Loss {
	t.Helper()
	var loss app.Loss
	cluster.Poll(t, patience, "accepted", func(ctx context.Context) error {
		out, err := n.Command(ctx, "accept-loss", "--yes", "--json").Output()
		if err != nil {
			return err
		}
		return json.Unmarshal(out, &loss)
	})
	return loss
}

func wantLoss(t *testing.T, got, want app.Loss) {
	t.Helper()
	a, err := json.Marshal(got)
	b, err2 := json.Marshal(want)
	if err = errors.Join(err, err2); err != nil || !bytes.Equal(a, b) {
		t.Errorf("given up is %s, %v, want %s", a, err, b)
	}
}

// TestAcceptLoss: the nodes with every acknowledged write are gone for good, and another node is
// accepted.
func TestAcceptLoss(t *testing.T) {
	w := MustWorld(t, 2)
	first, second := w.Nodes[0], w.Nodes[1]
	before := w.MustWrite(t, first, "Before")
	if out, err := second.Command(t.Context(), "accept-loss", "--yes").CombinedOutput(); err == nil {
		t.Errorf("accepted beside a living primary: %s", out)
	}
	if code := second.Stop(t); code != 0 {
		t.Errorf("the standby's exit code is %d, want 0", code)
	}
	w.MustSet(t, "node1")
	lost := w.MustWrite(t, first, "Lost")
	if lost.Assurance != repo.Alone {
		t.Errorf("acknowledged with %q and no standby, want %q", lost.Assurance, repo.Alone)
	}
	first.Kill(t)
	second.Start(t)
	cluster.Poll(t, patience, "the old standby serves readers", func(ctx context.Context) error {
		return get(ctx, second.PublicURL+"/posts/before")
	})

	text := MustOutput(t, second.Command(t.Context(), "accept-loss"))
	// When node1 took node2 out of the set it knew no write after the one before.
	want := fmt.Sprintf("Given up: every write after %d, the newest on node2; every acknowledged write was on node1. "+
		"None of them is known, but there may be some.\n"+
		"Nothing has been changed. To accept this: blog accept-loss --yes\n", before.Seq)
	if text != want {
		t.Errorf("without --yes: %s, want %s", text, want)
	}
	loss := mustAccept(t, second)
	wantLoss(t, loss, app.Loss{
		Node: "node2", Before: []string{"node1"}, Seq: before.Seq, Shared: &before.Seq, Known: before.Seq, Done: true,
	})
	w.MustBePrimary(t, second)
	again := w.MustWrite(t, second, "After")
	if again.Seq != lost.Seq {
		t.Errorf("the new history goes on at %d, want %d", again.Seq, lost.Seq)
	}

	// A node that comes back after all adopts the new history.
	first.Restart(t)
	w.MustSet(t, "node1", "node2")
	if err := get(t.Context(), first.PublicURL+"/posts/after"); err != nil {
		t.Error(err)
	}
	if err := get(t.Context(), first.PublicURL+"/posts/lost"); err == nil {
		t.Error("what was given up is still there")
	}
}

// TestAcceptLossOfAnOldPrimary: node1 dies with a row that no other node has. node2 becomes
// primary, acknowledges another row in its place and a further one alone, and is lost for good.
// What node1 gives up begins before its own newest row, which it retains.
func TestAcceptLossOfAnOldPrimary(t *testing.T) {
	w := mustStart(t, cluster.Options{Nodes: 2, Proxies: true})
	first, second := w.Nodes[0], w.Nodes[1]
	before := w.MustWrite(t, first, "Before")
	second.To(first).Replication.Cut(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if r, err := w.write(ctx, first, "Discarded", "k"); err == nil {
			t.Errorf("acknowledged: %+v", r)
		}
	}()
	cluster.Poll(t, patience, "node1 has the row", func(ctx context.Context) error {
		st, err := w.status(ctx, first)
		if err == nil && st.Seq != before.Seq+1 {
			err = fmt.Errorf("it is at %d", st.Seq)
		}
		return err
	})
	first.Kill(t)
	cancel()
	<-ended
	w.MustBePrimary(t, second)
	w.MustSet(t, "node2")
	w.MustWrite(t, second, "In its place")
	last := w.MustWrite(t, second, "Lost")
	second.Kill(t)
	first.Start(t)
	cluster.Poll(t, patience, "the old primary serves readers", func(ctx context.Context) error {
		return get(ctx, first.PublicURL+"/posts/discarded")
	})
	unshared := before.Seq + 1
	if last.Seq <= unshared {
		t.Fatalf("the last write is %d, want more than %d", last.Seq, unshared)
	}
	text := MustOutput(t, first.Command(t.Context(), "accept-loss"))
	// When node2 took node1 out of the set it knew no write after the one before.
	want := fmt.Sprintf("Given up: every write after %d that is not on node1; every acknowledged write was on node2. "+
		"None of them is known, but there may be some. "+
		"node1 has %d as well, and keeps what it has. Whether this is the write that was acknowledged under the same "+
		"number is not known.\n"+
		"Nothing has been changed. To accept this: blog accept-loss --yes\n", before.Seq, unshared)
	if text != want {
		t.Errorf("without --yes: %s, want %s", text, want)
	}
	loss := mustAccept(t, first)
	wantLoss(t, loss, app.Loss{
		Node: "node1", Before: []string{"node2"}, Seq: unshared, Shared: &before.Seq, Known: before.Seq, Done: true,
	})
	w.MustBePrimary(t, first)
	if again := w.MustWrite(t, first, "After"); again.Seq != unshared+1 {
		t.Errorf("the history goes on at %d, want %d", again.Seq, unshared+1)
	}
}
