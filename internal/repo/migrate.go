package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/pressly/goose/v3"

	"blog/internal/litefs"
)

// schema knows the migrations of this release. They only go forward, run on the
// node that may write, before it takes writes, and are safe for the release before.
type schema struct {
	migrations fs.FS
	want       int64 // the newest version
	before     int64 // the one before it, 0 when there is none
}

func newSchema(migrations fs.FS) (schema, error) {
	s := schema{migrations: migrations}
	names, err := fs.Glob(migrations, "*.sql")
	if err != nil {
		return s, fmt.Errorf("list migrations: %w", err)
	}
	for _, n := range names {
		v, err := goose.NumericComponent(n)
		if err != nil {
			return s, fmt.Errorf("migration %s: %w", n, err)
		}
		if v > s.want {
			s.before, s.want = s.want, v
		} else {
			s.before = max(s.before, v)
		}
	}
	if s.want == 0 {
		return s, errors.New("no migrations")
	}
	return s, nil
}

func (s schema) migrate(ctx context.Context, db *sql.DB, log *slog.Logger) error {
	p, err := goose.NewProvider(goose.DialectSQLite3, db, s.migrations)
	if err != nil {
		return fmt.Errorf("load migrations: %w", err)
	}
	done, err := p.Up(ctx)
	for _, m := range done {
		log.Info("migrated", "version", m.Source.Version, "took", m.Duration)
	}
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// have returns the newest applied version, 0 when there is no schema.
func (s schema) have(ctx context.Context, rd Reader) (int64, error) {
	var v sql.NullInt64
	err := rd.QueryRowContext(ctx, "SELECT MAX(version_id) FROM goose_db_version WHERE is_applied = 1").Scan(&v)
	if missingTable(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read schema version: %w", err)
	}
	return v.Int64, nil
}

// Schema returns the schema that the database here has, 0 when there is none yet.
func (r *Repo) Schema(ctx context.Context) (int64, error) {
	var v int64
	err := r.View(ctx, func(rd Reader) error {
		var err error
		v, err = r.schema.have(ctx, rd)
		return err
	})
	if HasReason(err, NoDatabase) {
		return 0, nil
	}
	return v, err
}

// Health is what /readyz and `blog status` say of the database here.
type Health struct {
	SchemaHave int64 `json:"schema"`
	SchemaWant int64 `json:"schema_wanted"`
	Ready      bool  `json:"ready"`
	// Reason is why it is not ready, which may give away what is of no concern to
	// strangers; or what is missing although it is, which does not.
	Reason string `json:"reason,omitempty"`
	Cursor Cursor `json:"cursor"`
}

// healthLimit bounds Health: longer than a write waits for the lock, shorter than
// whoever asks.
const healthLimit = busyTimeout + 2*time.Second

// Health looks at the database: is it here, is its schema usable (this
// release's, the one before it, or a newer one), does the writing connection
// work where this node is primary. A replica that knows no primary stays ready
// for reads and says so.
func (r *Repo) Health(ctx context.Context) Health {
	h := Health{SchemaWant: r.schema.want}
	ctx, cancel := context.WithTimeout(ctx, healthLimit)
	defer cancel()
	err := r.View(ctx, func(rd Reader) error {
		var err error
		if h.SchemaHave, err = r.schema.have(ctx, rd); err != nil || h.SchemaHave == 0 {
			return err
		}
		newest, err := newestRow(ctx, rd)
		h.Cursor = newest.cursor
		return err
	})
	switch role := r.node.Role().State; {
	case err != nil:
		h.Reason = "no usable database: " + err.Error()
	case h.SchemaHave == 0:
		h.Reason = "no schema yet: the primary brings it"
	case h.SchemaHave < r.schema.before:
		h.Reason = fmt.Sprintf("schema %d is too old: this release needs %d, which the primary brings when it runs this release", h.SchemaHave, h.SchemaWant)
	case role == litefs.Primary:
		if err := r.primary.check(ctx); err != nil {
			h.Reason = "the writing connection does not work: " + err.Error()
			break
		}
		h.Ready, h.Reason = true, h.missing()
	default:
		h.Ready, h.Reason = true, h.missing()
		if role == litefs.Unknown && h.SchemaHave >= h.SchemaWant {
			h.Reason = "no primary is known: reads only"
		}
	}
	return h
}

// missing says what a usable schema of another release lacks, or this release.
func (h Health) missing() string {
	switch {
	case h.SchemaHave < h.SchemaWant:
		return fmt.Sprintf("reads only what schema %d has: migration %d has not been run on the primary yet", h.SchemaHave, h.SchemaWant)
	case h.SchemaHave > h.SchemaWant:
		return fmt.Sprintf("schema %d is a newer release's, this one knows %d: what came since is missing here until this node runs that release", h.SchemaHave, h.SchemaWant)
	}
	return ""
}
