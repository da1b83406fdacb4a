package mount

import "fmt"

// ExitError says that a child ended with an exit code other than 0, which becomes the node's own. A child ended by
// signal N counts as 128+N.
type ExitError struct {
	Cmd   string
	Code  int
	State string // as the system tells it: "exit status 3", "signal: killed"
}

func (e *ExitError) Error() string { return fmt.Sprintf("%s ended: %s", e.Cmd, e.State) }
