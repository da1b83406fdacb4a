package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"blog/internal/apperr"
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

// end prints err, in words or in JSON, and returns the exit code.
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
		s.printError(&apperr.Error{Code: apperr.Invalid, Message: wrong.message})
		return
	}
	_, _ = fmt.Fprintln(s.err, "blog:", wrong.message)
	if wrong.help {
		_, _ = fmt.Fprintln(s.err, "blog --help says more.")
	}
}

// shownError is an error as it is printed: it always has fields.
type shownError struct {
	*apperr.Error
	Fields map[string]string `json:"fields"`
}

func shownIn(e *apperr.Error) *shownError {
	fields := e.Fields
	if fields == nil {
		fields = map[string]string{}
	}
	return &shownError{e, fields}
}

func (s *session) printError(e *apperr.Error) {
	s.print(struct {
		Error     *shownError    `json:"error"`
		Assurance repo.Assurance `json:"durability,omitempty"`
	}{shownIn(e), s.refusal})
}

func codeOf(err error) int {
	if errors.Is(err, apperr.Unavailable) || apperr.From(err).Code == apperr.Unavailable {
		return exitUnknown
	}
	return exitRefused
}

// plain returns err as it is printed: without what differs between nodes, and with the cause of a
// fault of this command, which has no log.
func plain(err error) *apperr.Error {
	var e *apperr.Error
	if !errors.As(err, &e) {
		converted := apperr.From(err)
		if converted.Code == apperr.Internal {
			return &apperr.Error{Code: apperr.Internal, Message: err.Error()}
		}
		e = converted
	}
	shown := *e
	shown.Primary = ""
	return &shown
}

// reportedError is an error that was printed already; only its exit code is used.
type reportedError struct{ err error }

func (e *reportedError) Error() string { return e.err.Error() }

// again returns err with the key under which the write may be sent again, when it is Unavailable.
func again(err error, key string) error {
	if err == nil || apperr.From(err).Code != apperr.Unavailable {
		return err
	}
	e := *apperr.From(err)
	e.Key = key
	return &e
}

// print writes v to standard output as one line of JSON.
func (s *session) print(v any) {
	enc := json.NewEncoder(s.out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		_, _ = fmt.Fprintln(s.err, "blog: write the answer:", err)
	}
}

// say writes a line to standard output, unless --json was given.
func (s *session) say(format string, args ...any) {
	if !s.json {
		_, _ = fmt.Fprintf(s.out, format+"\n", args...)
	}
}
