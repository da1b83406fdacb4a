// Package posts owns posts: their form, the commands that change them, the queries that read them,
// and which of them readers see.
//
// A post is a draft, scheduled or published, and only that stored state decides whether readers see
// it. When the date of a scheduled post comes, the primary runs posts.release (see Releaser). Its
// row in the history of writes updates lists, feeds, search and sockets, as every other row does.
//
// A command renders Markdown in Prepare, on the primary and before the transaction takes its lock.
// HTML is never read from the wire. A command of an author checks the revision that the author saw,
// so that two editors cannot overwrite each other. Only what authors write raises the revision: a
// release, a pin or a new rendering leaves it as it is, so an open editor can still save. When a
// picture that Prepare found is removed before Apply, the command is prepared again.
//
// A post remembers the file that it was imported from, the revision that the import made, and
// whether the file pinned it. While revision and pin are still the same, an import takes the file's
// next version and an export returns the file byte for byte. When one of them differs, the post was
// edited on the blog, and an import fails with a Conflict. A new slug alone is no such edit,
// because an import finds the post by its old slug.
//
// A pinned post comes first in lists of cards: on the home page, on /posts and on the pages of
// tags. These show one list, filtered or not, so a card has the same order and the same mark in
// each. Lists that are a record by date stay sorted by date: the archive, the links between posts,
// the site map, and the feed, whose readers sort it themselves and would report an old post as a
// new one. Authors' lists mark pins and stay sorted by date too. A file with `pinned: true` pins
// its post, and a file without it unpins the post.
//
// The package has no HTML of pages, no requests and no files.
package posts
