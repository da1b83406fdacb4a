//go:build linux

package mount_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"blog/internal/litefs/mount"
)

// TestFrozenPrimary: while a node waits for an answer of a primary whose machine still takes connections, it does not
// look whether the lease is free. So it waits for the beginning of that answer only, not until the connection is given up.
func TestFrozenPrimary(t *testing.T) {
	frozen, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // nobody accepts: the system does
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = frozen.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err = mount.NewClient().Stream(ctx, "http://"+frozen.Addr().String(), 1, nil, nil)
	if err == nil || !strings.Contains(err.Error(), "awaiting response headers") {
		t.Errorf("it ended with %v", err)
	}
}
