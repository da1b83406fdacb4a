package mount

import (
	"errors"

	"github.com/mattn/go-shellwords"
)

var (
	errUnclosed = errors.New("a quote or bracket is not closed, or nothing follows a backslash")
	errShell    = errors.New("no shell runs this: an operator needs `sh -c '...'`, or quotes if it is text")
)

// splitCommand splits an exec line into a program and its arguments as a shell does: blanks separate, quotes and a
// backslash hold together. Nothing is expanded. It fails where something is left open, and at an operator of a shell
// such as | or ;, which LiteFS would end the line at.
func splitCommand(line string) ([]string, error) {
	p := shellwords.NewParser()
	args, err := p.Parse(line)
	if err != nil {
		return nil, errUnclosed
	}
	if p.Position >= 0 {
		return nil, errShell
	}
	return args, nil
}
