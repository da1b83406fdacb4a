package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPortThatIsTaken: another program that answers on a node's port would be taken for the node.
func TestPortThatIsTaken(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taken, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("address %T", l.Addr())
	}
	n := &node{name: "node7", base: taken.Port}
	if err := n.free(t.Context()); err == nil || !strings.Contains(err.Error(), "node7 needs "+taken.String()) {
		t.Errorf("got %v, want who needs which address", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestEndOfANode: the error has the line with which this run has ended, and none of an earlier one.
func TestEndOfANode(t *testing.T) {
	t.Chdir(t.TempDir())
	n := &node{name: "node7"}
	const before = "blog: an earlier cause\n"
	if err := os.MkdirAll(n.dir(), 0o750); err != nil {
		t.Fatal(err)
	}
	text := before + "level=INFO msg=up\nblog: the cause\n"
	if err := os.WriteFile(filepath.Join(n.dir(), "log"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n.logged = int64(len(before))
	want := "node7 has ended (blog: the cause); its log is data/cluster/node7/log"
	if got := n.end("has ended").Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
