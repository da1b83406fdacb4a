// Package sqlite owns what this program knows of SQLite and of the ways in which LiteFS changes a database file under
// it: the pools of connections that read and the one connection that writes, the pauses between reads that replication
// needs, the rollback of a transaction that was left behind, and the meaning of result codes. It refuses commands,
// rows of history and roles: who may write, and what an error is to a caller, is decided above.
package sqlite
