// Package failover is tested on four real nodes with a lease in Consul: two that may be
// elected, in one region, and two that never are. What takes containers, such as a cut
// network or a full disk, is in test/compose.
package failover
