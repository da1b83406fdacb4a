package frontmatter

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
)

// maxStray is in how many lines of a text Stray looks.
const maxStray = 100

// Stray finds, in the first lines of a text that has no front matter, a key that may say that not everybody may read
// it: systems write these in other forms, or with something above them. It returns the key with its line from 1, and
// 0 where there is none. The forms are those of MultiMarkdown and Pelican (key: value from the first line on), of
// Nikola (.. key: value), Org (#+KEY: value), AsciiDoc and reStructuredText (:key: value), Dataview and Logseq
// (key:: value), comments, and what stands behind a line ---, +++ or ;;; that is not the first one.
func Stray(data []byte, loc *time.Location, now time.Time) (line int, key string) {
	if loc == nil {
		loc = time.UTC
	}
	var code codeFence
	isHead := true // no prose has begun
	for n := 1; n <= maxStray && len(data) > 0; n++ {
		text, length, _ := cutLine(data)
		data = data[length:]
		bare := string(bytes.TrimFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }))
		if code.holds(bare) || bare == "" {
			continue
		}
		if strayFence.MatchString(bare) {
			isHead = true
			continue
		}
		name, value, found := strayPair(bare)
		switch {
		case found && isHead && straySays(name, value, loc, now):
			return n, name
		case !found && !strayOther.MatchString(bare):
			isHead = false
		}
	}
	return 0, ""
}

var (
	strayFence = regexp.MustCompile(`^(?:-{3,}|\+{3,}|;{3,}|={3,}|<!-{2,}|-{2,}>|[{}])(?:\s*#.*|\s*\w+)?$`)
	// strayMark is what forms write before a key.
	strayMark = regexp.MustCompile(`^(?:<!-{2,}\s*|\[[^\]]*\]:\s*(?:#|<>)\s*[("']?|\.\.\s+|#\+|[:@%]|[-*]\s+|//\s*)+`)
	// strayOther are headings, and entries of a list in YAML.
	strayOther = regexp.MustCompile(`^(?:#+|=+|%|-)\s`)
	strayTail  = regexp.MustCompile(`(?:\s*-{2,}>|[,;)\s])+$`)
)

// strayPair reads a key with its value in any of the forms.
func strayPair(text string) (key, value string, found bool) {
	mark := strayMark.FindString(text)
	text = strayTail.ReplaceAllString(text[len(mark):], "")
	at := strings.IndexAny(text, ":=")
	if at <= 0 || at > 40 || len(strings.Fields(text[:at])) > 3 {
		return "", "", false
	}
	key = strings.Trim(text[:at], " \t\"'*_")
	value = strings.Trim(strings.TrimLeft(text[at:], ":="), " \t*_")
	if value = strings.Trim(value, `"'`); value == "" && strings.HasSuffix(mark, ":") {
		value = "true" // AsciiDoc's attribute that is set
	}
	return key, value, true
}

// straySays reports whether a key with its value may say that not everybody may read the text, or not yet, or not
// any more.
func straySays(key, text string, loc *time.Location, now time.Time) bool {
	if k := squash(key); meanings[k].field == tags {
		return slices.ContainsFunc(strings.FieldsFunc(text, func(r rune) bool {
			return unicode.IsSpace(r) || strings.ContainsRune(",#/[]\"'", r)
		}), privateName)
	}
	p := &parser{file: File{loc: loc}, heard: map[string]bool{}}
	h := &hearing{p: p, seen: map[place]bool{}}
	h.hear(key, cascade, 1, &value{kind: scalar, text: text, line: 1}, true)
	return len(h.private)+len(h.unclear) > 0 || h.awaited || Failed(p.problems) ||
		slices.ContainsFunc(h.delays, func(d delay) bool { return d.until.After(now) }) ||
		p.file.Expires != nil && !p.file.Expires.After(now)
}
