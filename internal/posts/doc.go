// Package posts owns posts: their form, the commands that change them, the
// queries that read them, and which of them readers see.
//
// A post is a draft, scheduled or published, and that stored state alone decides
// whether readers see it. When a scheduled post's date comes, the primary runs
// posts.release (Releaser); its row in the history of writes wakes lists, feeds,
// search and sockets like any other.
//
// A command renders Markdown in Prepare, on the primary and before the lock:
// HTML is never taken from the wire. Every command checks the revision that its
// caller saw, so that two editors cannot overwrite each other.
//
// The package refuses: HTML of pages, requests, files.
package posts
