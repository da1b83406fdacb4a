package accounts

import "net/netip"

// Succeeded is written, of an attempt to sign in whose write is done.
func (l *Limiter) Succeeded(email string, addr netip.Addr) { l.written(byEmail(email), addr, nil) }
