package main_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestRefusalsOfFilesNameLineAndRemedy: refusals of a file, by its parser or by the command, name
// file, line and what to write instead, in one line each.
func TestRefusalsOfFilesNameLineAndRemedy(t *testing.T) {
	w := newWorld(t)
	w.mustAuthor(t)
	in := filepath.Join(w.dir, "in")
	var want []string
	for name, f := range map[string]struct{ text, line, cure string }{
		"author.md": {"---\ntitle: A\nauthor: Nobody Here\n---\nText.\n", "author.md:3: author: ", "`blog user add"},
		"date.md": {
			"---\ntitle: A\npublished_at: 01/02/2024\n---\nText.\n", "date.md:3: published_at: ", "write 2024-",
		},
		"description.md": {
			"---\ntitle: A\ndescription: " + strings.Repeat("long ", 500) + "\n---\nText.\n", "description.md:3: description: ",
			"write a sentence",
		},
		"feed.md": {
			"---\ntitle: A\n---\nText.\n", "feed.md:1: slug: ", "comes from the file's name; write slug: post-feed",
		},
		"permalinks.md": {
			"---\ntitle: A\ntags: [a]\npermalinks:\n  - /fine\n  - https://old.example/x/y/?p=1\n---\nText.\n",
			"permalinks.md:4: permalinks: ", "write the path: /x/y",
		},
		"picture.md": { // which is not refused
			"---\ntitle: A\n---\n\nText.\n\n![x](../out.png)\n", "picture.md:7: ../out.png: ", "--root DIR",
		},
		"slug.md": {
			"---\nslug: \"Not / a slug\"\ntitle: A\n---\nText.\n", "slug.md:2: slug: ", "write slug: not-a-slug",
		},
		"tags.md": {"---\ntitle: A\ntags: [fine, \"!\"]\n---\nText.\n", "tags.md:3: tags: ", "tags: [go, sqlite]"},
		"title.md": {
			"---\nslug: t\ntitle: " + strings.Repeat("long ", 100) + "\n---\nText.\n", "title.md:3: title: ", "shorter",
		},
		"zone.md": {"---\ntitle: A\ndate: 2024-05-01 10:30 CST\n---\nText.\n", "zone.md:3: date: ", "write an offset"},
	} {
		mustWriteFile(t, filepath.Join(in, name), f.text)
		want = append(want, f.line+"\x00"+f.cure)
	}
	for _, args := range [][]string{{"import", in}, {"import", in, "--dry-run"}} {
		o := w.run(t, args...)
		lines := strings.Split(strings.TrimSpace(o.err), "\n")
		for _, f := range want {
			begin, cure, _ := strings.Cut(f, "\x00")
			if len(args) > 2 && strings.HasPrefix(begin, "author") {
				continue // only the database has the authors
			}
			found := false
			for _, line := range lines {
				found = found || strings.HasPrefix(line, begin) && strings.Contains(line, cure)
			}
			if !found {
				t.Errorf("%v: want a line %q with %q: %s", args, begin, cure, o.err)
			}
		}
		o.expectCode(t, fmt.Sprint(args), 1)
	}
}
