package compose

import (
	"io"
	"os"
	"os/exec"
	"syscall"
)

// A reaper removes a project when the test's process ends without having done it: a
// time limit of go test, an interrupt. It waits for the end of a pipe that only the
// test holds open, in a session of its own.
type reaper struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

// reapScript gets the project's name and data folder, and then the command that
// takes the project down.
const reapScript = `
read -r word && [ "$word" = done ] && exit 0
name=$1 data=$2; shift 2
docker ps -q --filter status=paused --filter "label=com.docker.compose.project=$name" | xargs -r docker unpause
"$@"
for d in "$data"/*/; do umount -l "$d"; done
rm -rf "$data"
`

func (p *Project) startReaper() (*reaper, error) {
	args := append([]string{"-c", reapScript, "-", p.Name, p.data, p.compose}, p.args("down", "--volumes", "--remove-orphans", "--timeout", "1")...)
	// It outlives the test: that is what it is for.
	cmd := exec.Command("sh", args...) //nolint:noctx // of a context it would be ended by
	cmd.Env = p.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	log, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	cmd.Stdout, cmd.Stderr = log, log
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return &reaper{cmd, pipe}, cmd.Start()
}

// dismiss ends it: there is nothing left to remove.
func (r *reaper) dismiss() error {
	if _, err := io.WriteString(r.pipe, "done\n"); err != nil {
		return err
	}
	return r.cmd.Wait()
}
