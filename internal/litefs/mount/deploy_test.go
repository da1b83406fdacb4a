package mount_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"blog/internal/litefs/mount"
)

func inRepository(name string) string { return filepath.Join("..", "..", "..", name) }

// TestComposeFile loads litefs.yml as each node of compose.yml will: two of one region may be primary and no other,
// and everybody has addresses of its own.
func TestComposeFile(t *testing.T) {
	text, err := os.ReadFile(inRepository("compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct {
			Environment map[string]string
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	candidates, seen := map[string]string{}, map[string]string{}
	for name, service := range file.Services {
		env := service.Environment
		if env["LITEFS_LEASE"] == "" {
			continue // Consul and what is between regions
		}
		cfg, err := mount.Load(inRepository("litefs.yml"), environ(env))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if cfg.Lease.Candidate {
			candidates[name] = env["REGION"]
		}
		if cfg.Lease.Consul.TTL != 5*time.Second || !cfg.SkipSync || env["NODE"] != name {
			t.Errorf("%s is node %q: %+v, want Lease.Consul.TTL %v, SkipSync true and %q", name, env["NODE"], cfg, 5*time.Second,
				name)
		}
		// Behind one toxiproxy only the port tells who is meant.
		for _, addr := range []string{cfg.HTTP.Addr, env["PRIVATE_ADDR"]} {
			if other := seen[addr]; other != "" {
				t.Errorf("%s and %s both listen on %s, want none", name, other, addr)
			}
			seen[addr] = name
		}
		if want := "http://" + name + cfg.HTTP.Addr; cfg.Lease.AdvertiseURL != want {
			t.Errorf("%s is advertised as %s, and listens on %s", name, cfg.Lease.AdvertiseURL, want)
		}
		if want := name + env["PRIVATE_ADDR"]; cfg.Lease.Hostname != want {
			t.Errorf("%s has hostname %s, and listens on %s", name, cfg.Lease.Hostname, want)
		}
	}
	if len(candidates) != 2 || candidates["fra1"] != "fra" || candidates["fra2"] != "fra" || len(seen) != 8 {
		t.Errorf("candidates %v, addresses %v, want 2 of them, %q, %q and 8 of them", candidates, seen, "fra", "fra")
	}
}
