//go:build linux

package mount

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"

	node "blog/internal/litefs"
)

// Run opens the node cfg describes, waits until it is primary or has caught up with the primary (at once with
// skip-sync), runs the child and closes the node when the child has ended.
//
// argv is the child; when it is empty the exec list of cfg runs, and when that is empty, too, this very program with
// `serve`. All commands of the list but the last must end with 0 first. When ctx ends, the child gets SIGTERM and Run
// waits for it: pass a context that SIGINT, SIGTERM and SIGHUP end. The child's environment is this one's, the path of
// the control socket, its id and whether it is a candidate, and, where they are not set, LITEFS_URL, the address of the
// node's own API, and LITEFS_SELF, the name under which this node would be primary (not for a replica under a static
// lease, whose configuration names the primary).
//
// After runs that ended soon after their start it waits before it does anything: a loop of restarts gets slower.
//
// When a database of the node is lost while it runs, the node is another one, and ends with an error, so that it starts
// again with a child that knows the new id.
//
// A child that has ended but for a thread that waits for a disk cannot be waited for, and on a disk that does not
// answer the node cannot be closed: the node gives its lease up, and this process ends with exitStuck.
//
// The error is an *ExitError when the child ended with another code than 0. Only one node can run in a process:
// the standard library's log, which LiteFS uses, goes to logger meanwhile.
func Run(ctx context.Context, cfg Config, argv []string, logger *slog.Logger) (err error) {
	restore := captureLog(logger)
	defer restore()

	starts, ok := awaitStart(ctx, cfg.Data.Dir, logger)
	if !ok {
		return nil
	}
	defer func() { starts.end(err) }()
	n, err := Open(ctx, cfg, logger)
	if err != nil {
		return err
	}
	watched, unwatch := context.WithCancel(context.WithoutCancel(ctx))
	defer unwatch()
	go n.watch(watched) // until the node is closed: that can get stuck as well
	defer func() {
		closed := within(closeLimit, n.Close)
		if errors.Is(closed, errHangs) {
			n.abandon(fmt.Errorf("close the node: %w", closed))
		}
		err = errors.Join(err, closed)
	}()

	ctx, end := n.untilReplaced(ctx)
	defer end()
	defer func() { err = errors.Join(err, replacedCause(ctx)) }()
	if !cfg.SkipSync {
		logger.Info("waiting for the cluster", "lease", cfg.Lease.Type)
		select {
		case <-n.Ready():
			logger.Info("connected to the cluster")
		case <-ctx.Done():
			return nil
		}
	}
	commands, err := childCommands(cfg, argv)
	if err != nil {
		return err
	}
	env := childEnv(cfg, n, os.Environ())
	for _, c := range commands {
		err := runChild(ctx, c, env, logger)
		if errors.Is(err, errThreadLeft) {
			n.abandon(err)
		}
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
	}
	if len(commands) == 0 {
		logger.Info("nothing to run on this node")
		<-ctx.Done()
	}
	return nil
}

var errReplaced = errors.New("a database of this node was lost while it ran: it starts again, as another node")

// untilReplaced returns a context that also ends, with errReplaced, when the node has become another one.
func (n *Node) untilReplaced(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-n.data.replaced:
			end(errReplaced)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { end(nil) }
}

func replacedCause(ctx context.Context) error {
	if cause := context.Cause(ctx); errors.Is(cause, errReplaced) {
		return cause
	}
	return nil
}

// childCommands returns what this node runs, in order.
func childCommands(cfg Config, argv []string) ([][]string, error) {
	if len(argv) > 0 {
		return [][]string{argv}, nil
	}
	if len(cfg.Exec) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find this program: %w", err)
		}
		return [][]string{{self, "serve"}}, nil
	}
	var commands [][]string
	for i, c := range cfg.Exec {
		if c.IfCandidate && !cfg.Lease.Candidate {
			continue
		}
		args, err := splitCommand(c.Cmd)
		if err != nil || len(args) == 0 {
			return nil, fmt.Errorf("exec[%d]: no command: %w", i, err)
		}
		commands = append(commands, args)
	}
	return commands, nil
}

// childEnv adds what the child cannot know otherwise. What the operator has set stays.
func childEnv(cfg Config, n *Node, env []string) []string {
	env = append(env, "LITEFS_MEMBER="+n.id, fmt.Sprintf("LITEFS_CANDIDATE=%t", cfg.Lease.Candidate))
	if n.control != nil {
		env = append(env, node.ControlVariable+"="+n.control.path)
	}
	if os.Getenv("LITEFS_URL") == "" {
		env = append(env, "LITEFS_URL=http://"+net.JoinHostPort(n.localHost(), fmt.Sprint(n.server.Port())))
	}
	if os.Getenv("LITEFS_SELF") == "" && (cfg.Lease.Type == leaseConsul || cfg.Lease.Candidate) {
		env = append(env, "LITEFS_SELF="+cfg.Lease.Hostname)
	}
	return env
}
