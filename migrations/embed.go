// Package migrations holds the schema as goose migrations. They only go
// forward, run on the primary, and are safe for the release before.
package migrations

import "embed"

// FS holds the migrations in its root.
//
//go:embed *.sql
var FS embed.FS
