package compose

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/superfly/ltx"
	"golang.org/x/sys/unix"

	"blog/test/cluster"
)

// Faults of nodes that lose their power. What was not synced on their disks is lost (package powerloss). They need a
// project with OnVolumes, in which the data folders of fra1 and fra2 are volumes that know what was not synced.

// PowerFaults returns the faults of a storm on volumes.
func PowerFaults() []Fault {
	return []Fault{{"v. power lost by the standby, the primary and both", powerLost}}
}

// mostChanges is the largest number of operations that change a node's disk before it loses its power. It is enough for
// several transactions, so the loss can be at any point of one.
const mostChanges = 600

// freezeLimit is how long to wait for these changes. A node that writes nothing, because of another injection, loses
// its power after that time.
const freezeLimit = 10 * time.Second

// powerLoss returns the injection by which candidates lose their power at the same moment. The first of them is writing
// at that moment, if it writes at all.
func (s *Storm) powerLoss(nodes ...*Node) *injection {
	return &injection{
		name:    "loss of power",
		victims: nodes,
		silent:  true,
		inject:  func(ctx context.Context) error { return s.losePower(ctx, s.drawLoss(), nodes) },
		undo:    onEach(nodes, (*Node).Start),
	}
}

// powerInjections returns the losses of power of each candidate and of both, and none in a storm without volumes.
func (s *Storm) powerInjections(primary, standby *Node) (all []*injection) {
	if primary.volume == nil {
		return nil
	}
	for _, n := range []*Node{s.Node(Fra1), s.Node(Fra2)} {
		b := s.powerLoss(n)
		if n == primary {
			b.only = func(f *spell) { dies(f, n, b) }
		} else {
			bystanders(n, b)
		}
		all = append(all, b)
	}
	both := s.powerLoss(primary, standby)
	both.only = func(f *spell) { downAndUp(f, both) }
	return append(all, both)
}

// powerLost makes first the standby, then the primary, then both lose their power.
func powerLost(f *spell) {
	for i := range 3 {
		if i > 0 {
			f.whole()
			*f = *f.spell(f.tb)
		}
		primary, standby := f.Primary(f.tb)
		b := []*injection{f.powerLoss(standby), f.powerLoss(primary), f.powerLoss(primary, standby)}[i]
		f.step("%s (primary %s)", b, primary.Name)
		switch i {
		case 0:
			bystanders(standby, b).only(f)
		case 1:
			dies(f, primary, b)
		default:
			downAndUp(f, b)
		}
	}
}

// drawLoss returns the generator from which the next loss of power is drawn.
func (s *Storm) drawLoss() *rand.Rand {
	const stream = 1 << 32 // so that no other generator of the seed draws the same
	s.losses++
	return rand.New(rand.NewPCG(s.Seed, stream+s.losses)) // #nosec G404 -- to be drawn again
}

// losePower makes the nodes lose their power at one moment, which comes after a drawn number of changes of the first
// one's disk. It kills the nodes, drops what was not synced on their disks, and mounts the disks again. From that
// moment until the processes have ended, every operation on the disks waits, so that no answer rests on data that is
// lost.
func (p *Project) losePower(ctx context.Context, draw *rand.Rand, nodes []*Node) error {
	if err := p.unmoved(ctx, probeLimit); err != nil {
		return err
	}
	var processes []Process
	for _, n := range nodes {
		all, err := n.Processes(ctx)
		if err = errors.Join(err, n.expectEnd(ctx, "loss of power")); err != nil {
			return err
		}
		processes = append(processes, all...)
	}
	if err := freeze(ctx, 1+draw.IntN(mostChanges), nodes); err != nil {
		return err
	}
	// A process that waits for its disk ends only after losesUnsynced, and Docker's command after the process.
	killed := make(chan error, 1)
	go func() { killed <- atOnce(nodes, func(n *Node) error { return n.dies(ctx) }) }()
	err := cluster.Await(ctx, commandLimit, func(context.Context) error { return dying(processes) })
	seed := draw.Uint64()
	lost := atOnce(nodes, func(n *Node) error { return n.losesUnsynced(ctx, seed) })
	return errors.Join(err, lost, <-killed)
}

// dies kills the container and waits until it is down. Docker's command alone would wait for ten seconds at most.
func (n *Node) dies(ctx context.Context) error {
	err := n.docker(ctx, "kill")
	down := cluster.Await(ctx, commandLimit, func(ctx context.Context) error {
		out, failed := n.inspect(ctx, "{{.State.Running}}")
		if failed == nil && out != "false" {
			return errors.New("the container is running")
		}
		return failed
	})
	if down == nil {
		return nil
	}
	return errors.Join(err, down)
}

