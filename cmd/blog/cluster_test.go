package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/app"
	nodes "blog/internal/cluster"
	"blog/internal/repo/repotest"
	"blog/test/cluster"
)

// on returns the command line of an operator on a node.
func on(t *testing.T, n *cluster.Node) *world {
	t.Helper()
	cmd := n.Command(t.Context())
	return &world{dir: t.TempDir(), program: cmd.Path, env: cmd.Env}
}

// TestSameOnEveryNode runs the command line on the primary and on a replica: answers and refusals
// are the same, byte for byte, and a key counts on both.
func TestSameOnEveryNode(t *testing.T) {
	c := cluster.Start(t, cluster.Options{Nodes: 2})
	primary, replica := on(t, c.Primary()), on(t, c.Replicas()[0])
	replica.mustAuthor(t)

	answersAreTheSame(t, primary, replica)
	importsAreTheSame(t, c, primary, replica)
	writesWaitForAPrimary(t, c, primary, replica)
	forgetsANode(t, c, primary, replica)
}

func answersAreTheSame(t *testing.T, primary, replica *world) {
	t.Helper()
	args := []string{"post", "new", "--title", "Written far away", "--tag", "a", "--key", "k1"}
	there := mustJSON[written](t, replica, args...)
	here := mustJSON[written](t, primary, args...)
	if there.Replayed {
		t.Errorf("on the replica: got %+v, want it carried out", there)
	}
	if !here.Replayed {
		t.Errorf("with the same key on the primary: got %+v, want it replayed", here)
	}
	if here.Seq != there.Seq {
		t.Errorf("got the row %d on the primary, want the replica's %d", here.Seq, there.Seq)
	}
	if here.Cursor != there.Cursor {
		t.Errorf("got the cursor %q on the primary, want the replica's %q", here.Cursor, there.Cursor)
	}
	if here.Post.Slug != there.Post.Slug {
		t.Errorf("got the slug %q on the primary, want the replica's %q", here.Post.Slug, there.Post.Slug)
	}
	// When the command has ended, the replica's own copy has the write.
	if list := mustJSON[[]map[string]any](t, replica, "post", "list"); len(list) != 1 {
		t.Errorf("the replica lists %d posts, want 1: %v", len(list), list)
	}
	for _, args := range [][]string{
		{"post", "new", "--title", "Other", "--key", "k1"},
		{"post", "new", "--title", "", "--slug", "feed", "--tag", "//"},
		{"post", "new", "--title", "x", "--author", "bob@example.org"},
		{"post", "edit", "written-far-away", "--title", "x", "--revision", "9"},
		{"post", "edit", "nothing", "--title", "x", "--revision", "1"},
		{"post", "publish", "nothing"}, {"post", "unpublish", "nothing"}, {"post", "delete", "nothing"},
		{"post", "pin", "nothing"}, {"post", "unpin", "nothing"}, {"post", "pin", "written-far-away", "--revision", "9"},
		{"user", "logout", "bob@example.org"}, {"post", "show", "nothing"}, {"node", "forget", "nobody"},
	} {
		a, b := primary.run(t, append(args, "--json")...), replica.run(t, append(args, "--json")...)
		if diff := cmp.Diff(a, b, cmp.AllowUnexported(outcome{})); diff != "" {
			t.Errorf("%v (-on the primary +on the replica):\n%s", args, diff)
		}
		a.expectCode(t, fmt.Sprint(args), 1)
	}
}

func importsAreTheSame(t *testing.T, c *cluster.Cluster, primary, replica *world) {
	t.Helper()
	content := t.TempDir()
	picture, err := os.ReadFile(filepath.Join(cluster.Root(t), "content", "images", "leaf.png"))
	if err != nil {
		t.Fatal(err)
	}
	mustWriteFile(t, filepath.Join(content, "leaf.png"), string(picture))
	mustWriteFile(t, filepath.Join(content, "one.md"), "---\ntitle: One\n---\n![A leaf](leaf.png)\n")
	mustWriteFile(t, filepath.Join(content, "two.md"), "---\ntitle: Two\npublished_at: 2024-01-02\n---\nText.\n")
	if sum := mustJSON[imported](t, replica, "import", content); sum.New != 2 {
		t.Errorf("import on the replica: got %d new, want 2: %+v", sum.New, sum)
	}
	if sum := mustJSON[imported](t, primary, "import", content); sum.Unchanged != 2 {
		t.Errorf("import on the primary: got %d unchanged, want 2: %+v", sum.Unchanged, sum)
	}
	st := mustJSON[map[string]any](t, replica, "status")
	if st["role"] != "replica" {
		t.Errorf("status: got the role %v, want %q", st["role"], "replica")
	}
	if st["litefs"] != true {
		t.Errorf("status: got litefs %v, want true", st["litefs"])
	}
}

// writesWaitForAPrimary stops the primary: without one, a write ends with exit code 3 and names its
// key. It is carried out when the primary is back.
func writesWaitForAPrimary(t *testing.T, c *cluster.Cluster, primary, replica *world) {
	t.Helper()
	c.Primary().Stop(t)
	o := replica.run(t, "post", "new", "--title", "Nobody takes this", "--key", "later", "--timeout", "2s")
	o.expectCode(t, "without a primary", 3)
	o.expectErr(t, "without a primary", "--key later")
	primary.run(t, "post", "list").expectCode(t, "on a node that has ended", 3)
	c.Primary().Restart(t)
	if again := mustJSON[written](t, replica, "post", "new", "--title", "Nobody takes this", "--key",
		"later"); again.Replayed {
		t.Errorf("got %+v, want it carried out now, as it had not been done", again)
	}
}

// forgetsANode stops the replica: a node is forgotten by its id once it is gone, and not before.
func forgetsANode(t *testing.T, c *cluster.Cluster, primary, replica *world) {
	t.Helper()
	st := mustJSON[app.Status](t, primary, "status")
	if len(st.Nodes) != 2 {
		t.Fatalf("got %d nodes, want 2: %+v", len(st.Nodes), st.Nodes)
	}
	gone := st.Nodes[1]
	for _, at := range []*world{primary, replica} {
		o := at.run(t, "node", "forget", gone.ID)
		o.expectCode(t, "one that is there", 1)
		o.expectErr(t, "one that is there", "Stop it first")
	}
	c.Replicas()[0].Stop(t)
	var answer outcome
	repotest.Eventually(t, time.Minute, "its uplink ends", func() bool {
		answer = primary.run(t, "node", "forget", gone.ID, "--json")
		return answer.code == 0
	})
	got := decode[nodes.Forgotten](t, answer.out)
	if got.ID != gone.ID {
		t.Errorf("forgotten: got the id %q, want %q", got.ID, gone.ID)
	}
	if got.Node != gone.Node {
		t.Errorf("forgotten: got the node %q, want %q", got.Node, gone.Node)
	}
	if got.Heard <= 0 {
		t.Errorf("forgotten: got it heard of %v ago, want some time ago", got.Heard)
	}
	if st := mustJSON[app.Status](t, primary, "status"); len(st.Nodes) != 1 {
		t.Errorf("after it is forgotten: got %d nodes, want 1: %+v", len(st.Nodes), st.Nodes)
	}
}
