package frontmatter

import (
	"bytes"
	"path"
	"slices"
	"strings"
	"time"
)

// siteKey gives the key by which the settings of a whole site, by their file's name, say something of its files; "" for
// any other file.
func siteKey(name string) string {
	base := strings.ToLower(path.Base(name))
	switch stem := strings.TrimSuffix(base, path.Ext(base)); {
	case !slices.Contains([]string{".yml", ".yaml", ".toml", ".json"}, path.Ext(base)):
	case stem == "_config": // Jekyll's
		return "defaults"
	case stem == "hugo" || stem == "config":
		return cascade
	case base == "publish.json" && path.Base(path.Dir(name)) == ".obsidian":
		return "excluded"
	}
	return ""
}

// IsSite reports whether a file has the name of the settings of a whole site, which ReadSite reads.
func IsSite(name string) bool { return siteKey(name) != "" }

// ReadSite reads what the settings of a whole site say of its files, by their paths from the folder on in which the
// settings lie: Jekyll's defaults, Hugo's cascade, and what Obsidian does not publish. The folder of .obsidian is the
// one above. A pattern stands for all that can match it.
func ReadSite(name string, data []byte, now time.Time) (said []Below) {
	key := siteKey(name)
	if key == "" || !bytes.Contains(bytes.ToLower(data), []byte(key)) {
		return nil
	}
	p := &parser{file: File{Name: name, loc: time.UTC}, heard: map[string]bool{}}
	items, above := p.wholeItems(name, data)
	if Failed(p.problems) {
		return []Below{{Line: max(p.problems[0].Line-above, 1), Unclear: true}}
	}
	for _, it := range items {
		if squash(it.key) != key {
			continue
		}
		for _, v := range append([]*value{it.value}, it.value.list...) {
			b := p.siteEntry(key, v, now)
			if b.Line -= above; b.Private || b.Unclear {
				said = append(said, b)
			}
		}
	}
	return said
}

// wholeItems reads a file that is all front matter. above is how many lines were put above it.
func (p *parser) wholeItems(name string, data []byte) (items []item, above int) {
	fence := "---"
	switch strings.ToLower(path.Ext(name)) {
	case ".json":
		p.file.Raw = data
		p.file.parts.front = len(data) - len(bytes.TrimLeft(data, " \t\r\n"+bom))
		if p.readable(data) {
			items = p.jsonItems(data[p.file.parts.front:])
		}
		return items, 0
	case ".toml":
		fence = "+++"
	}
	data = bytes.TrimPrefix(data, []byte(bom))
	if first, _, _ := cutLine(data); !isFence(first, fence) {
		data, above = append([]byte(fence+"\n"), data...), 1
	}
	data = append(slices.Clip(data), "\n"+fence+"\n"...)
	p.file.Raw = data
	if p.readable(data) {
		p.split(data)
		items = p.readItems()
	}
	return items, above
}

// siteEntry reads one entry under the key of a site's settings.
func (p *parser) siteEntry(key string, v *value, now time.Time) Below {
	h := &hearing{p: &parser{file: File{loc: time.UTC}, heard: map[string]bool{}}, seen: map[place]bool{}}
	switch key {
	case "excluded":
		if v.kind != scalar || v.text == "" {
			return Below{}
		}
		return Below{Key: key, Line: v.line, Private: true, Path: literal(v.text)}
	case cascade:
		h.hearAll(v)
		b := h.outcome(now)
		for _, name := range []string{"_target", "target"} {
			if at := v.get(name).get("path").text; at != "" {
				b.Path = path.Join("content", literal(at))
			}
		}
		return b
	}
	h.hearAll(v.get("values"))
	b := h.outcome(now)
	scope := v.get("scope")
	b.Path = literal(scope.get("path").text)
	if kind := scope.get("type").text; kind != "" && kind != "pages" {
		b.Path = path.Join(b.Path, "_"+kind)
	}
	return b
}

// get returns the value of a key of a mapping; one of nothing where there is none.
func (v *value) get(key string) *value {
	for _, e := range v.pairs {
		if squash(e.key) == squash(key) {
			return e.value
		}
	}
	return &value{}
}

// literal returns the folders of a path before the first one that is a pattern.
func literal(pattern string) string {
	pattern = strings.TrimLeft(pattern, "/")
	if at := strings.IndexAny(pattern, "*?[{"); at >= 0 {
		pattern = pattern[:strings.LastIndexByte(pattern[:at], '/')+1]
	}
	if pattern = path.Clean(pattern); pattern == "." {
		return ""
	}
	return pattern
}
