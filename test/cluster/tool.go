package cluster

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// startTool starts a program that ends with the test. Its output goes to logPath.
func startTool(tb testing.TB, logPath string, argv ...string) *exec.Cmd {
	tb.Helper()
	log, err := os.Create(filepath.Clean(logPath))
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(tb.Context()), argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // "signal: killed"
		_ = log.Close()
	})
	return cmd
}

// Consul is a running Consul agent that allows leases of a second. It stores everything in memory.
type Consul struct {
	URL string
	cmd *exec.Cmd
}

// StartConsul starts the pinned Consul, which ends with the test, and waits until it can store something.
func StartConsul(tb testing.TB) *Consul {
	tb.Helper()
	return startConsul(tb, new(ports), tb.TempDir())
}

// Pause stops the process: connections stay open, and nothing answers.
func (c *Consul) Pause(tb testing.TB) {
	tb.Helper()
	c.signal(tb, syscall.SIGSTOP)
}

// Resume ends Pause.
func (c *Consul) Resume(tb testing.TB) {
	tb.Helper()
	c.signal(tb, syscall.SIGCONT)
}

func (c *Consul) signal(tb testing.TB, sig syscall.Signal) {
	tb.Helper()
	if err := c.cmd.Process.Signal(sig); err != nil {
		tb.Fatalf("signal Consul: %v", err)
	}
}

func startConsul(tb testing.TB, ports *ports, dir string) *Consul {
	tb.Helper()
	addrs := ports.free(tb, 4)
	port := func(i int) string {
		_, p, err := net.SplitHostPort(addrs[i])
		if err != nil {
			tb.Fatal(err)
		}
		return p
	}
	cmd := startTool(tb, filepath.Join(dir, "consul.log"), Tool(tb, "consul"), "agent", "-dev", "-node=dev",
		"-bind=127.0.0.1", "-client=127.0.0.1", "-http-port="+port(0), "-server-port="+port(1),
		"-serf-lan-port="+port(2), "-serf-wan-port="+port(3),
		"-dns-port=-1", "-grpc-port=-1", "-grpc-tls-port=-1", "-log-level=warn", "-hcl", `session_ttl_min="1s"`)
	url := "http://" + addrs[0]
	Poll(tb, time.Minute, "Consul", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		// It is ready when it can store something, which needs a leader.
		return do(ctx, http.MethodPut, url+"/v1/kv/ready", "yes")
	})
	return &Consul{URL: url, cmd: cmd}
}
