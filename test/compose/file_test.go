//go:build compose

package compose_test

import (
	"os/exec"
	"testing"

	"blog/test/cluster"
)

// TestFileIsReadByBoth: docker-compose 1.29, where it is installed, and compose v2.
func TestFileIsReadByBoth(t *testing.T) {
	programs := []string{cluster.Tool(t, "docker-compose")}
	if old, err := exec.LookPath("docker-compose"); err == nil {
		programs = append(programs, old)
	}
	for _, p := range programs {
		cmd := exec.CommandContext(t.Context(), p, "-f", "compose.yml", "config", "--quiet") // #nosec G204 -- the two programs
		cmd.Dir = cluster.Root(t)
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", p, err, text)
		}
	}
}
