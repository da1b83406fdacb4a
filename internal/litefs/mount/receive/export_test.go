//go:build linux

package receive

// Folder is the spool's name in data.dir, and MaxWaiting the bytes of complete frames beyond which none is received.
const (
	Folder     = folder
	MaxWaiting = maxWaiting
	Reserve    = reserve
)

// SetMemory sets the size up to which a payload is held in memory.
func (c *Client) SetMemory(n int64) { c.spool.memory = n }

// SetFree replaces the look at the disk's free space.
func (c *Client) SetFree(free func() int64) {
	c.spool.free = func(string) (int64, error) { return free(), nil }
}
