// Package stream serves a LiteFS node's HTTP address: the replication stream (POST /stream) by itself, and what else
// the other nodes and the application need by asking LiteFS's own server, which listens on the loopback interface.
//
// LiteFS's own server holds the database's SHARED lock while it writes a copy of the database to the network, so a
// follower that is frozen, cut off or slow in that moment makes every COMMIT on the primary fail. This package never
// holds a lock while it writes to the network or to a disk. DESIGN.md of internal/litefs/mount says how.
//
// What is on the wire is LiteFS v0.5.14's (its http/server.go, litefs.go and internal/chunk), so nodes with LiteFS's
// own client follow. Two headers are added, by which a broken copy goes on where it broke (HeaderResume), and one
// frame, which LiteFS's client only logs (noticePrefix).
//
// The package decides nothing about who is primary, and knows no SQL.
package stream
