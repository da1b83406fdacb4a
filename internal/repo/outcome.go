package repo

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"blog/internal/apperr"
	"blog/internal/sqlite"
	"blog/internal/transport"
)

// phase is how far a call, or a read, had come when an error ended it.
type phase string

// The phases, in the order in which a call passes them on its way back.
const (
	atRead       phase = "read"          // a View of this node's copy
	atPrepare    phase = "prepare"       // a View on the way to a transaction, which has not begun
	atReceive    phase = "receive"       // a call comes in at the private listener
	atStart      phase = "start"         // the primary has the call, and has not begun to carry it out
	atApply      phase = "apply"         // inside the transaction, from its BEGIN on
	atCommit     phase = "commit"        // COMMIT was tried, and may have succeeded
	atConfirm    phase = "confirm"       // the row is there; members of the sync set have to confirm it
	atSend       phase = "send"          // one attempt to reach the primary
	atDeadline   phase = "deadline"      // no time is left for a further attempt; none has done anything
	afterUnknown phase = "after unknown" // no further attempt says what an attempt without an answer has done
	atServer     phase = "server"        // the command line asks its server
)

// next says what becomes of an error.
type next string

// What becomes of an error.
const (
	answered   next = "answered"
	askedAgain next = "asked again" // Forward sends the same call once more, with the same key
)

// condition names an error, or several that mean the same.
type condition struct {
	name  string
	holds func(err error) bool
}

// rule says what a condition at a phase is to the caller: an Unavailable error with that reason. Asking again may help
// after that time.
type rule struct {
	phase   phase
	when    condition
	reason  string // "": the error as it is
	after   time.Duration
	next    next
	message string // a format, for what fail is given beside the error
}

// The errors of this package that say how far a call has come. A text that is part of its rule's message is in a log
// only once.
var (
	errNotPrimary  = errors.New("not the primary")
	errStarting    = errors.New("is starting")
	errLeaving     = errors.New("is leaving")
	errNoPrimary   = errors.New("No primary") //nolint:staticcheck // as in the message
	errTooMany     = errors.New("more writes to do than it can hold")
	errExpired     = errors.New("after its deadline")
	errNoCommand   = errors.New("does not know the command")
	errNoField     = errors.New("does not know the field")
	errRoleChanged = errors.New("has changed meanwhile") // what was looked up may be another's history
	// errWriterEnded is returned while the term lasts. The canary reports it, and the node ends.
	errWriterEnded = errors.New("a command has ended the goroutine that writes")
	errRolledBack  = errors.New("SQLite has rolled the transaction back")
	errNoRoom      = errors.New("no room on the disk") // an I/O error of LiteFS's that means a full disk
)

// The messages that more than one rule has.
const (
	notAccepted = "The primary could not take the write; nothing was saved."
	primaryFull = "The primary's disk is full: nothing was saved. Its operator has to make room."
	savedOrNot  = "not known whether this was saved. Ask again with the same key: it is carried out once at the most."
)

// fullFor is when to come back to a node whose disk is full: its operator has to make room. soon is when to come back
// to one that is busy, or changes its role; later is when what has to happen takes an election, or another release.
const (
	soon    = time.Second
	later   = 5 * time.Second
	fullFor = 30 * time.Second
)

