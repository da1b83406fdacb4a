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
func (p *parser) fillIn() {
	f := &p.file
	stem, day := stemOf(f.Name)
	if !f.HasTitle {
		f.Title = heading(f.Body)
	}
	if f.Title == "" {
		f.Title = sentence(stem)
	}
	if !f.HasSlug {
		f.Slug = slugOf(stem)
	}
	switch {
	case f.HasDraft || f.dated || p.hasDate:
	case len(p.dates) > 0:
		it := p.dates[0].item
		p.note(Choice, it.line, it.key, "this dates the post and does not publish it, so it is a draft",
			"write is_draft: false to publish it")
	case day != "":
		p.note(Choice, 1, "published_at", "the date in the file's name is not used, and the post is a draft",
			"write published_at: "+day+" to publish it")
	}
}

// jekyll reports whether the file is one of Jekyll's posts, or of a system that follows it.
func (p *parser) jekyll() bool {
	if !p.file.parts.has {
		return false
	}
	for _, part := range strings.Split(path.Dir(path.Join(p.folder, p.file.Name)), "/") {
		if part == "_posts" {
			return true
		}
	}
	layout := false
	for _, it := range p.file.items {
		switch squash(it.key) {
		case "layout":
			layout = true
		case "publishedat", "isdraft", "permalinks", "pinned": // ours
			return false
		}
	}
	return layout
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

// MaxSlug is the length of the longest slug of a post, in characters. One that is made from a file's name is cut.
const MaxSlug = 100

// slugOf returns the slug of a name: letters, marks and digits of every script, in lower case, with
// single dashes between them. Apostrophes are left out without a dash.
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
		case n >= MaxSlug || dash && n >= MaxSlug-1:
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

// sentence returns a title made from a file name.
func sentence(stem string) string {
	s := oneLine(strings.NewReplacer("-", " ", "_", " ").Replace(stem))
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return ""
	}
	return string(unicode.ToTitle(r)) + s[n:]
}

// heading returns the text of the first "# heading" outside of code.
func heading(text string) string {
	link := regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
	var fence codeFence
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		bare := strings.TrimLeft(line, " ")
		if len(line)-len(bare) > 3 || fence.holds(bare) {
			continue
		}
		remainder, found := strings.CutPrefix(bare, "#")
		if !found || remainder != "" && remainder[0] != ' ' && remainder[0] != '\t' {
			continue
		}
		remainder = strings.TrimSpace(remainder)
		if closed := strings.TrimRight(remainder, "#"); closed == "" || strings.HasSuffix(closed, " ") {
			remainder = closed
		}
		remainder = link.ReplaceAllString(remainder, "$1")
		if t := oneLine(strings.NewReplacer("*", "", "`", "").Replace(remainder)); t != "" {
			return t
		}
	}
	return ""
}

// codeFence is the run of signs that opened a block of code, "" outside of one.
type codeFence string

// holds reports whether the next line, without blanks before it, is in a block of code or one of its two ends.
func (f *codeFence) holds(line string) bool {
	mark := fenceMark(line)
	switch open := string(*f); {
	case mark == "":
		return open != ""
	case open == "":
		*f = codeFence(mark)
	case strings.HasPrefix(mark, open) && strings.TrimSpace(strings.TrimLeft(line, open[:1])) == "":
		*f = ""
	}
	return true
}

// fenceMark returns the run of backticks or tildes that begins or ends code.
func fenceMark(line string) string {
	for _, c := range []string{"`", "~"} {
		if run := line[:len(line)-len(strings.TrimLeft(line, c))]; len(run) >= 3 {
			return run
		}
	}
	return ""
}
