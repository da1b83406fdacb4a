// Package live tells open pages what has changed, over websockets.
//
// It owns topics, subscriptions, the socket loop and the tail of the change
// feed. It is given a render function and knows no page: what a change looks
// like is the Renderer's, what changed is the feed's. It refuses to be a second
// bus: nothing can be published here, a frame follows from a row of the table
// writes or is not sent.
//
// Frames are state, not deltas: each says what a topic's entry is now, so those
// that a reader missed can be merged and one that comes twice does no harm.
// DESIGN.md holds the model, the invariants and what happens at each fault.
package live
