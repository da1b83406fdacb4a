package mount

// NewLineWriter is the writer that LiteFS's own log goes to.
var NewLineWriter = newLineWriter
