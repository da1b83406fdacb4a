package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// commandLimit is how long a command of Docker may take. The daemon waits for the end of a
// container.
const commandLimit = 2 * time.Minute

// run runs a program and returns what it printed. Its error has what the program printed as errors.
func run(ctx context.Context, env []string, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...) // #nosec G204 -- a test's own words
	cmd.Env = env
	// A process that the program leaves behind, such as a child of a plugin, must not delay this.
	cmd.WaitDelay = time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), errors.Join(err, ctx.Err()),
			strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}
