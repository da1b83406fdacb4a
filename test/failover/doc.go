// Package failover has tests on four real nodes with a lease in Consul: two that may be elected, in
// one region, and two that never are. Faults that need containers, such as a cut network or a full
// disk, are in test/compose.
package failover
