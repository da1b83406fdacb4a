package compose

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// probe shows that an injected fault has struck. Each injection into a Node leaves one with its
// project, and the run fails when a probe does not move before the fault is undone: a fault that
// did nothing has shown nothing.
type probe struct {
	name string // what was injected, and where
	// moved fails while nothing shows that the fault has struck.
	moved func(ctx context.Context) error
}

// probeLimit is how long a probe may take to move.
const probeLimit = 20 * time.Second

// probeEvery is the pause between two reads of a probe.
const probeEvery = 100 * time.Millisecond

// expect leaves a probe.
func (p *Project) expect(name string, moved func(ctx context.Context) error) {
	p.probesMu.Lock()
	defer p.probesMu.Unlock()
	p.probes = append(p.probes, probe{name, moved})
}

// expected returns the probes that were left, and removes them.
func (p *Project) expected() []probe {
	p.probesMu.Lock()
	defer p.probesMu.Unlock()
	all := p.probes
	p.probes = nil
	return all
}

// pending returns how many probes were left.
func (p *Project) pending() int {
	p.probesMu.Lock()
	defer p.probesMu.Unlock()
	return len(p.probes)
}

// unmoved reads the probes that were left until all have moved. It fails after the limit with the
// names of those that have not. Each is read to its end by itself, because what shows one may
// disappear while another is waited for.
func (p *Project) unmoved(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	left := p.expected()
	reasons := map[string]error{}
	for {
		var still []probe
		for _, one := range left {
			if err := one.moved(ctx); err != nil {
				still = append(still, one)
				if ctx.Err() == nil || reasons[one.name] == nil {
					reasons[one.name] = err
				}
			}
		}
		if left = still; len(left) == 0 {
			return nil
		}
		select {
		case <-tick.C:
			continue
		case <-ctx.Done():
		}
		var errs []error
		for _, one := range left {
			errs = append(errs, fmt.Errorf("%s has moved no probe: %w", one.name, reasons[one.name]))
		}
		return errors.Join(errs...)
	}
}

// struckAll waits until the probes of all injections so far have moved. It fails the run with the
// names of the fault and the injection when one has not.
func (f *spell) struckAll() {
	f.tb.Helper()
	if err := f.unmoved(f.tb.Context(), probeLimit); err != nil {
		f.tb.Fatalf("%s: the fault did not strike: %v", f.now(), err)
	}
}

// containerRun is one run of a container.
type containerRun struct{ started, pid string }

func (n *Node) currentRun(ctx context.Context) (containerRun, error) {
	out, err := n.inspect(ctx, "{{.State.StartedAt}} {{.State.Pid}}")
	started, pid, _ := strings.Cut(out, " ")
	return containerRun{started, pid}, err
}

// ends calls do, which ends the container's run, and leaves a probe for that. It waits for the
// earlier probes first, which may have nothing to read once the container is gone.
func (n *Node) ends(ctx context.Context, what string, do func() error) error {
	if err := n.project.unmoved(ctx, probeLimit); err != nil {
		return err
	}
	if err := n.expectEnd(ctx, what); err != nil {
		return err
	}
	return do()
}

// expectEnd leaves a probe that moves when the container's run has ended.
func (n *Node) expectEnd(ctx context.Context, what string) error {
	before, err := n.currentRun(ctx)
	if err != nil {
		return err
	}
	n.project.expect(what+" of "+n.Name, func(ctx context.Context) error {
		now, err := n.currentRun(ctx)
		if err == nil && now == before {
			err = fmt.Errorf("the container runs since %s as before", now.started)
		}
		return err
	})
	return nil
}

// freezes calls do, which pauses the container, and leaves a probe: the container is paused, and
// the node does not answer.
func (n *Node) freezes(do func() error) error {
	n.project.expect("pause of "+n.Name, func(ctx context.Context) error {
		out, err := n.inspect(ctx, "{{.State.Paused}}")
		if err == nil && out != "true" {
			err = errors.New("the container is not paused")
		}
		return errors.Join(err, n.silent(ctx))
	})
	return do()
}

// silent fails when the node answers within a second.
func (n *Node) silent(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	address := n.LiteFS + "/info"
	if n.LiteFS == "" {
		address = n.Private + "/v1/status/leader"
	}
	if _, err := fetch(ctx, address); err == nil {
		return errors.New("it answers")
	}
	return nil
}

