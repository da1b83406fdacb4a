package compose

import (
	"io"
	"os"
	"os/exec"
	"syscall"
)

// reaper removes a project when the process of the test ends without having done it, as after a
// time limit of go test or an interrupt. It is a process in a session of its own that waits for the
// end of a pipe, which only the test has open.
type reaper struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

// reapScript gets the project's name and data folder, and then the command that removes the
// project.
const reapScript = `
read -r word && [ "$word" = done ] && exit 0
name=$1 data=$2; shift 2
docker ps -q --filter status=paused --filter "label=com.docker.compose.project=$name" | xargs -r docker unpause
"$@"
for d in "$data"/fra1 "$data"/fra2 "$data"/memory/fra1 "$data"/memory/fra2; do umount -l "$d"; done
rm -rf "$data"
`

func (p *Project) startReaper() (*reaper, error) {
	args := append([]string{"-c", reapScript, "-", p.Name, p.data, p.compose},
		p.args("down", "--volumes", "--remove-orphans", "--timeout", "1")...)
	// The reaper has to outlive the test.
	cmd := exec.Command("sh", args...) //nolint:noctx // a context would end it
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

// dismiss ends the reaper, when nothing is left to remove.
func (r *reaper) dismiss() error {
	if _, err := io.WriteString(r.pipe, "done\n"); err != nil {
		return err
	}
	return r.cmd.Wait()
}
