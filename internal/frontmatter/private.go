package frontmatter

import (
	"path"
	"slices"
	"strings"
)

// verdict is what a key with its value says of who may read the post.
type verdict uint8

const (
	silent verdict = iota
	public         // it is out: it is published even without a date
	private
	awaited // it is to come out at its date
	unclear
)

// pageMappings are the keys of mappings that speak of the page itself.
var pageMappings = map[string]bool{
	"params": true, "extra": true, "build": true, "page": true, "post": true, "meta": true, "metadata": true,
	"settings": true, "options": true, "config": true, "data": true, "custom": true, "frontmatter": true, "access": true,
	"visibility": true, "publishing": true, "publication": true, "publish": true, "<<": true,
}

// judge gives what the value says in the manner of the key.
func (s speech) judge(v *value) verdict {
	yes, isTruth := v.truth()
	var out verdict
	switch {
	case v.kind == nothing || v.kind == scalar && v.plainText() == "":
		return silent
	case s.manner == ifAny:
		if slices.Contains([]string{"false", "no", "off", "none"}, squash(v.plainText())) ||
			v.kind == sequence && len(v.list) == 0 {
			return silent
		}
		return private
	case s.manner == byType:
		for _, e := range append([]*value{v}, v.list...) {
			if slices.Contains([]string{"draft", "drafts", "private", "unpublished"}, squash(e.plainText())) {
				return private
			}
		}
		return silent
	case s.manner == byWord && !isTruth:
		out = judgeWords(v)
	case !isTruth && v.kind == sequence && s.manner == ifTrue && s.loud: // left out of some lists
		return private
	case !isTruth:
		out = unclear
	case yes == (s.manner == ifTrue):
		return private
	case s.opens && s.manner != byWord:
		return public
	}
	switch {
	case out == unclear && s.vague:
		return silent
	case out == public && !s.opens:
		return silent
	}
	return out
}

// judgeWords reads one word, or a list of them, of which the most private counts.
func judgeWords(v *value) verdict {
	switch v.kind {
	case scalar:
		if out, found := states[squash(v.plainText())]; found {
			return out
		}
	case sequence:
		worst := silent
		for _, e := range v.list {
			out := unclear
			if e.kind == scalar {
				out = judgeWords(e)
			}
			if out == private {
				return private
			}
			worst = max(worst, out)
		}
		return worst
	}
	return unclear
}

// statement is what a key has said.
type statement struct {
	key  string
	line int
}

// privateLabels finds tags by which people mark what is not for everybody.
func (p *parser) privateLabels() (found []statement) {
	for _, it := range p.file.items {
		if it.field != tags {
			continue
		}
		for _, label := range p.file.Tags {
			for _, part := range strings.Split(label, "/") { // Obsidian's status/draft
				if privateName(part) {
					return []statement{{it.key, it.line}}
				}
			}
		}
	}
	return nil
}

// privateName reports whether a tag, a folder or a file has the name of what is not for everybody.
func privateName(name string) bool {
	switch squash(name) {
	case "draft", "drafts", "private", "unlisted", "unpublished", "nopublish", "notpublished", "donotpublish":
		return true
	}
	return false
}

// PrivateName reports whether a folder has the name of one in which what is not for everybody lies.
func PrivateName(folder string) bool { return privateName(folder) }

// privateFolder gives the first part of the file's path that says that what is in it is not for everybody: one
// that begins with a low line, since Jekyll, Hexo and Astro publish none of these but _posts, and one with
// such a name (drafts, x.draft.md), unless the file has said that it is public. A file that has our own
// is_draft is ours.
func (p *parser) privateFolder(said bool) string {
	for _, it := range p.file.items {
		if it.field == isDraft && squash(it.key) == "isdraft" {
			return ""
		}
	}
	full := path.Join(p.folder, p.file.Name)
	for _, part := range strings.Split(full, "/") {
		stem := strings.ToLower(strings.TrimSuffix(part, path.Ext(part)))
		if strings.HasPrefix(stem, "_") && stem != "_posts" && stem != "_index" && stem != "_" {
			return part
		}
		kind := strings.TrimPrefix(path.Ext(stem), ".")
		if !said && !path.IsAbs(full) && (privateName(part) || kind != "" && privateName(kind)) {
			return part
		}
	}
	return ""
}

// PrivatePlace gives the last part of a path that is named as places are which a system does not publish, such
// as _drafts; "" where there is none. It is for what lies above the files that Parse is given.
func PrivatePlace(dir string) string {
	found := ""
	for _, part := range strings.Split(dir, "/") {
		if strings.HasPrefix(part, "_") && privateName(part) {
			found = part
		}
	}
	return found
}
