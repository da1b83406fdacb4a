// Package markdown turns a post's Markdown source into what the blog stores
// and shows: HTML that is safe to embed in a page, the headings for a table of
// contents, plain text for the search index, an excerpt and a reading time. It
// knows nothing of posts, databases or requests, and refuses to fetch, read or
// write anything: where an image or a link leads is told by the caller.
//
// # How a post stays harmless
//
// Source passes five stages, each of which trusts only the ones before it:
//
//  1. goldmark parses the source, with limits on everything that is more than
//     linear in it (limits.go). What is beyond a limit is shown as text.
//  2. The syntax tree is written as HTML. A piece of raw HTML is sanitised by
//     itself, as a stranger's, by the policy of authored: no class, id, role,
//     style or form control survives. So every class and role seen after this
//     stage is our own, and nobody can forge one.
//  3. The result is built into a tree that is balanced by construction
//     (tree.go), so that a stray </div> cannot close the page's own elements.
//     It is built in linear time and in such a way that a browser that parses
//     the output arrives at the very same tree.
//  4. The tree is shaped (shape.go): headings get their level and id, images
//     their address and size, tables and code blocks their scrollable frames,
//     blocks their direction.
//  5. The bytes pass the policy of ours once more, an allow-list of exactly
//     what stages 2 to 4 can produce. It changes nothing (the fuzz target
//     holds this); it is there for the day when an earlier stage has a bug.
//
// # Headings
//
// The page's h1 is the post's title, so a body has none: the outline of its
// headings is mapped to h2 and below. Levels are structure and not size: the
// first heading is an h2 whether it was written # or ###, and a heading nested
// in another is exactly one level below it, so nobody who walks the page by
// headings meets a hole. A post written with # for its sections and one
// written with ## look the same.
package markdown
