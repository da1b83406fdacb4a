// Package receive is the receiving half of LiteFS's replication stream: a litefs.Client whose Stream holds back each
// LTX frame until the frame is complete and verified.
//
// LiteFS takes the database's exclusive lock and then reads a frame's payload. Read from the network, a payload that
// stops half way blocks all readers of the replica. Here a payload is first received as a whole, in memory up to 1 MiB
// and in a file of data.dir beyond that; its checksums are verified; and only then LiteFS sees the frame's first byte,
// with the payload on the same machine. A database image (a snapshot) whose connection breaks is resumed by the next
// stream, where the primary can do that.
//
// The package knows LiteFS's wire format and no lease, no role and no database.
package receive
