//go:build linux

package mount

// NewLineWriter is the writer that LiteFS's own log goes to.
var NewLineWriter = newLineWriter

// NewClient is what a replica reaches the primary's LiteFS with.
var NewClient = newClient

// Watchdog notices that a question gets no answer.
var Watchdog = watchdog
