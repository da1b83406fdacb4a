package frontmatter_test

import (
	"strings"
	"testing"
	"time"

	"blog/internal/frontmatter"
)

// TestStray: what says in the first lines of a text, in whatever form, that it is not for everybody is found where
// it is no front matter, and a text that speaks of such things is a text.
func TestStray(t *testing.T) {
	now := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		text, key string
		line      int
	}{
		// MultiMarkdown, Pelican, Hexo and others without a first ---
		{"Title: T\nStatus: draft\n\nText.\n", "Status", 2}, {"title: T\ndraft: true\n---\nText.\n", "draft", 2},
		{"Title: T\nDate: 2199-01-01\n\nText.\n", "Date", 2}, {"Title: T\nDate: 2019-01-01\n\nText.\n", "", 0},
		{"Title: T\nVisibility: members\n", "Visibility", 2}, {"title: T\nstatus: ripe\n", "status", 2},
		{"title: T\nexpires: 2024-04-30\n", "expires", 2}, {"title: T\nexpires: 2024-05-02\n", "", 0},
		{"title: T\nexpires: soon\n", "expires", 2}, {"status: scheduled\n", "status", 1},
		{"\"title\": \"T\",\n\"published\": false\n;;;\nText.\n", "published", 2}, {"tags: go, draft\n", "tags", 1},
		{"password = hush\n", "password", 1}, {"Status: published\n\nText.\n", "", 0},
		{"title = T\ndraft = true\n", "draft", 2},
		// Something is above the first line of front matter
		{"<!-- (c) me -->\n---\ntitle: T\npublished: false\n---\nText.\n", "published", 4},
		{"\n---\n# mine\nprivate: yes\n---\n", "private", 4}, {"# T\n\n---\ntags:\n  - a\ndraft: true\n---\n", "draft", 6},
		{"A text.\n\n+++\ndraft = true\n+++\n", "draft", 4}, {";;;\n\"draft\": true\n;;;\n", "draft", 2},
		{"=== cson\ntitle: 'T'\ndraft: true\n===\n", "draft", 3}, {"\u200b;;;\ndraft: 1\n", "draft", 2},
		// Comments and other marks
		{"<!--\n.. title: T\n.. status: draft\n-->\nText.\n", "status", 3}, {".. status: private\n", "status", 1},
		{"<!-- status: draft -->\nText.\n", "status", 1}, {"<!-- draft: true -->\n", "draft", 1},
		{"[//]: # (published: false)\nText.\n", "published", 1}, {"#+TITLE: T\n#+DRAFT: t\nText.\n", "DRAFT", 2},
		{":title: T\n:status: draft\n\nText.\n", "status", 2}, {"= T\n:draft:\n\nText.\n", "draft", 2},
		{"% T\nprivate:: true\n", "private", 2}, {"- public:: false\n", "public", 1}, {"**Status:** draft\n", "Status", 1},
		{"@draft: true\n", "draft", 1}, {"visibility: \"private\"\r\n\r\nText.\r\n", "visibility", 1},
		{"ＤＲＡＦＴ: true\n", "ＤＲＡＦＴ", 1},
		// Texts
		{"Text.\n\nStatus: draft\n", "", 0}, {"```yaml\n---\ndraft: true\n---\n```\nText.\n", "", 0}, {"", "", 0},
		{"# Heading\n\nNote: this is public.\n", "", 0}, {"https://example.org/?draft=true\n", "", 0},
		{"What is hidden: a story of three\n", "", 0}, {"draft:\n\nText.\n", "", 0},
		{strings.Repeat("Text.\n", 200) + "---\ndraft: true\n---\n", "", 0},
	} {
		line, key := frontmatter.Stray([]byte(c.text), nil, now)
		if line != c.line || key != c.key {
			t.Errorf("%q: got line %d, key %q, want line %d, key %q", c.text, line, key, c.line, c.key)
		}
	}
}
