package litefs

var _ NodeCloser = (*Static)(nil)

// Static is a node without LiteFS: it is always primary and hears of changes by Notify alone.
type Static struct{ *hub }

// OpenStatic returns a node that is always primary.
func OpenStatic() *Static {
	return &Static{hub: newHub(Role{State: Primary})}
}

// Close implements NodeCloser. There is nothing to release.
func (s *Static) Close() error { return nil }
