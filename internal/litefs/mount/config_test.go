package mount_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/litefs/mount"
)

// environ makes a lookup of pairs.
func environ(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func mustWriteFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "litefs.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const static = "lease: {type: static, hostname: h, advertise-url: 'http://h:1'}\n"

func TestLoadDefaults(t *testing.T) {
	cfg, err := mount.Load(mustWriteFile(t, static), environ(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := mount.Config{
		ExitOnError: true,
		Data: mount.Data{
			Dir: "/var/lib/litefs", Compress: true, Retention: 10 * time.Minute, RetentionMonitorInterval: time.Minute,
		},
		FUSE: mount.FUSE{Dir: "/litefs"},
		HTTP: mount.HTTP{Addr: ":20202"},
		Lease: mount.Lease{
			Type: "static", Hostname: "h", AdvertiseURL: "http://h:1", Candidate: true,
			ReconnectDelay: time.Second, DemoteDelay: 10 * time.Second,
		},
		Log: mount.Log{Format: "text"},
	}
	if diff := cmp.Diff(want, cfg); diff != "" {
		t.Errorf("the configuration (-want +got):\n%s", diff)
	}
}

// TestTwoUnsetVariablesAreNotEqual: with none of them set every node would be a
// candidate, and with a static lease the primary of a database of its own.
func TestTwoUnsetVariablesAreNotEqual(t *testing.T) {
	text := static + "skip-sync: ${REGION == PRIMARY_REGION}\n"
	_, err := mount.Load(mustWriteFile(t, text), environ(nil))
	if err == nil || !strings.Contains(err.Error(), "neither REGION nor PRIMARY_REGION is set") {
		t.Errorf("got %v, want an error and with %q", err, "neither REGION nor PRIMARY_REGION is set")
	}
	if _, err := mount.Load(mustWriteFile(t, text), environ(map[string]string{"REGION": "ams"})); err != nil {
		t.Error(err)
	}
}

func TestLoadExpands(t *testing.T) {
	text := static + `
fuse: {dir: "${DIR}/mnt"}
data: {dir: $DATA}
skip-sync: ${REGION == 'ams'}
strict-verify: ${REGION != "ams"}
http: {addr: ${UNSET}}
exec:
  - cmd: ${APP} migrate
    if-candidate: ${ REGION == PRIMARY_REGION }
  - cmd: ${APP} serve
`
	cfg, err := mount.Load(mustWriteFile(t, text), environ(map[string]string{
		"DIR": "/a", "DATA": "/b", "REGION": "ams", "PRIMARY_REGION": "ams", "APP": "/bin/blog",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.FUSE.Dir != "/a/mnt" || cfg.Data.Dir != "/b" || !cfg.SkipSync || cfg.StrictVerify || cfg.HTTP.Addr != ":20202" {
		t.Errorf("%+v, want FUSE.Dir %q, Data.Dir %q, SkipSync true, StrictVerify false and HTTP.Addr %q", cfg, "/a/mnt",
			"/b", ":20202")
	}
	want := mount.Commands{{Cmd: "/bin/blog migrate", IfCandidate: true}, {Cmd: "/bin/blog serve"}}
	if diff := cmp.Diff(want, cfg.Exec); diff != "" {
		t.Errorf("exec (-want +got):\n%s", diff)
	}
}

func TestLoadConsul(t *testing.T) {
	text := `
http: {addr: "127.0.0.1:20202"}
lease:
  type: consul
  hostname: node-1
  consul: {url: "http://consul:8500/prefix", key: litefs/blog, ttl: 5s, lock-delay: 1ms}
`
	cfg, err := mount.Load(mustWriteFile(t, text), environ(nil))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Lease.AdvertiseURL != "http://node-1:20202" || cfg.Lease.Consul.TTL != 5*time.Second {
		t.Errorf("%+v, want AdvertiseURL %q and Consul.TTL %v", cfg.Lease, "http://node-1:20202", 5*time.Second)
	}
	text = strings.Replace(text, "hostname: node-1", "hostname: '${HOSTNAME}'", 1)
	cfg, err = mount.Load(mustWriteFile(t, text), environ(nil))
	if err != nil {
		t.Fatal(err)
	}
	if host, _ := os.Hostname(); cfg.Lease.Hostname != host {
		t.Errorf("hostname %q, want the system's %q", cfg.Lease.Hostname, host)
	}
}

func TestLoadRefuses(t *testing.T) {
	cases := map[string]string{ // text: part of the error
		"":                        "empty",
		"a: [":                    "yaml",
		static + "nonsense: 1":    "nonsense",
		static + "---\na: 1":      "more than one",
		static + "data: {x: 1}":   "line 2",
		static + "exec: {cmd: x}": "exec",
		static + "exec: [{cmd: x, if-primary: true}]":              "if-primary",
		static + "exec: \"blog 'serve\"":                           "quote",
		static + "exec: \"blog serve \\\\\"":                       "backslash",
		static + "exec: blog serve | tee log":                      "no shell",
		static + "exec: blog serve && true":                        "no shell",
		static + "exec: ['']":                                      "line 2",
		static + "skip-sync: maybe":                                "line 2",
		static + "proxy: {addr: ':8080'}":                          "proxy",
		static + "backup: {type: file, path: /x}":                  "backup",
		static + "tracing: {enabled: true}":                        "tracing",
		static + "tracing: {path: /x}":                             "tracing",
		static + "exit-on-error: false":                            "exit-on-error",
		static + "log: {format: xml}":                              "log.format",
		static + "fuse: {dir: ''}":                                 "fuse.dir",
		static + "data: {dir: ''}":                                 "data.dir",
		static + "data: {dir: /litefs}":                            "same folder",
		static + "http: {addr: '20202'}":                           "http.addr",
		"skip-sync: true":                                          "lease.type",
		"lease: {type: raft}":                                      "lease.type",
		"lease: {type: static, hostname: h}":                       "advertise-url",
		"lease: {type: static, advertise-url: 'http://h:1'}":       "hostname",
		"lease: {type: static, hostname: h, advertise-url: 'h:1'}": "http://",
		"lease: {type: static, hostname: h, advertise-url: 'http://h:1', promote: true}":        "promote",
		"lease: {type: static, hostname: h, advertise-url: 'http://h:1', databases: [blog.db]}": "databases",
		"lease: {type: consul, consul: {key: k}}":                                               "consul.url",
		"lease: {type: consul, consul: {url: 'http://c'}}":                                      "consul.key",
		"lease: {type: consul, hostname: 'h:4001', consul: {url: 'http://c', key: k}}":          "advertise-url",
		"lease: {type: consul, hostname: h, consul: {url: 'c:8500', key: k}}":                   "consul.url",
	}
	for text, part := range cases {
		path := mustWriteFile(t, text)
		_, err := mount.Load(path, environ(nil))
		if err == nil {
			t.Errorf("%q is taken", text)
			continue
		}
		msg := err.Error()
		if !strings.Contains(msg, part) || strings.Contains(msg, "\n") || !strings.HasPrefix(msg, path) {
			t.Errorf("%q: error %q, want one line that starts with the file and has %q", text, msg, part)
		}
	}
	if _, err := mount.Load(filepath.Join(t.TempDir(), "none.yml"), environ(nil)); err == nil {
		t.Error("a missing file is taken")
	}
}

// TestTracingOff: what stock LiteFS needs to hear is no reason to refuse.
func TestTracingOff(t *testing.T) {
	for _, tracing := range []string{"{enabled: false}", "{enabled: false, path: /x}", "{max-size: 1}"} {
		if _, err := mount.Load(mustWriteFile(t, static+"tracing: "+tracing), environ(nil)); err != nil {
			t.Error(err)
		}
	}
}

// TestRepositoryFile loads the litefs.yml that is shipped, in the ways it is meant to be used.
func TestRepositoryFile(t *testing.T) {
	path := filepath.Join("..", "..", "..", "litefs.yml")
	base := map[string]string{
		"LITEFS_LEASE": "static", "LITEFS_HOSTNAME": "n1:4001", "LITEFS_ADVERTISE_URL": "http://n1:20202",
		"REGION": "ams", "PRIMARY_REGION": "ams",
	}
	cfg, err := mount.Load(path, environ(base))
	if err != nil {
		t.Fatal(err)
	}
	if !cfg.Lease.Candidate || cfg.FUSE.Dir != "/litefs" || cfg.Data.Dir != "/var/lib/litefs" ||
		cfg.HTTP.Addr != ":20202" || cfg.SkipSync {
		t.Errorf("%+v, want Lease.Candidate true, FUSE.Dir %q, Data.Dir %q, HTTP.Addr %q and SkipSync false", cfg, "/litefs",
			"/var/lib/litefs", ":20202")
	}
	base["REGION"] = "nrt"
	if cfg, err = mount.Load(path, environ(base)); err != nil || cfg.Lease.Candidate {
		t.Errorf("in another region: candidate %t, %v, want no error and false", cfg.Lease.Candidate, err)
	}
	base["LITEFS_LEASE"], base["LITEFS_CONSUL_URL"], base["LITEFS_CONSUL_KEY"] = "consul", "http://c:8500", "k"
	base["LITEFS_ADDR"], base["LITEFS_SKIP_SYNC"] = "fly-local-6pn:20202", "true"
	if cfg, err = mount.Load(path, environ(base)); err != nil || !cfg.SkipSync || cfg.HTTP.Addr != "fly-local-6pn:20202" {
		t.Errorf("with Consul: %+v, %v, want no error, SkipSync true and HTTP.Addr %q", cfg, err, "fly-local-6pn:20202")
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(static + "exec: 'a \"b c\" d'")
	f.Add("lease: {type: consul}\nexec: [{cmd: x}]")
	f.Add("exec: [[]]\nlease: ${A == 'b'}")
	path := filepath.Join(f.TempDir(), "litefs.yml")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := mount.Load(path, environ(nil)); err != nil && !strings.HasPrefix(err.Error(), path) {
			t.Errorf("the error does not start with the file: %v", err)
		}
	})
}
