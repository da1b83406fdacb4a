package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"blog/internal/litefs/mount"
	"blog/internal/repo"
)

// The exit codes.
const (
	exitDone    = 0
	exitRefused = 1
	exitUsage   = 2
	exitUnknown = 3 // not available now, or the outcome is unknown
)

// end says what went wrong, in words or in JSON, and returns the exit code.
func (s *session) end(err error) int {
	var child *mount.ExitError
	var wrong *usageError
	var reported *reportedError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &child):
		_, _ = fmt.Fprintln(s.err, "blog:", err)
		return child.Code
	case errors.As(err, &wrong):
		s.endUsage(wrong)
		return exitUsage
	case errors.As(err, &reported):
		return codeOf(reported.err)
	}
	e := plain(err)
	if s.json {
		s.printError(e)
		return codeOf(err)
	}
	_, _ = fmt.Fprintln(s.err, "blog:", e.Message)
	for _, f := range slices.Sorted(maps.Keys(e.Fields)) {
		_, _ = fmt.Fprintf(s.err, "  %s: %s\n", f, e.Fields[f])
	}
	if e.Key != "" {
		_, _ = fmt.Fprintf(s.err, "  To ask again: the same command with --key %s\n", e.Key)
	}
	return codeOf(err)
}

func (s *session) endUsage(wrong *usageError) {
	if s.json {
		s.printError(&repo.Error{Code: repo.Invalid, Message: wrong.message})
		return
	}
	_, _ = fmt.Fprintln(s.err, "blog:", wrong.message)
	if wrong.help {
		_, _ = fmt.Fprintln(s.err, "blog --help says more.")
	}
}

// shownError is an error as it is printed: fields are always there.
type shownError struct {
	*repo.Error
	Fields map[string]string `json:"fields"`
}

func shownIn(e *repo.Error) *shownError {
	fields := e.Fields
	if fields == nil {
		fields = map[string]string{}
	}
	return &shownError{e, fields}
}

func (s *session) printError(e *repo.Error) {
	s.print(struct {
		Error     *shownError    `json:"error"`
		Assurance repo.Assurance `json:"durability,omitempty"`
	}{shownIn(e), s.refusal})
}

func codeOf(err error) int {
	if errors.Is(err, repo.Unavailable) || repo.AsError(err).Code == repo.Unavailable {
		return exitUnknown
	}
	return exitRefused
}

// plain returns err as it is shown: the same on every node, and for a fault of
// this command, which has no log, with its cause.
func plain(err error) *repo.Error {
	var e *repo.Error
	if !errors.As(err, &e) {
		converted := repo.AsError(err)
		if converted.Code == repo.Internal {
			return &repo.Error{Code: repo.Internal, Message: err.Error()}
		}
		e = converted
	}
	shown := *e
	shown.Primary = ""
	return &shown
}

// reportedError has been said already, in its own form; only its code is left.
type reportedError struct{ err error }

func (e *reportedError) Error() string { return e.err.Error() }

// again notes in err, where the write may be asked for again, the key to do so with.
func again(err error, key string) error {
	if err == nil || repo.AsError(err).Code != repo.Unavailable {
		return err
	}
	e := *repo.AsError(err)
	e.Key = key
	return &e
}

// print writes v as JSON on a line to standard output.
func (s *session) print(v any) {
	enc := json.NewEncoder(s.out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		_, _ = fmt.Fprintln(s.err, "blog: write the answer:", err)
	}
}

// say writes a line for people, nothing with --json.
func (s *session) say(format string, args ...any) {
	if !s.json {
		_, _ = fmt.Fprintf(s.out, format+"\n", args...)
	}
}
