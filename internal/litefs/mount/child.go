//go:build linux

package mount

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// runChild runs argv to its end. When ctx ends the child gets SIGTERM and as long as it needs, whichever signal has
// ended ctx; SIGUSR1 and SIGUSR2 are passed on. It returns an *ExitError when the child's exit code is not 0, and
// errThreadLeft when the child has ended but for threads that cannot.
func runChild(ctx context.Context, argv, env []string, logger *slog.Logger) error {
	// #nosec G204 -- the command is the operator's own, from litefs.yml or the command line.
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = env
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.SysProcAttr = &syscall.SysProcAttr{
		// A process group of its own: Ctrl-C at a terminal reaches the child once, through this process.
		Setpgid: true,
		// Without its node the child has a dead mount and holds the ports that the next node needs.
		Pdeathsig: syscall.SIGKILL,
	}
	passed := make(chan os.Signal, 4)
	signal.Notify(passed, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(passed)

	started, ended := make(chan error, 1), make(chan error, 1)
	go func() {
		// Pdeathsig fires when the thread that started the child ends, so this goroutine holds the thread until the child has
		// ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", argv[0], err)
	}
	logger.Info("child started", "cmd", argv[0], "args", argv[1:], "pid", cmd.Process.Pid)
	tick := time.NewTicker(leftEvery)
	defer tick.Stop()
	left := 0
	for {
		select {
		case <-tick.C:
			if left++; !hasEndedButIsLeft(cmd.Process.Pid) {
				left = 0
			}
			if left == maxLeft {
				return fmt.Errorf("%s: %w", argv[0], errThreadLeft)
			}
		case sig := <-passed:
			if err := cmd.Process.Signal(sig); err != nil {
				logger.Warn("pass a signal on", "signal", sig.String(), "err", err)
			}
		case err := <-ended:
			return childResult(ctx, cmd, err)
		}
	}
}

// childResult returns the exit code for how the child ended. A child that ended because of the SIGTERM from here has
// done what was asked.
func childResult(ctx context.Context, cmd *exec.Cmd, err error) error {
	state := cmd.ProcessState
	if state == nil {
		return fmt.Errorf("wait for %s: %w", cmd.Path, err)
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		if ctx.Err() != nil && status.Signal() == syscall.SIGTERM {
			return nil
		}
		return &ExitError{Cmd: cmd.Path, Code: 128 + int(status.Signal()), State: state.String()}
	}
	if code := state.ExitCode(); code != 0 {
		return &ExitError{Cmd: cmd.Path, Code: code, State: state.String()}
	}
	// Wait also reports the context's end and failures to copy output; the exit code says enough of the first.
	if err != nil && !errors.Is(err, context.Cause(ctx)) && !errors.Is(err, ctx.Err()) {
		return fmt.Errorf("wait for %s: %w", cmd.Path, err)
	}
	return nil
}
