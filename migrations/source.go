//go:build !faultmigration

package migrations

import "io/fs"

// Source returns the migrations that a node runs: FS.
func Source() fs.FS { return FS }
