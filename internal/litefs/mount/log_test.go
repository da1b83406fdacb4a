package mount_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"blog/internal/litefs/mount"
)

// TestRetriesAreLoggedOnce: a primary that is away must not fill the disk with it.
func TestRetriesAreLoggedOnce(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	w := mount.NewLineWriter(slog.New(slog.NewTextHandler(&out, nil)), func() time.Time { return now })
	say := func(line string) {
		if _, err := fmt.Fprintln(w, line); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		say(`B5A4: existing primary found (10.0.0.1:4001), connecting as replica to "http://10.0.0.1:20202"`)
		say("B5A4: disconnected from primary with error, retrying: connection refused")
	}
	say("B5A4: begin primary handoff")
	say("B5A4: begin primary handoff")
	if n := strings.Count(out.String(), "\n"); n != 4 {
		t.Errorf("%d lines, want one of each retry and all others:\n%s", n, out.String())
	}
	now = now.Add(time.Minute)
	out.Reset()
	say("B5A4: disconnected from primary with error, retrying: connection refused")
	if !strings.Contains(out.String(), "hidden_before=99") {
		t.Errorf("a minute later: %s, want with %q", out.String(), "hidden_before=99")
	}
}
