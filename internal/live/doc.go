// Package live sends open pages what has changed, over websockets.
//
// The package owns topics, subscriptions, the sockets, and the hub, which follows the change feed. What has changed
// comes from the feed; what a change looks like comes from the Renderer, so the package knows no page. Nothing can be
// published here: a frame follows from a row of the table writes, or it is not sent.
//
// A frame is state and not a delta: it says what an entry of a topic is now. Frames that a reader has missed can
// therefore be merged, and a frame that comes twice does no harm. DESIGN.md has the model, the invariants and the
// result of each fault.
package live