// freeze makes all operations on the nodes' disks wait, once the first disk has changed so many more times.
func freeze(ctx context.Context, after int, nodes []*Node) error {
	limited, cancel := context.WithTimeout(ctx, freezeLimit)
	defer cancel()
	err := nodes[0].volume.Freeze(limited, after)
	if err != nil && limited.Err() != nil {
		err = nodes[0].volume.Freeze(ctx, 0)
	}
	for _, n := range nodes[1:] {
		err = errors.Join(err, n.volume.Freeze(ctx, 0))
	}
	return err
}

// dying fails while one of the processes runs and has no SIGKILL. A process that has one does nothing more.
func dying(processes []Process) error {
	for _, p := range processes {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.PID), "status"))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			return err
		}
		if !killedIn(string(text)) {
			return fmt.Errorf("process %d, %s, has no SIGKILL", p.PID, p.Name)
		}
	}
	return nil
}

// killedIn reports whether a process with this text in /proc/PID/status has ended or has a SIGKILL.
func killedIn(status string) bool {
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch name {
		case "State":
			if strings.HasPrefix(value, "Z") || strings.HasPrefix(value, "X") {
				return true
			}
		case "SigPnd", "ShdPnd":
			pending, err := strconv.ParseUint(value, 16, 64)
			if err == nil && pending&(1<<(unix.SIGKILL-1)) != 0 {
				return true
			}
		}
	}
	return false
}

// losesUnsynced drops what was not synced on the disk, and mounts the disk again. Its probe is that something was not
// synced.
func (n *Node) losesUnsynced(ctx context.Context, seed uint64) error {
	n.power.Lock()
	defer n.power.Unlock()
	loss, err := n.volume.Lose(ctx, seed)
	if err != nil {
		return err
	}
	n.project.tb.Logf("loss of power on %s: %s", n.Name, loss)
	n.project.expect("what was lost on "+n.Name, func(context.Context) error {
		if loss.Changes+loss.Writes == 0 {
			return errors.New("everything was synced")
		}
		return nil
	})
	return n.volume.Serve(ctx)
}

// mount mounts the node's data folder, which is a tmpfs, or a volume whose files are in a tmpfs.
func (n *Node) mount(ctx context.Context) error {
	const mode = 0o750
	if err := errors.Join(os.MkdirAll(n.data, mode), os.MkdirAll(n.memory, mode)); err != nil {
		return err
	}
	if err := unix.Mount("blog-test", n.memory, "tmpfs", 0, "size="+strconv.Itoa(dataSize)); err != nil {
		return fmt.Errorf("mount %s: %w", n.memory, err)
	}
	if n.volume == nil {
		return nil
	}
	return n.volume.Serve(ctx)
}

// unmount unmounts what mount has mounted, also when that is only a part.
func (n *Node) unmount() error {
	var err error
	if n.volume != nil {
		err = n.volume.Close()
	}
	if err != nil {
		err = fmt.Errorf("%w: the volume has printed %q", err, n.volume.Log())
	}
	if e := unix.Unmount(n.memory, unix.MNT_DETACH); e != nil && !errors.Is(e, unix.EINVAL) && !errors.Is(e, unix.ENOENT) {
		err = errors.Join(err, fmt.Errorf("unmount %s: %w", n.memory, e))
	}
	return err
}

// NodeOnVolume returns a node for Disks that has no container, and whose data is on a volume.
func NodeOnVolume(name string, v *cluster.Volume) *Node {
	return &Node{Name: name, data: v.Dir, volume: v}
}

// files returns the folder with the files of the node's disk. Of a volume it is the folder below the mount, where reads
// do not wait while the volume is frozen.
func (n *Node) files() string {
	if n.volume == nil {
		return n.data
	}
	return n.volume.Folder()
}

// durable fails unless a file, which is in the folder files of the node, would have outlasted a loss of power at a
// moment. A snapshot may have replaced other files since, so it only has to be durable now. The files of a node without
// a volume are not checked.
func durable(ctx context.Context, n *Node, path string, then time.Time) error {
	if n.volume == nil {
		return nil
	}
	name, err := filepath.Rel(n.files(), path)
	if err != nil {
		return err
	}
	since, err := n.volume.Durable(ctx, name)
	if err != nil {
		return err
	}
	if first, _, err := ltx.ParseFilename(filepath.Base(path)); err == nil && first > 1 && since.After(then) {
		return fmt.Errorf("it was synced %s after the answer", since.Sub(then))
	}
	return nil
}
