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
// caller saw, so that two editors cannot overwrite each other. The revision grows
// with what authors change: a release or a new rendering is in no one's way. Where a
// picture that Prepare found is removed before Apply, the command is prepared again.
//
// A post knows the file that it was imported from and the revision that this
// made. While the two agree, the file's next version is taken and the export is
// the file's very bytes; once they differ, the post was edited here, and an import
// is a conflict. Giving it another slug is no such edit, since a file finds its
// post by the old one.
//
// The package refuses: HTML of pages, requests, files.
package posts
