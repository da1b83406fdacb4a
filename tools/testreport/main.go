// Command testreport reads `go test -json` and prints a line for each package, and the whole output
// of what failed; with -v also what passing tests have logged. It fails when a test failed or was
// skipped, because a test that did not run has shown nothing.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is an event of test2json.
type event struct {
	Action, Package, Test, Output string
	ImportPath                    string
	Elapsed                       float64
}

type report struct {
	out             io.Writer
	verbose         bool
	output          map[string][]string // by package and test
	passed          int
	failed, skipped []string
	broken          bool
}

func main() {
	r := &report{out: os.Stdout, output: map[string][]string{}}
	flag.BoolVar(&r.verbose, "v", false, "show what passing tests have logged, as they do")
	flag.Parse()
	if err := r.read(bufio.NewReader(os.Stdin)); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
	if !r.end() {
		os.Exit(1)
	}
}

func (r *report) read(in *bufio.Reader) error {
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				_, _ = fmt.Fprintf(r.out, "%s", line) // from go itself, such as a missing module
				r.broken = true
			} else {
				r.add(e)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) add(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		r.output[key] = append(r.output[key], e.Output)
		// A line of a test's log is indented. Those of go test itself are not.
		if r.verbose && e.Test != "" && strings.HasPrefix(e.Output, "    ") &&
			!strings.HasPrefix(strings.TrimSpace(e.Output), "--- ") {
			_, _ = fmt.Fprint(r.out, e.Output)
		}
	case "build-output":
		_, _ = fmt.Fprint(r.out, e.Output)
	case "build-fail":
		r.broken = true
	case "pass":
		if e.Test == "" {
			_, _ = fmt.Fprintf(r.out, "ok    %-32s %6.1f s\n", e.Package, e.Elapsed)
		} else {
			r.passed++
		}
		delete(r.output, key)
	case "skip":
		if e.Test != "" { // without a test it is a package without tests
			r.skipped = append(r.skipped, key)
		}
		delete(r.output, key)
	case "fail":
		_, _ = fmt.Fprintf(r.out, "\nFAIL  %s %s\n%s", e.Package, e.Test, strings.Join(r.output[key], ""))
		r.failed = append(r.failed, strings.TrimSpace(key))
		delete(r.output, key)
	}
}

// end prints the sums, and reports whether all tests passed.
func (r *report) end() bool {
	_, _ = fmt.Fprintf(r.out, "\n%d passed, %d failed, %d skipped\n", r.passed, len(r.failed), len(r.skipped))
	for _, name := range r.failed {
		_, _ = fmt.Fprintln(r.out, "  failed: ", name)
	}
	for _, name := range r.skipped {
		_, _ = fmt.Fprintln(r.out, "  skipped:", name, "(a skipped test counts as a failed one)")
	}
	return !r.broken && len(r.failed)+len(r.skipped) == 0 && r.passed > 0
}
