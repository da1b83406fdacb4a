package compose_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"blog/test/cluster"
)

// healthcheck is what compose.yml says of the health of a service.
type healthcheck struct {
	Test    []string
	Timeout time.Duration
}

// mustHealthcheck returns the healthcheck of a service of compose.yml, which asks the port, with the command for an
// address in the place of that port's.
func mustHealthcheck(t *testing.T, service, port, address string) healthcheck {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(cluster.Root(t), "compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct{ Healthcheck healthcheck }
	}
	if err = yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	check := file.Services[service].Healthcheck
	if len(check.Test) < 2 || check.Test[0] != "CMD" {
		t.Fatalf("healthcheck of %s: got %q, want CMD and a command", service, check.Test)
	}
	if check.Timeout == 0 {
		t.Fatalf("healthcheck of %s: got no timeout, want one", service)
	}
	host, to, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	last := &check.Test[len(check.Test)-1]
	from := "/dev/tcp/localhost/" + port
	if !strings.Contains(*last, from) {
		t.Fatalf("the healthcheck of %s does not ask %s: %s", service, from, *last)
	}
	*last = strings.ReplaceAll(*last, from, "/dev/tcp/"+host+"/"+to)
	*last = strings.ReplaceAll(*last, "$$", "$") // as compose reads it
	return check
}

// isHealthy runs the command of a healthcheck.
func isHealthy(t *testing.T, check healthcheck) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := exec.CommandContext(ctx, check.Test[1], check.Test[2:]...).Run() // #nosec G204 -- what compose.yml runs
	var exit *exec.ExitError
	if ctx.Err() != nil || err != nil && !errors.As(err, &exit) {
		t.Fatalf("%q: %v", check.Test, errors.Join(err, ctx.Err()))
	}
	return err == nil
}

// TestHealthchecks: compose.yml calls Consul healthy where the server that is asked knows a leader, alone or among
// three, and a node where it is ready.
func TestHealthchecks(t *testing.T) {
	const leader = "/v1/status/leader"
	for name, c := range map[string]struct {
		service, port, path string
		status              int
		body                string
		want                bool
	}{
		"its own leader":       {"consul", "8500", leader, 200, `"127.0.0.1:8300"`, true},
		"one of three":         {"consul", "8500", leader, 200, `"172.18.0.12:8300"`, true},
		"an IPv6 address":      {"consul", "8500", leader, 200, `"[fd00::2]:8300"`, true},
		"no leader":            {"consul", "8500", leader, 200, `""`, false},
		"an error with a port": {"consul", "8500", leader, 500, `rpc error: "127.0.0.1:8300" refuses`, false},
		"nothing":              {"consul", "8500", leader, 200, ``, false},
		"a node":               {"fra1", "4000", "/readyz", 200, `{"ready":true}`, true},
		"a node without ready": {"fra1", "4000", "/readyz", 503, `{"ready":false, "status": 200}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != c.path {
					t.Errorf("asked for %s", r.URL)
				}
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body)) // the command may have ended
			}))
			defer server.Close()
			check := mustHealthcheck(t, c.service, c.port, server.Listener.Addr().String())
			if got := isHealthy(t, check); got != c.want {
				t.Errorf("healthy: %t, want %t", got, c.want)
			}
		})
	}
	for service, port := range map[string]string{"consul": "8500", "fra1": "4000"} {
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		if isHealthy(t, mustHealthcheck(t, service, port, server.Listener.Addr().String())) {
			t.Errorf("%s is healthy where nobody listens", service)
		}
	}
}
