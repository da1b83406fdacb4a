package mount_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
			t.Errorf("%s is node %q: %+v", name, env["NODE"], cfg)
		}
		// Behind one toxiproxy only the port tells who is meant.
		for _, addr := range []string{cfg.HTTP.Addr, env["PRIVATE_ADDR"]} {
			if other := seen[addr]; other != "" {
				t.Errorf("%s and %s both listen on %s", name, other, addr)
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
		t.Errorf("candidates %v, addresses %v", candidates, seen)
	}
}

// TestOnFly loads litefs.yml with what fly.sh makes of a machine.
func TestOnFly(t *testing.T) {
	machine := []string{
		"PATH=" + os.Getenv("PATH"), "FLY_APP_NAME=my-blog", "FLY_MACHINE_ID=e2865517fe5078", "FLY_REGION=nrt",
		"FLY_CONSUL_URL=https://:token@consul.example/my-blog-1", "PRIMARY_REGION=fra",
		// fly.toml
		"LITEFS_ADDR=fly-local-6pn:20202", "LITEFS_LEASE=consul", "LITEFS_CONSUL_KEY=blog", "LITEFS_SKIP_SYNC=true",
	}
	cmd := exec.CommandContext(t.Context(), inRepository("fly.sh"), "env")
	cmd.Env = machine
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		env[name] = value
	}
	cfg, err := mount.Load(inRepository("litefs.yml"), environ(env))
	if err != nil {
		t.Fatal(err)
	}
	l := cfg.Lease
	if l.Candidate || l.Hostname != "e2865517fe5078.vm.my-blog.internal:4001" ||
		l.AdvertiseURL != "http://e2865517fe5078.vm.my-blog.internal:20202" ||
		l.Consul.URL != "https://:token@consul.example/my-blog-1" || env["NODE"] != "e2865517fe5078" {
		t.Errorf("%+v of node %s", l, env["NODE"])
	}
	env["PRIMARY_REGION"] = "nrt"
	if cfg, err = mount.Load(inRepository("litefs.yml"), environ(env)); err != nil || !cfg.Lease.Candidate {
		t.Errorf("in the primary region: candidate %t, %v", cfg.Lease.Candidate, err)
	}
}
