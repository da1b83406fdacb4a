package power_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"blog/internal/app"
	"blog/internal/repo"
	"blog/internal/transport"
	"blog/test/cluster"
)

// plain is a server on a plain SQLite file, on a volume.
type plain struct {
	volume          *cluster.Volume
	database        string
	public, private string
	env             []string
	program, log    string
	cmd             *exec.Cmd
}

func mustPlain(t *testing.T) *plain {
	t.Helper()
	home := t.TempDir()
	volume := cluster.StartVolume(t, filepath.Join(home, "data"))
	p := &plain{
		volume: volume, database: filepath.Join(volume.Dir, "blog.db"),
		program: cluster.Build(t, "./cmd/blog"), log: filepath.Join(home, "log"),
	}
	addrs := cluster.FreeAddresses(t, 2)
	p.public, p.private = addrs[0], addrs[1]
	p.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GORACE=atexit_sleep_ms=50",
		"DATABASE_PATH=" + p.database, "LISTEN_ADDR=" + p.public, "PRIVATE_ADDR=" + p.private,
	}
	t.Cleanup(func() {
		if p.cmd != nil {
			p.kill(t)
			_ = p.cmd.Wait() // killed
		}
		if text, err := os.ReadFile(p.log); t.Failed() && err == nil {
			t.Logf("log of the server:\n%s", text[max(0, len(text)-6000):])
		}
	})
	return p
}

func (p *plain) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
}

// start starts the server and waits until it is ready.
func (p *plain) start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { cluster.MustClose(t, "the log", log.Close()) }()
	// The process outlives the context of the test that starts it: Cleanup ends it.
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), p.program, "serve")
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = p.env, log, log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cluster.Poll(t, patience, "the server is ready", func(ctx context.Context) error {
		_, err := cluster.Fetch(ctx, "http://"+p.public+"/readyz", patience)
		return err
	})
}

// clients returns n clients of the server.
func (p *plain) clients(t *testing.T, n int) []*repo.Client {
	t.Helper()
	secret, err := app.Config{DatabasePath: p.database}.Secret()
	if err != nil {
		t.Fatal(err)
	}
	way := transport.NewClient(secret)
	t.Cleanup(way.Close)
	all := make([]*repo.Client, n)
	for i := range all {
		all[i] = repo.NewClient("http://"+p.private, way)
	}
	return all
}

// powerOff cuts the power under the writes of clients, once after changes have reached the disk.
func (p *plain) powerOff(t *testing.T, seed uint64, after int) {
	t.Helper()
	p.volume.PowerOff(t, seed, after, func() { p.kill(t) })
	_ = p.cmd.Wait() // killed
	p.cmd = nil
	p.volume.Start(t)
}

// TestPlainFile: a server on a plain SQLite file loses nothing that it acknowledged.
func TestPlainFile(t *testing.T) {
	p, l := mustPlain(t), newLedger()
	draw := random(11)
	for round := range rounds(5) {
		p.start(t)
		if round > 0 {
			l.mustHold(t, p.database)
			l.mustFinish(t, p.clients(t, 1)[0])
		} else {
			cmd := exec.CommandContext(t.Context(), p.program, author()...)
			cmd.Env = p.env
			addAuthor(t, cmd)
		}
		end := l.begin(t, p.clients(t, 4)...)
		p.powerOff(t, draw.Uint64(), 1+draw.IntN(400))
		end()
	}
	p.start(t)
	l.mustHold(t, p.database)
	l.mustFinish(t, p.clients(t, 1)[0])
	l.mustHold(t, p.database)
	t.Logf("%d writes were acknowledged, of %d", l.count(), len(l.asked))
	if l.count() == 0 {
		t.Error("nothing was acknowledged")
	}
}
