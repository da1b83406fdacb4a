package main_test

import (
	"path/filepath"
	"testing"
)

// TestWhatFoldersSay: what a file says of others holds for an import of the site, for one of a folder below, and for
// who names one file, all the same.
func TestWhatFoldersSay(t *testing.T) {
	w := newWorld(t)
	w.mustAuthor(t)
	const text, jekyll = "---\ndate: 2019-01-01\n---\nText.\n", "defaults:\n"
	for name, c := range map[string]struct {
		says, text string // the file that says something, and what
		file       string
		state      string // "" where it is refused
	}{
		"section":        {"a/_index.md", "---\ndraft: true\n---\n", "a/b/c/x.md", "draft"},
		"other ending":   {"a/_INDEX.Markdown", "---\ndraft: true\n---\n", "a/b/x.md", "draft"},
		"language":       {"a/_index.en.md", "---\ncascade: {private: true}\n---\n", "a/b/x.md", "draft"},
		"cannot be read": {"a/_index.md", "---\ncascade: [\n---\n", "a/b/x.md", ""},
		"data":           {"a/a.json", `{"published": false}`, "a/b/x.md", "draft"},
		"data's letters": {"a/A.11tydata.JSON", `{"published": false}`, "a/b/x.md", "draft"},
		"program":        {"a/a.11tydata.js", "export default { draft: true }", "a/b/x.md", ""},
		"data of a file": {"a/b/x.11tydata.json", `{"draft": true}`, "a/b/x.md", "draft"},
		"of another":     {"a/b/y.11tydata.json", `{"draft": true}`, "a/b/x.md", "published"},
		"Jekyll": {"_config.yml", jekyll + "- scope: {path: a/b}\n  values: {published: false}\n", "a/b/x.md",
			"draft"},
		"Jekyll's file": {"_config.yml", jekyll + "- scope: {path: a/b/x.md}\n  values: {draft: 1}\n", "a/b/x.md", "draft"},
		"other folder":  {"_config.yml", jekyll + "- scope: {path: b}\n  values: {draft: 1}\n", "a/b/x.md", "published"},
		"Hugo":          {"hugo.toml", "[cascade]\ndraft = true\n", "content/b/x.md", "draft"},
		"Obsidian":      {".obsidian/publish.json", `{"excluded": ["a"]}`, "a/b/x.md", "draft"},
		"nothing":       {"a/notes.json", `{"draft": true}`, "a/b/x.md", "published"},
	} {
		t.Run(name, func(t *testing.T) {
			site := filepath.Join(w.dir, "site of "+name)
			file := filepath.Join(site, filepath.FromSlash(c.file))
			mustWriteFile(t, filepath.Join(site, filepath.FromSlash(c.says)), c.text)
			mustWriteFile(t, file, text)
			for _, dir := range []string{site, filepath.Dir(file)} {
				for _, f := range decode[imported](t, w.run(t, "import", dir, "--dry-run", "--json").out).Files {
					if filepath.Base(f.File) == "x.md" && f.Would != c.state {
						t.Errorf("import %s: got the state %q, want %q: %q %v", dir, f.Would, c.state, f.Warnings, f.Error)
					}
				}
			}
			o := w.run(t, "post", "new", "--title", "T", file, "--json")
			if c.state == "" {
				o.expectCode(t, "post new", 1)
				return
			}
			if got := decode[written](t, o.out).Post.State; got != c.state {
				t.Errorf("post new: got the state %q, want %q: %s", got, c.state, o.err)
			}
		})
	}
}
