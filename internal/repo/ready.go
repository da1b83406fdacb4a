package repo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"blog/internal/apperr"
	"blog/internal/litefs"
	"blog/internal/sqlite"
)

// Health is the state of the database here, for /readyz and `blog status`.
type Health struct {
	SchemaHave int64
	SchemaWant int64
	// Ready says that readers can be served here: there is a database, and its schema is that of this release, of the
	// one before it, or a newer one. Whether anything can be written is in Writing.
	Ready bool
	// Reason is why the node is not ready, which strangers must not see; or what is missing
	// although it is ready, which they may.
	Reason  string
	Seen    time.Time // when the database was read for this
	Writing Writing
}

// Health returns whether readers can be served here, and what was last seen of writing. It never waits for the writing
// connection. One read of the database answers all callers within a second; a caller that has waited a second for it
// gets the result of a read up to 10 s ago. A replica that knows no primary is ready, and says so.
func (r *Repo) Health(ctx context.Context) Health {
	f := r.readiness.find(ctx)
	h := Health{
		SchemaHave: f.schema, SchemaWant: r.schema.want, Seen: f.at.UTC(), Writing: r.Writing(),
	}
	switch {
	case f.err != nil:
		h.Reason = "no usable database: " + f.err.Error()
	case h.SchemaHave == 0:
		h.Reason = "no schema yet: the primary brings it"
	case h.SchemaHave < r.schema.before:
		h.Reason = fmt.Sprintf("schema %d is too old: this release needs %d, which the primary brings when it runs "+
			"this release", h.SchemaHave, h.SchemaWant)
	default:
		h.Ready, h.Reason = true, h.missing()
		if r.node.Role().State == litefs.Unknown && h.SchemaHave >= h.SchemaWant {
			h.Reason = "no primary is known: reads only"
		}
	}
	return h
}

// missing says what is not shown because the schema is another release's, "" when it is this one's.
func (h Health) missing() string {
	switch {
	case h.SchemaHave < h.SchemaWant:
		return fmt.Sprintf("reads only what schema %d has: migration %d has not been run on the primary yet",
			h.SchemaHave, h.SchemaWant)
	case h.SchemaHave > h.SchemaWant:
		return fmt.Sprintf("schema %d is a newer release's, this one knows %d: what came since is missing here until "+
			"this node runs that release", h.SchemaHave, h.SchemaWant)
	}
	return ""
}

const (
	// readLimit bounds the read that readiness rests on: longer than SQLite waits for a lock.
	readLimit = sqlite.BusyTimeout + 2*time.Second
	// readyFor is for how long one read answers all callers.
	readyFor = time.Second
	// readyWait is how long a caller waits for a read when the one before it succeeded within readyOld: a commit may
	// have the database locked, and that is over before a reader gives up.
	readyWait = time.Second
	readyOld  = sqlite.ViewLimit
)

// found is the result of one read of the database.
type found struct {
	at     time.Time // when it ended
	schema int64
	err    error
}

// readiness reads the database for all callers of Health: one read at a time, and none within readyFor of the last one.
type readiness struct {
	read func(ctx context.Context) found

	mu      sync.Mutex
	last    found
	reading chan struct{} // closed at the end of the read that is under way; nil: there is none
	ctx     context.Context
	cancel  context.CancelFunc
	works   sync.WaitGroup // guarded by mu until cancel
}

func newReadiness(ctx context.Context, read func(ctx context.Context) found) *readiness {
	r := &readiness{read: read}
	r.ctx, r.cancel = context.WithCancel(ctx)
	return r
}

var errClosed = errors.New("the database has been closed")

// find returns the result of the newest read. It fails when ctx ends or close was called.
func (r *readiness) find(ctx context.Context) found {
	last, reading := r.begin() //nolint:contextcheck // the read is for all who ask, and outlives the first of them
	if reading == nil {
		return last
	}
	var enough <-chan time.Time
	if last.err == nil && !last.at.IsZero() {
		patience := time.NewTimer(readyWait)
		defer patience.Stop()
		enough = patience.C
	}
	for {
		select {
		case <-reading:
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.last
		case <-enough:
			if time.Since(last.at) < readyOld {
				return last
			}
			enough = nil
		case <-ctx.Done():
			return found{at: time.Now(), err: context.Cause(ctx)}
		}
	}
}

// begin returns the last result, and a channel that is closed when the read under way has ended, which it begins if
// need be. The channel is nil when the last result is new enough.
func (r *readiness) begin() (found, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		return found{at: time.Now(), err: errClosed}, nil
	}
	if !r.last.at.IsZero() && time.Since(r.last.at) < readyFor {
		return r.last, nil
	}
	if r.reading == nil {
		done := make(chan struct{})
		r.reading = done
		r.works.Go(func() {
			ctx, cancel := context.WithTimeout(r.ctx, readLimit)
			defer cancel()
			f := r.read(ctx)
			f.at = time.Now()
			r.mu.Lock()
			defer r.mu.Unlock()
			r.last, r.reading = f, nil
			close(done)
		})
	}
	return r.last, r.reading
}

// close ends the read that is under way and waits for its end.
func (r *readiness) close() {
	r.mu.Lock()
	r.cancel()
	r.mu.Unlock()
	r.works.Wait()
}

// readSchema reads the schema's version and the newest row, without which nothing can be shown.
func (r *Repo) readSchema(ctx context.Context) (f found) {
	f.err = r.ViewReserved(ctx, func(rd Reader) (err error) {
		if f.schema, err = r.schema.have(ctx, rd); err != nil || f.schema == 0 {
			return err
		}
		_, err = newestRow(ctx, rd) // nothing is shown without it
		return err
	})
	if apperr.HasReason(f.err, apperr.NoDatabase) {
		f.schema = 0
	}
	return f
}

// Schema returns the version of the schema here, 0 when there is none yet.
func (r *Repo) Schema(ctx context.Context) (int64, error) {
	f := r.readiness.find(ctx)
	if apperr.HasReason(f.err, apperr.NoDatabase) {
		return 0, nil
	}
	return f.schema, f.err
}
