package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"

	"blog/internal/sqlite"
)

// schema has the migrations of this release. They only go forward, run on the node that
// may write, before it accepts writes, and are safe for the release before.
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
	if sqlite.IsMissingTable(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read schema version: %w", err)
	}
	return v.Int64, nil
}