// rules is the one place that says what an error is to the caller. The first rule of a phase whose condition holds
// counts. An error for which there is none is passed on as it is: a command's own refusal reaches the caller like that,
// and anything else becomes Internal, with its cause in the primary's log (apperr.From).
//
// "Asked again" is a matter of the reason alone, since the answer may come over the wire: all rules with one reason
// agree on it, but for those at the end of Forward and of the command line's Client, after which nobody asks.
var rules = []rule{
	{atRead, when(sqlite.ErrStuck), apperr.DiskFull, fullFor, answered,
		"The disk of this node is full: its database can neither be read nor written until its operator makes room."},
	{atRead, when(sqlite.ErrEnded), apperr.Interrupted, soon, answered, "This took too long and was ended."},
	{atRead, when(sqlite.ErrAbsent), apperr.NoDatabase, soon, answered, "The database has not arrived on this node yet."},
	{atRead, condition{"the file cannot be opened", sqlite.IsCannotOpen}, apperr.CannotOpen, soon, answered,
		"The database on this node cannot be opened at this moment."},
	{atRead, condition{"locked, or to be rolled back", isLocked}, apperr.Busy, soon, askedAgain,
		"The database on this node is busy taking in changes."},

	{atPrepare, reason(apperr.DiskFull), apperr.DiskFull, fullFor, answered, primaryFull},
	{atPrepare, reason(apperr.Interrupted, apperr.Busy, apperr.NoDatabase), apperr.NotNow, soon, askedAgain, notAccepted},

	{atReceive, otherwise(), apperr.Interrupted, soon, answered, "The call did not arrive whole."},

	{atStart, when(errNotPrimary), apperr.WrongPrimary, soon, askedAgain, "This node is not the primary."},
	{atStart, when(errStarting), apperr.NotNow, soon, askedAgain, "The primary is starting."},
	{atStart, when(errLeaving), apperr.NotNow, soon, askedAgain, "The primary is leaving."},
	{atStart, when(errRoleChanged), apperr.NotNow, soon, askedAgain,
		"The primary has changed meanwhile; nothing was saved."},
	{atStart, when(errWriterEnded), apperr.NotNow, soon, askedAgain, "The primary cannot write; nothing was saved."},
	{atStart, when(errTooMany), apperr.Overloaded, overloadedFor, answered,
		"The primary has more writes to do than it can hold; nothing was saved. Try again in a moment."},
	{atStart, when(errExpired), apperr.Expired, soon, answered,
		"The call came after its deadline and was not carried out."},
	{atStart, when(errNoCommand), apperr.UnknownCommand, later, answered, "This release does not know the command %.80q."},
	{atStart, when(errNoField), apperr.UnknownCommand, later, answered,
		"This release does not know the field %.80q of the command."},

	{atApply, condition{"the command's own refusal", isCommandRefusal}, "", 0, answered, ""},
	{atApply, condition{"no room", isFull}, apperr.DiskFull, fullFor, answered, primaryFull},
	{atApply, condition{"nothing can be written, or the caller has gone", isCutOff}, apperr.NotNow, soon, askedAgain,
		notAccepted},

	{atCommit, condition{"no room", isFull}, apperr.DiskFull, fullFor, answered, primaryFull},
	{atCommit, otherwise(), apperr.OutcomeUnknown, soon, askedAgain, "It is " + savedOrNot},

	{atConfirm, otherwise(), apperr.OutcomeUnknown, soon, askedAgain,
		"The primary has this, but no second node has confirmed it, " +
			"so it is not known whether it will last. Ask again with the same key: it is carried out once at the most."},

	{atSend, when(errNoPrimary), apperr.NoPrimary, soon, askedAgain, "No primary is known."},
	{atSend, when(transport.ErrAddress), "", 0, answered, ""},
	{atSend, when(transport.ErrNotSent), apperr.NotNow, soon, askedAgain, "The primary cannot be reached."},
	{atSend, reason(apperr.BadSecret), apperr.BadSecret, fullFor, answered,
		"This node and the primary do not trust each other; " +
			"nothing was saved. Their operator has to set the same CLUSTER_SECRET on both."},
	{atSend, otherwise(), apperr.OutcomeUnknown, soon, askedAgain, "The primary's answer was lost."},

	{atDeadline, otherwise(), apperr.NoPrimary, later, answered,
		"No primary could take this in time; nothing was saved. Try again in a moment. (%s)"},
	{afterUnknown, reason(apperr.DiskFull), apperr.OutcomeUnknown, later, answered,
		"The primary's disk is full, so it is " + savedOrNot},
	{afterUnknown, otherwise(), apperr.OutcomeUnknown, later, answered,
		"The primary did not answer in time, so it is " + savedOrNot},

	{atServer, when(transport.ErrNotSent), apperr.NoServer, soon, answered,
		"No server answers at %s: start it with `blog serve`."},
	{atServer, otherwise(), apperr.OutcomeUnknown, later, answered,
		"The server did not answer in time, so it is " + savedOrNot},
}

// fail returns what err is to the caller when it ends a call at phase s. key is the call's, and more is what the
// message has beside err. An answer after which the outcome is not known, or the time is up, has the key to ask again
// with.
func fail(s phase, err error, key string, more ...any) error {
	if err == nil {
		return nil
	}
	for _, r := range rules {
		if r.phase != s || !r.when.holds(err) {
			continue
		}
		if r.reason == "" {
			return err
		}
		message := r.message
		if len(more) > 0 {
			message = fmt.Sprintf(message, more...)
		}
		e := apperr.NewUnavailable(r.reason, message, r.after, err)
		if r.reason == apperr.OutcomeUnknown || s == atDeadline {
			e.Key = key
		}
		return e
	}
	return err
}

// failApply is fail for an error inside a transaction: an I/O error on a disk without room is a full disk.
func (r *Repo) failApply(err error) error {
	if err == nil {
		return nil
	}
	if !isCommandRefusal(err) && r.hasNoRoom(err) {
		err = fmt.Errorf("%w: %w", errNoRoom, err)
	}
	return fail(atApply, err, "")
}

// isAskedAgain reports whether Forward sends a call once more that has ended with err: nothing was done and soon may
// be, or nobody knows.
func isAskedAgain(err error) bool {
	for _, r := range rules {
		if r.next == askedAgain && apperr.HasReason(err, r.reason) {
			return true
		}
	}
	return false
}

// isDefinite reports whether err says for certain that the call was refused. An answer that it was not carried out,
// or that something went wrong, says nothing about what an attempt before it has done, and rests on no row that has
// to last.
func isDefinite(err error) bool {
	switch apperr.From(err).Code {
	case apperr.Unavailable, apperr.Internal:
		return false
	}
	return true
}

func when(target error) condition {
	return condition{target.Error(), func(err error) bool { return errors.Is(err, target) }}
}

func reason(reasons ...string) condition {
	return condition{fmt.Sprint(reasons), func(err error) bool {
		for _, r := range reasons {
			if apperr.HasReason(err, r) {
				return true
			}
		}
		return false
	}}
}

func otherwise() condition { return condition{"any other", func(error) bool { return true }} }

func isLocked(err error) bool { return sqlite.IsRetryable(err) || sqlite.IsRollingBack(err) }

func isFull(err error) bool { return sqlite.IsFull(err) || errors.Is(err, errNoRoom) }

func isCommandRefusal(err error) bool {
	var refusal *apperr.Error
	var code apperr.Code
	return errors.As(err, &refusal) || errors.As(err, &code)
}

// isCutOff reports that the transaction could not go on although nothing is wrong with the command: the role is lost or
// in doubt, SQLite has ended it, or the caller's time is up.
func isCutOff(err error) bool {
	return sqlite.IsNotWritten(err) || sqlite.IsInterrupted(err) ||
		errors.Is(err, sql.ErrConnDone) || errors.Is(err, sql.ErrTxDone) || errors.Is(err, errRolledBack)
}
