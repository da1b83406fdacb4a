//go:build !linux

package litefs

import (
	"errors"
	"fmt"
)

// Free always fails: it is asked about LiteFS's mount.
func Free(string) (uint64, error) { return 0, errors.ErrUnsupported }

// CheckMount always fails: LiteFS mounts on Linux only.
func CheckMount(path string) error {
	return fmt.Errorf("litefs: LITEFS_URL is set, but LiteFS and its mount, in which DATABASE_PATH %s should be, are on "+
		"Linux only", path)
}
