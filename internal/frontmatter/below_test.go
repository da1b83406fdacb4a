package frontmatter_test

import (
	"testing"
	"time"

	"blog/internal/frontmatter"
)

func TestReadBelow(t *testing.T) {
	now := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, text, key string
		line            int
	}{
		{"a/_index.md", "---\ntitle: A\ncascade:\n  draft: true\n---\n", "draft", 4},
		{"a/_index.md", "+++\n[[cascade]]\nbuild = {render = 'never'}\n[cascade._target]\npath = '/x'\n+++\n", "render", 3},
		{"a/_index.md", "---\ncascade:\n- private: yes\n---\n", "private", 3},
		{"a/_index.md", "---\ncascade: {expiryDate: 2024-04-30}\n---\n", "expiryDate", 2},
		{"a/_index.md", "---\ncascade: {expiryDate: 2024-05-02}\n---\n", "", 0},
		{"a/_index.md", "---\ncascade: {publishDate: 2024-05-02}\n---\n", "publishDate", 2},
		{"a/_index.md", "---\ncascade: {date: 2024-04-30}\n---\n", "", 0},
		{"a/_index.md", "---\ncascade: {params: {draft: true}}\n---\n", "draft", 2},
		{"_index.md", "+++\ndraft = true\n+++\n", "draft", 2},
		{"_index.md", "---\nbuild: {render: never}\nhidden: false\n---\n", "", 0},
		{"_index.md", "text", "", 0},
		{"posts/posts.json", "{\"tags\": [\"x\"],\n\"eleventyExcludeFromCollections\": true}",
			"eleventyExcludeFromCollections", 2},
		{"posts/posts.11tydata.json", "{\"draft\": true}", "draft", 1},
		{"posts/posts.json", "{\"permalink\": false}", "permalink", 1},
		{"posts/posts.json", "{\"layout\": \"post\"}", "", 0},
		{"posts/posts.json", "[1, 2]", "", 0}, {"posts/posts.JSON", "\ufeff\n{\n\"draft\": 1}", "draft", 3},
	} {
		want := frontmatter.Below{Key: c.key, Line: c.line, Private: c.key != ""}
		got := frontmatter.ReadBelow(c.name, []byte(c.text), now)
		if got != want {
			t.Errorf("%s %q: got %+v, want %+v", c.name, c.text, got, want)
		}
	}
	for text, line := range map[string]int{
		"---\ncascade: {status: ripe}\n---\n": 2, "---\ncascade: [\n---\n": 2, "---\ncascade:\n": 1, "\x00": 1,
		"---\ncascade:\n  expires: soon\n---\n": 3,
	} {
		got := frontmatter.ReadBelow("_index.md", []byte(text), now)
		if !got.Unclear {
			t.Errorf("%q: got %+v, want Unclear true", text, got)
		}
		if got.Private {
			t.Errorf("%q: got %+v, want Private false", text, got)
		}
		if got.Line != line {
			t.Errorf("%q: got line %d, want %d", text, got.Line, line)
		}
	}
	if got := frontmatter.ReadBelow("posts/posts.json", []byte("{broken"), now); !got.Unclear {
		t.Errorf("broken: got %+v, want Unclear true", got)
	}
}
