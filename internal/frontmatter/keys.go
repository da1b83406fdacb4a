package frontmatter

import (
	"strings"
)

// rank says how a key that means a field counts beside others that do.
type rank uint8

const (
	ours    rank = iota // ours, or a word of the same meaning: two values are a contradiction
	further             // adds to what ours says
	instead             // counts where ours is not there
	lastly              // counts where none of those before is there
)

// meaning is the field that a key means.
type meaning struct {
	field field
	rank  rank
}

// meanings is what a key means, in the form of squash. The words are those of Jekyll, Hugo, Zola,
// Hexo, Eleventy, Astro, Gatsby, Obsidian, Pelican, dev.to and Ghost.
var meanings = map[string]meaning{
	"title": {title, ours}, "slug": {slug, ours}, "pinned": {pinned, ours}, "verbatim": {verbatim, ours},
	"description": {description, ours}, "summary": {description, instead}, "excerpt": {description, lastly},
	"author": {author, ours}, "authors": {author, instead},
	"isdraft": {isDraft, ours}, "draft": {isDraft, ours},

	"publishedat": {publishedAt, ours}, "date": {publishedAt, ours},
	"published": {publishedAt, further}, "publish": {publishedAt, further},
	"publishdate": {publishedAt, further}, "publisheddate": {publishedAt, further}, "publishon": {publishedAt, further},
	"publishedon": {publishedAt, further}, "publishat": {publishedAt, further}, "datepublished": {publishedAt, further},
	"publicationdate": {publishedAt, further}, "publishtime": {publishedAt, further},
	"publishfrom": {publishedAt, further},
	"pubdate":     {publishedAt, further}, "pubdatetime": {publishedAt, further}, "postdate": {publishedAt, further},
	"postedon": {publishedAt, further}, "dateposted": {publishedAt, further}, "golivedate": {publishedAt, further},
	"embargo": {publishedAt, further}, "embargountil": {publishedAt, further}, "embargodate": {publishedAt, further},
	"scheduled": {publishedAt, further}, "scheduledat": {publishedAt, further}, "scheduledfor": {publishedAt, further},
	"scheduledate": {publishedAt, further}, "visiblefrom": {publishedAt, further},
	"created": {publishedAt, lastly}, "createdat": {publishedAt, lastly}, "createdon": {publishedAt, lastly},
	"datecreated": {publishedAt, lastly}, "creationdate": {publishedAt, lastly},

	"tags": {tags, ours}, "tag": {tags, further}, "categories": {tags, further}, "category": {tags, further},
	"taxonomies": {tags, further},
	"permalinks": {permalinks, ours}, "aliases": {permalinks, further}, "alias": {permalinks, further},
	"redirectfrom": {permalinks, further}, "permalink": {permalinks, further}, "url": {permalinks, further},
	"path": {permalinks, further}, "oldurl": {permalinks, further}, "oldurls": {permalinks, further},
}

// means gives the field that an item means. Some words are a date or an address, or else a yes or
// no, as their value has it.
func means(it item) meaning {
	key := squash(it.key)
	m := meanings[key]
	if key == "taxonomies" && it.value.kind != mapping {
		return meaning{}
	}
	if m.rank == ours || m.field == tags || m.field == author {
		return m
	}
	_, isTruth := it.value.truth()
	switch {
	case isTruth && (m.field == publishedAt || m.field == permalinks), it.value.kind == mapping,
		it.value.kind == sequence && m.field != permalinks:
		return meaning{}
	}
	return m
}

// known gives the field a key means, or none.
func known(key string) field { return meanings[squash(key)].field }

// suggestion is the key that an unknown one probably means.
func suggestion(key string) string {
	switch squash(key) {
	case "keywords", "topics", "labels":
		return "tags"
	case "subtitle", "abstract", "lead", "teaser", "customexcerpt":
		return "description"
	case "redirects", "canonicalurl", "link":
		return "permalinks"
	case "by", "writer", "creator":
		return "author"
	case "pin", "ispinned", "sticky", "featured":
		return "pinned"
	}
	if f := known(key); f != none && !strings.EqualFold(key, canonical()[f]) {
		return canonical()[f]
	}
	return ""
}
