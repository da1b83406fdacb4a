package frontmatter

import (
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// fillIn sets what the file leaves out from its heading and its name.
func (p *parser) fillIn(dateText string) {
	f := &p.file
	stem, date := stemOf(f.Name)
	if !f.HasTitle {
		f.Title = heading(f.Body)
	}
	if f.Title == "" {
		f.Title = sentence(stem)
	}
	if !f.HasSlug {
		f.Slug = slugOf(stem)
	}
	if date != "" && dateText == "" && f.Draft && !f.HasDraft {
		p.warn(1, "published_at", "the date in the file's name is not used, and the post is a draft", "write published_at: "+date+" to publish it")
	}
}

// stemOf gives the part of a path that names the post, and the date before it.
func stemOf(name string) (stem, date string) {
	name = path.Clean(strings.ToValidUTF8(name, "-"))
	stem = strings.TrimSuffix(path.Base(name), path.Ext(name))
	if s := strings.ToLower(stem); s == "index" || s == "_index" {
		if folder := path.Base(path.Dir(name)); folder != "." && folder != ".." && folder != "/" {
			stem = folder
		}
	}
	stem = norm.NFC.String(stem)
	dated := regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})[-_ ](.+)$`)
	if m := dated.FindStringSubmatch(stem); m != nil {
		return m[2], m[1]
	}
	return stem, ""
}

// maxSlug is the longest slug made of a file's name, in characters.
const maxSlug = 100

// slugOf keeps letters, marks and digits of every script, in lower case, with
// single dashes between; an apostrophe goes without one.
func slugOf(s string) string {
	var b strings.Builder
	n, dash := 0, false
	for _, r := range strings.ToLower(s) {
		switch {
		case n == 0 && unicode.IsMark(r), r == '\'', r == '’':
			continue
		case !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsNumber(r):
			dash = n > 0
			continue
		case n >= maxSlug || dash && n >= maxSlug-1:
			return b.String()
		}
		if dash {
			b.WriteByte('-')
			n++
			dash = false
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}

// sentence makes a title of a file name.
func sentence(stem string) string {
	s := oneLine(strings.NewReplacer("-", " ", "_", " ").Replace(stem))
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return ""
	}
	return string(unicode.ToTitle(r)) + s[n:]
}

// heading gives the text of the first "# heading" outside code.
func heading(text string) string {
	link := regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
	fence := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		bare := strings.TrimLeft(line, " ")
		if len(line)-len(bare) > 3 {
			continue
		}
		if mark := fenceMark(bare); mark != "" {
			switch {
			case fence == "":
				fence = mark
			case strings.HasPrefix(mark, fence) && strings.TrimSpace(strings.TrimLeft(bare, fence[:1])) == "":
				fence = ""
			}
			continue
		}
		rest, found := strings.CutPrefix(bare, "#")
		if fence != "" || !found || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
			continue
		}
		rest = strings.TrimSpace(rest)
		if closed := strings.TrimRight(rest, "#"); closed == "" || strings.HasSuffix(closed, " ") {
			rest = closed
		}
		rest = link.ReplaceAllString(rest, "$1")
		if t := oneLine(strings.NewReplacer("*", "", "`", "").Replace(rest)); t != "" {
			return t
		}
	}
	return ""
}

// fenceMark gives the run of backticks or tildes that opens or closes code.
func fenceMark(line string) string {
	for _, c := range []string{"`", "~"} {
		if run := line[:len(line)-len(strings.TrimLeft(line, c))]; len(run) >= 3 {
			return run
		}
	}
	return ""
}
