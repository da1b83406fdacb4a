// Package mount is the LiteFS node itself, built from LiteFS's own packages: litefs.yml, store, FUSE file system,
// HTTP API, lease, and the application as its child process. It is what `blog mount` runs.
//
// It differs from a stock `litefs mount` of the same release in who may be primary, in its time limits, and in what it
// does when a process ends (DESIGN.md):
//   - with a lease in Consul only members of the sync set are elected; the child maintains the set;
//   - a lease ends by this node's own clock, however Consul hangs;
//   - what is replicated to this node is received as a whole before LiteFS locks the database for it (receive);
//   - every call to Consul and the replication stream has a time limit, so a partition is noticed in seconds;
//   - a replica that is frozen, cut off or slow delays no commit: the node serves the stream itself (package stream);
//   - at the start the node waits for a Consul that does not answer;
//   - the node is closed in order whatever the child's exit code, so the lease is released and the mount goes away;
//   - a loop of restarts gets slower;
//   - when the node dies the child dies with it, and a mount left by a killed node is replaced.
//
// It reads the keys of litefs.yml that LiteFS documents and refuses those whose meaning it does not carry out
// (proxy, backup, tracing, lease.promote, exit-on-error: false) rather than ignoring them. The application stays a
// child process: SQLite and the FUSE server in one process can block each other. It knows no SQL and nothing of the
// blog.
package mount
