//go:build compose

package compose_test

import (
	"os/exec"
	"regexp"
	"testing"

	"blog/test/cluster"
)

// old matches the version of the last docker-compose in Python, whose `config` reads other files
// than compose v2.
var old = regexp.MustCompile(`^docker-compose version 1\.29\.`)

// mustOld returns the path of docker-compose 1.29. The test fails without it: a file that it did
// not read has shown nothing.
func mustOld(t *testing.T) string {
	t.Helper()
	const install = "install it with `apt-get install docker-compose` on Debian bookworm, " +
		"elsewhere with `pip install docker-compose==1.29.2`"
	path, err := exec.LookPath("docker-compose")
	if err != nil {
		t.Fatalf("docker-compose 1.29 is not on the PATH: %s (%v)", install, err)
	}
	// Standard output alone: Python may warn beside it.
	// #nosec G204 -- the program that is searched for
	text, err := exec.CommandContext(t.Context(), path, "--version").Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", path, err, install)
	}
	if !old.Match(text) {
		t.Fatalf("%s is %q, want docker-compose 1.29: %s", path, text, install)
	}
	return path
}

// TestFileIsReadByBoth: docker-compose 1.29 and compose v2 both read compose.yml.
func TestFileIsReadByBoth(t *testing.T) {
	for _, p := range []string{cluster.Tool(t, "docker-compose"), mustOld(t)} {
		// #nosec G204 -- the two programs
		cmd := exec.CommandContext(t.Context(), p, "-f", "compose.yml", "config", "--quiet")
		cmd.Dir = cluster.Root(t)
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", p, err, text)
		}
	}
}