// drops leaves a probe that moves when a rule of the node's firewall has dropped a packet.
func (n *Node) drops(what string) {
	n.project.expect(what+" of "+n.Name, func(ctx context.Context) error {
		packets, err := n.dropped(ctx)
		if err == nil && packets == 0 {
			err = errors.New("no rule has dropped a packet")
		}
		return err
	})
}

// dropped returns how many packets the node's firewall has dropped.
func (n *Node) dropped(ctx context.Context) (int, error) {
	pid, err := n.inspect(ctx, "{{.State.Pid}}")
	if err != nil {
		return 0, err
	}
	out, err := run(ctx, nil, "nsenter", "-t", pid, "-n", "iptables", "-w", "-nvxL", table)
	if err != nil {
		return 0, err
	}
	return countDropped(out), nil
}

// countDropped returns the sum of the packets of DROP and REJECT rules in a listing.
func countDropped(listing string) int {
	sum := 0
	for line := range strings.Lines(listing) {
		const packets, target = 0, 2
		f := strings.Fields(line)
		if len(f) <= target || f[target] != "DROP" && f[target] != "REJECT" {
			continue
		}
		if n, err := strconv.Atoi(f[packets]); err == nil {
			sum += n
		}
	}
	return sum
}

// gone leaves a probe that moves when the process has ended.
func (n *Node) gone(p Process) error {
	born, err := startTime(p.PID)
	if err != nil {
		return err
	}
	n.project.expect(fmt.Sprintf("kill -9 of blog %s of %s", p.Name, n.Name), func(context.Context) error {
		if now, err := startTime(p.PID); err == nil && now == born {
			return fmt.Errorf("process %d lives", p.PID)
		}
		return nil
	})
	return nil
}

// startTime returns when a process began, in ticks since the machine's start.
func startTime(pid int) (string, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return "", err
	}
	// The name of the process may have spaces. The field is the 22nd, and the first one behind the
	// name is the third.
	const field = 22 - 3
	_, remainder, _ := strings.Cut(string(text), ") ")
	all := strings.Fields(remainder)
	if len(all) <= field {
		return "", fmt.Errorf("process %d: %q", pid, text)
	}
	return all[field], nil
}

// unplugged leaves a probe that moves when the node is in no network and does not answer.
func (n *Node) unplugged() {
	n.project.expect("unplug of "+n.Name, func(ctx context.Context) error {
		if all, err := n.endpoints(ctx); err == nil {
			return fmt.Errorf("it is in a network, as %s", all[0].ip)
		}
		return n.silent(ctx)
	})
}

// nearlyFull is how much a full disk has left at most, in bytes. LiteFS deletes a transaction's
// file now and then.
const nearlyFull = 16 << 20

// full leaves a probe that moves when the node's disk has no room.
func (n *Node) full() {
	n.project.expect("full disk of "+n.Name, func(context.Context) error {
		var s unix.Statfs_t
		if err := unix.Statfs(n.files(), &s); err != nil {
			return err
		}
		if left := s.Bfree * uint64(s.Bsize); left > nearlyFull { //nolint:gosec // a size
			return fmt.Errorf("it has %d bytes left", left)
		}
		return nil
	})
}

// wipes leaves a probe that moves when the node's data has another identity than before, or none.
func (n *Node) wipes() {
	path := filepath.Join(n.data, "nodeid")
	before, err := os.ReadFile(filepath.Clean(path))
	n.project.expect("empty volume of "+n.Name, func(context.Context) error {
		if err != nil {
			return fmt.Errorf("before: %w", err)
		}
		if now, err := os.ReadFile(filepath.Clean(path)); err == nil && string(now) == string(before) {
			return fmt.Errorf("it is %s as before", now)
		}
		return nil
	})
}

// recreates leaves a probe that moves when the node has another container.
func (n *Node) recreates() {
	before := n.id
	n.project.expect("new container of "+n.Name, func(context.Context) error {
		if n.id == before {
			return errors.New("it has the same container")
		}
		return nil
	})
}

// metric returns the value of a metric, without labels, of the node's application.
func (n *Node) metric(ctx context.Context, name string) (float64, error) {
	return readMetric(ctx, n.Private+"/metrics", name)
}

func readMetric(ctx context.Context, address, name string) (float64, error) {
	text, err := fetch(ctx, address)
	if err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(strings.NewReader(string(text))); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("%s has no metric %s", address, name)
}
