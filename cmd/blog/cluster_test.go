package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	if there.Replayed || !here.Replayed || here.Seq != there.Seq || here.Cursor != there.Cursor ||
		here.Post.Slug != there.Post.Slug {
		t.Errorf("on the replica %+v, with the same key on the primary %+v", there, here)
	}
	// When the command has ended, the replica's own copy has the write.
	if list := mustJSON[[]map[string]any](t, replica, "post", "list"); len(list) != 1 {
		t.Errorf("the replica lists %v", list)
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
		if a != b || a.code != 1 {
			t.Errorf("%v: on the primary %+v, on the replica %+v", args, a, b)
		}
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
		t.Errorf("import on the replica: %+v", sum)
	}
	if sum := mustJSON[imported](t, primary, "import", content); sum.Unchanged != 2 {
		t.Errorf("import on the primary: %+v", sum)
	}
	if st := mustJSON[map[string]any](t, replica, "status"); st["role"] != "replica" || st["litefs"] != true {
		t.Errorf("status: %v", st)
	}
}

// writesWaitForAPrimary stops the primary: without one, a write ends with exit code 3 and names its
// key. It is carried out when the primary is back.
func writesWaitForAPrimary(t *testing.T, c *cluster.Cluster, primary, replica *world) {
	t.Helper()
	c.Primary().Stop(t)
	o := replica.run(t, "post", "new", "--title", "Nobody takes this", "--key", "later", "--timeout", "2s")
	if o.code != 3 || !strings.Contains(o.err, "--key later") {
		t.Errorf("without a primary: exit code %d: %s", o.code, o.err)
	}
	if o := primary.run(t, "post", "list"); o.code != 3 {
		t.Errorf("on a node that has ended: exit code %d: %s%s", o.code, o.out, o.err)
	}
	c.Primary().Restart(t)
	if again := mustJSON[written](t, replica, "post", "new", "--title", "Nobody takes this", "--key",
		"later"); again.Replayed {
		t.Errorf("it had been done: %+v", again)
	}
}

// forgetsANode stops the replica: a node is forgotten by its id once it is gone, and not before.
func forgetsANode(t *testing.T, c *cluster.Cluster, primary, replica *world) {
	t.Helper()
	st := mustJSON[app.Status](t, primary, "status")
	if len(st.Nodes) != 2 {
		t.Fatalf("%d nodes: %+v", len(st.Nodes), st.Nodes)
	}
	gone := st.Nodes[1]
	for _, at := range []*world{primary, replica} {
		if o := at.run(t, "node", "forget", gone.ID); o.code != 1 || !strings.Contains(o.err, "Stop it first") {
			t.Errorf("one that is there: %+v", o)
		}
	}
	c.Replicas()[0].Stop(t)
	var answer outcome
	repotest.Eventually(t, time.Minute, "its uplink ends", func() bool {
		answer = primary.run(t, "node", "forget", gone.ID, "--json")
		return answer.code == 0
	})
	got := decode[nodes.Forgotten](t, answer.out)
	if got.ID != gone.ID || got.Node != gone.Node || got.Heard <= 0 {
		t.Errorf("forgotten: %+v, want %s, %s", got, gone.ID, gone.Node)
	}
	if st := mustJSON[app.Status](t, primary, "status"); len(st.Nodes) != 1 {
		t.Errorf("it is still there: %+v", st.Nodes)
	}
}
