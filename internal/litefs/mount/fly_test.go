package mount_test

import (
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"blog/internal/litefs/mount"
)

// flyFile are the values of fly.toml by table and key, such as "env.PRIVATE_ADDR". It reads what that file has of TOML:
// strings, numbers and truth values, a line each, and no table twice.
func flyFile(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(inRepository("fly.toml"))
	if err != nil {
		t.Fatal(err)
	}
	values, table := map[string]string{}, ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		key, value, found := strings.Cut(line, " = ")
		switch {
		case line == "", strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			table = strings.Trim(line, "[]") + "."
		case !found:
			t.Fatalf("fly.toml: %q is more than this test can read", line)
		default:
			if quoted, err := strconv.QuotedPrefix(value); err == nil {
				value = strings.Trim(quoted, `"`)
			}
			if _, twice := values[table+key]; twice {
				t.Fatalf("fly.toml: %s%s is there twice", table, key)
			}
			values[table+key] = value
		}
	}
	return values
}

// TestFlyFile: what the promises of docs/deploy.md rest on.
func TestFlyFile(t *testing.T) {
	fly := flyFile(t)
	for key, want := range map[string]string{
		"kill_signal": "SIGTERM", "deploy.strategy": "rolling", "deploy.max_unavailable": "1",
		"processes.app":      "on-fly blog mount",
		"mounts.destination": "/var/lib/litefs", "http_service.internal_port": "4000", "http_service.force_https": "true",
		"http_service.auto_stop_machines": "off", "http_service.auto_start_machines": "false",
		"http_service.checks.path": "/readyz", "http_service.checks.method": "GET",
		"env.CLIENT_IP_HEADER": "Fly-Client-IP", "env.DATABASE_PATH": "/litefs/blog.db",
		"env.PRIMARY_URL": "http://{hostname}",
	} {
		if fly[key] != want {
			t.Errorf("%s is %q, want %q", key, fly[key], want)
		}
	}
	const atLeast = 10 // a node ends within 8 s, LiteFS closes after it
	if s, err := strconv.Atoi(fly["kill_timeout"]); err != nil || s < atLeast {
		t.Errorf("kill_timeout is %q, want %d s at least", fly["kill_timeout"], atLeast)
	}
	for _, addr := range []string{"env.PRIVATE_ADDR", "env.LITEFS_ADDR"} {
		if !strings.HasPrefix(fly[addr], "fly-local-6pn:") {
			t.Errorf("%s is %q: others than this organization's machines reach it, want beginning with %q", addr, fly[addr],
				"fly-local-6pn:")
		}
	}
	if want := "http://" + fly["env.LITEFS_ADDR"]; fly["env.LITEFS_URL"] != want {
		t.Errorf("LITEFS_URL is %q, and LiteFS listens on %s", fly["env.LITEFS_URL"], want)
	}
}

// TestOnFly loads litefs.yml with what fly.toml and fly.sh make of a machine.
func TestOnFly(t *testing.T) {
	fly := flyFile(t)
	machine := []string{
		"PATH=" + os.Getenv("PATH"), "FLY_APP_NAME=my-blog", "FLY_MACHINE_ID=e2865517fe5078", "FLY_REGION=elsewhere",
		"FLY_CONSUL_URL=https://:token@consul.example/my-blog-1", "PRIMARY_REGION=" + fly["primary_region"],
	}
	for _, key := range slices.Sorted(maps.Keys(fly)) {
		if name, ok := strings.CutPrefix(key, "env."); ok {
			machine = append(machine, name+"="+fly[key])
		}
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
	port := func(addr string) string { return addr[strings.LastIndex(addr, ":"):] }
	const name = "e2865517fe5078.vm.my-blog.internal"
	l := cfg.Lease
	if l.Type != "consul" || l.Candidate || l.Hostname != name+port(fly["env.PRIVATE_ADDR"]) ||
		l.AdvertiseURL != "http://"+name+port(cfg.HTTP.Addr) || l.Consul.Key == "" || !cfg.SkipSync ||
		l.Consul.URL != "https://:token@consul.example/my-blog-1" || env["NODE"] != "e2865517fe5078" {
		t.Errorf("%+v of node %s", l, env["NODE"])
	}
	if cfg.Data.Dir != fly["mounts.destination"] {
		t.Errorf("data is kept in %s, and the volume is at %s", cfg.Data.Dir, fly["mounts.destination"])
	}
	env["PRIMARY_REGION"] = env["REGION"]
	if cfg, err = mount.Load(inRepository("litefs.yml"), environ(env)); err != nil || !cfg.Lease.Candidate {
		t.Errorf("in the primary region: candidate %t, %v, want no error and true", cfg.Lease.Candidate, err)
	}
}
