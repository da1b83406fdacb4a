// Package markdown renders a post's Markdown source into what the blog stores and shows: HTML that
// is safe to embed in a page, the headings for a table of contents, plain text for the search
// index, an excerpt and a reading time. It knows nothing about posts, databases or requests, and
// fetches, reads and writes nothing: the caller says where an image or a link leads.
//
// # How a post stays harmless
//
// Source passes five stages. Each of them trusts only the ones before it:
//
//  1. goldmark parses the source, with limits on everything that takes more than linear time
//     (limits.go). What is beyond a limit is shown as text. This package's own parsers replace some of
//     goldmark's or add to them: emphasis and wrapped lines of Chinese, Japanese and Korean
//     (eastasian.go, lines.go), bare addresses (address.go), alerts (alert.go), ids of headings
//     (heading.go), the first line of code (fence.go) and typography of the text's language
//     (typography.go, language.go).
//  2. The syntax tree is written as HTML. Each piece of raw HTML is sanitised by itself, by the policy
//     of authored: no class, id, role, style or form control remains. So every class and role after
//     this stage comes from this package, and nobody can forge one.
//  3. The result is built into a tree that is always balanced (tree.go), so that a stray </div> cannot
//     close an element of the page. That takes linear time, and a browser that parses the output gets
//     the same tree.
//  4. The tree is shaped (shape.go): headings get their level and id, images their address and size,
//     videos and recordings their players (media.go),
//     tables and code blocks their scrollable frames, blocks their direction.
//  5. The bytes pass the policy of ours, an allow-list of exactly what stages 2 to 4 can produce. It
//     changes nothing, which the fuzz target checks, unless an earlier stage has a bug.
//
// Document.Warnings names, by its line, what the stages do not show of a source (lost.go).
//
// # Headings
//
// The title of the post is the page's h1, so a body has none: its headings become h2 and below.
// Levels are structure and not size. The first heading is an h2, whether it was written # or ###,
// and a heading inside another is exactly one level below it, so that a reader who goes through the
// page by headings finds no gap. A post written with # for its sections and one written with ##
// look the same.
package markdown
