// Package cluster starts real nodes for tests: processes with a FUSE mount, a data folder and ports of their own, as
// `blog mount` or under a stock `litefs mount`, with a static lease whose primary is the first node. It can put
// toxiproxy between the primary and a replica, kill, stop, pause and restart nodes, and leaves no process and no
// mount behind.
//
// It knows the program only by its command line, its environment and /readyz.
package cluster
