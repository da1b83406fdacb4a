// Package apperr owns the errors that keep their meaning on the way from the node that refuses to the person who asked:
// a small set of codes, reasons that narrow them, and one mapping to HTTP status. It knows no command and no database.
package apperr

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Code is the kind of a refusal. It is an error itself, so that
// errors.Is(err, apperr.NotFound) compares codes however often err was wrapped
// and whether the command ran here or on a primary across the ocean.
type Code string

// The codes. There are no others on the wire.
const (
	Invalid      Code = "invalid"      // the input is wrong; Fields says where
	NotFound     Code = "not_found"    // there is no such thing, for this actor
	Conflict     Code = "conflict"     // the thing has changed, or the key was used for something else
	Unauthorized Code = "unauthorized" // nobody is signed in, or no longer
	Forbidden    Code = "forbidden"    // this actor may not
	Unavailable  Code = "unavailable"  // not now: no primary, not this release, overloaded
	Internal     Code = "internal"     // a defect of this program; the log has the cause
)

// Error returns the code's name.
func (c Code) Error() string { return string(c) }

// Reasons narrow a code where a program must tell cases apart.
const (
	KeyReused      = "key_reused"      // Conflict: this key belongs to another command, actor or content
	ClockDoubted   = "clock_doubted"   // Conflict: the primary's clock cannot be relied on
	OutcomeUnknown = "outcome_unknown" // Unavailable: the write may or may not have happened; ask again with Key
	NoPrimary      = "no_primary"      // Unavailable: no primary is known
	WrongPrimary   = "not_primary"     // Unavailable: the receiver is not the primary; Primary names it when known
	Expired        = "expired"         // Unavailable: the call arrived more than 2 s after its deadline
	UnknownCommand = "unknown_command" // Unavailable: this release does not know the command or a field of it
	NotNow         = "not_now"         // Unavailable: nothing was done; the primary is starting, or has just lost its role
	Overloaded     = "overloaded"      // Unavailable: nothing was done; too much waits, here or at the primary
	DiskFull       = "disk_full"       // Unavailable: nothing was done; the primary's disk has no room
	TooLarge       = "too_large"       // Invalid: the command is larger than a write may be
	BadSecret      = "bad_secret"      // Unauthorized, or Unavailable for this node's own call: CLUSTER_SECRET differs
	NoServer       = "no_server"       // Unavailable, from Client: nothing listens at its address
	Busy           = "busy"            // Unavailable: the database here is locked by what it takes in
	NoDatabase     = "no_database"     // Unavailable: the database, or a table of it, has not arrived here yet
	CannotOpen     = "cannot_open"     // Unavailable: the database here cannot be opened now; what it holds is not known
	Interrupted    = "interrupted"     // Unavailable: the caller went away or its time was up
)

// Error is a refusal that keeps its meaning across the wire.
type Error struct {
	Code    Code              `json:"code"`
	Reason  string            `json:"reason,omitempty"`
	Message string            `json:"message"`           // one sentence for a person
	Fields  map[string]string `json:"fields,omitempty"`  // message by field name of the command's wire form
	Key     string            `json:"key,omitempty"`     // the key to ask again with, when the outcome is unknown
	Primary string            `json:"primary,omitempty"` // base URL of the primary, with WrongPrimary
	// RetryAfter is when asking again may help, with Unavailable. Whole seconds on the wire.
	RetryAfter int `json:"retry_after,omitempty"`

	cause error // stays on this node: it may hold addresses and SQL
}

// Errorf returns an Error with a formatted message. A %w operand becomes the
// cause too, which errors.Unwrap gives; its text is part of the message, so it
// must be fit for a stranger's eyes.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), cause: errors.Unwrap(err)}
}

// InvalidFields returns an Invalid error with a message for each field, or nil
// when there is none, so that a command can collect and return in one line.
func InvalidFields(fields map[string]string) error {
	if len(fields) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(fields))
	return &Error{Code: Invalid, Message: "Some fields need a change: " + strings.Join(names, ", ") + ".", Fields: fields}
}

// Error returns the message with its fields, for logs.
func (e *Error) Error() string {
	s := string(e.Code)
	if e.Reason != "" {
		s += " (" + e.Reason + ")"
	}
	s += ": " + e.Message
	for _, f := range slices.Sorted(maps.Keys(e.Fields)) {
		s += "; " + f + ": " + e.Fields[f]
	}
	if e.cause != nil && !strings.Contains(e.Message, e.cause.Error()) {
		s += ": " + e.cause.Error()
	}
	return s
}

// Is reports whether target is e's code, or an Error with the same code and reason.
func (e *Error) Is(target error) bool {
	switch t := target.(type) {
	case Code:
		return t == e.Code
	case *Error:
		return t.Code == e.Code && t.Reason == e.Reason
	}
	return false
}

// WithCause sets the local cause and returns e.
func (e *Error) WithCause(cause error) *Error {
	e.cause = cause
	return e
}

// Unwrap returns the local cause, nil for an error that came over the wire.
func (e *Error) Unwrap() error { return e.cause }

// Known reports whether c is one of the codes.
func (c Code) Known() bool {
	return slices.ContainsFunc(statuses(), func(p codeStatus) bool { return p.code == c })
}

// Status returns the HTTP status of the code.
func (c Code) Status() int {
	for _, p := range statuses() {
		if p.code == c {
			return p.status
		}
	}
	return http.StatusInternalServerError
}

type codeStatus struct {
	code   Code
	status int
}

func statuses() []codeStatus {
	return []codeStatus{
		{Invalid, http.StatusUnprocessableEntity},
		{NotFound, http.StatusNotFound},
		{Conflict, http.StatusConflict},
		{Unauthorized, http.StatusUnauthorized},
		{Forbidden, http.StatusForbidden},
		{Unavailable, http.StatusServiceUnavailable},
		{Internal, http.StatusInternalServerError},
	}
}

// From returns err as an *Error. What is not one becomes Internal with a
// message that gives nothing away; the cause stays attached for the log. An end
// of a context is Unavailable: no fault of ours.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	var c Code
	if errors.As(err, &c) {
		return &Error{Code: c, Message: err.Error(), cause: err}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return NewUnavailable(Interrupted, "This took too long and was ended.", time.Second, err)
	}
	return &Error{Code: Internal, Message: "Something went wrong here. The server's log says what.", cause: err}
}

// HasReason reports whether err is an Error with that reason.
func HasReason(err error, reason string) bool {
	var e *Error
	return errors.As(err, &e) && e.Reason == reason
}

// NewUnavailable returns an Unavailable error with that reason, which may be "". Asking again may help in after, which
// is rounded up to whole seconds, and at least one. cause may be nil.
func NewUnavailable(reason, message string, after time.Duration, cause error) *Error {
	return &Error{Code: Unavailable, Reason: reason, Message: message, RetryAfter: max(1, int(math.Ceil(after.Seconds()))),
		cause: cause}
}
