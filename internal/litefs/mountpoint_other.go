//go:build !linux

package litefs

import "fmt"

// CheckMount always fails: LiteFS mounts on Linux only.
func CheckMount(path string) error {
	return fmt.Errorf("litefs: LITEFS_URL is set, but LiteFS and its mount, in which DATABASE_PATH %s should be, are on Linux only", path)
}
