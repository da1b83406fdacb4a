package frontmatter_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"blog/internal/frontmatter"
)

// TestReadSite: the settings of a whole site say of its folders what a file in them would say of itself.
func TestReadSite(t *testing.T) {
	now := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
	private := func(path, key string, line int) []frontmatter.Below {
		return []frontmatter.Below{{Path: path, Key: key, Line: line, Private: true}}
	}
	for _, c := range []struct {
		name, text string
		want       []frontmatter.Below
	}{
		{"_config.yml", "title: T\ndefaults:\n  - scope: {path: secret}\n    values: {published: false}\n",
			private("secret", "published", 4)},
		{"_config.yml", "---\ndefaults:\n- scope:\n    path: \"a/b/*.md\"\n  values:\n    draft: true\n",
			private("a/b", "draft", 6)},
		{"_config.yml", "defaults:\n- scope: {path: '', type: diary}\n  values: {private: yes}\n",
			private("_diary", "private", 3)},
		{"_config.yml", "defaults:\n- scope: {path: x}\n  values: {layout: post}\n", nil},
		{"_config.yml", "defaults: [\n", []frontmatter.Below{{Line: 1, Unclear: true}}},
		{"_config.yml", "title: [\n", nil}, {"x.yml", "defaults:\n- values: {draft: true}\n", nil},
		{"_config.toml", "[[defaults]]\nscope = {path = 'x'}\nvalues = {draft = true}\n", private("x", "draft", 3)},
		{"hugo.toml", "title = 'T'\n[cascade]\ndraft = true\n", private("", "draft", 3)},
		{"hugo.yaml", "cascade:\n- _target: {path: /secret/**}\n  params: {private: true}\n",
			private("content/secret", "private", 3)},
		{"config.json", "{\"cascade\": {\"publishDate\": \"2199-01-01\"}}", private("", "publishDate", 1)},
		{"config.json", "{\"a\": 1}", nil},
		{".obsidian/publish.json", "{\"excluded\": [\"Diary\", \"a/b.md\"]}", append(private("Diary", "excluded", 1),
			private("a/b.md", "excluded", 1)...)},
		{"publish.json", "{\"excluded\": [\"Diary\"]}", nil},
	} {
		got := frontmatter.ReadSite(c.name, []byte(c.text), now)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s %q (-want +got):\n%s", c.name, c.text, diff)
		}
	}
}

// TestReadBelowOfPrograms: what a program may say is not sure, whatever it says.
func TestReadBelowOfPrograms(t *testing.T) {
	for text, line := range map[string]int{
		"module.exports = {\n  draft: true,\n};\n": 2, "export default { layout: \"post\", permalink: false };\n": 1,
		"module.exports = {\n  // draft: true\n  tags: ['a'],\n};\n": 0, "module.exports = {\n  \"published\": false }": 2,
		"export default {\n\n  eleventyExcludeFromCollections: true }\n": 3, "export default { tags: ['posts'] }": 0,
	} {
		got := frontmatter.ReadBelow("posts/posts.11tydata.js", []byte(text), time.Now())
		if got.Unclear != (line > 0) || got.Private || got.Line != line {
			t.Errorf("%q: got %+v, want it unclear by line %d", text, got, line)
		}
	}
}
