// Package transport owns the way from one process of this program to another's private listener: connections that last,
// the cluster's secret, how answers and errors are written and read, and how many bytes of bodies are in memory. It
// knows no command: what a request means is decided by who sends it and by who answers.
package transport

// MaxMessage is the largest body of a request or of an answer, in bytes: a piece of a picture in base64, or the longest
// post, fits with what is around it.
const MaxMessage = 4<<20 + 64<<10
