package foreign

import (
	"regexp"
	"slices"
	"strings"

	"blog/internal/frontmatter"
)

// body makes Markdown of an entry's text.
func (w *wxrFile) body(p *post, it *wxrItem) {
	text := strings.ReplaceAll(it.content, "\r\n", "\n")
	s := &shortcodes{w: w, p: p, entry: it}
	var b strings.Builder
	if picture, found := w.media[it.thumbnail]; found && isPicture(picture.address) &&
		!strings.Contains(text, picture.address) {
		b.WriteString(picture.figure() + "\n\n")
	}
	s.restricted(text)
	if blockMark.MatchString(text) {
		for _, part := range blocks(text, p) {
			if part.classic {
				b.WriteString(paragraphs(s.expand(part.text)))
			} else {
				b.WriteString(s.expand(part.text))
			}
		}
	} else {
		b.WriteString(paragraphs(s.expand(text)))
	}
	c := &converting{site: w.site, post: p}
	p.body = c.markdown(b.String())
}

// part is a piece of a text: a block of the block editor, or what its classic block has.
type part struct {
	text    string
	classic bool
}

// blockMark is the comment that begins or ends a block. What stands between the name and the end may
// be long, so it is not part of the pattern.
var blockMark = regexp.MustCompile(`<!--\s+(/?)wp:([a-z][a-z0-9/_-]*)\s`)

// setting is a setting of a block, in JSON, by its name.
var setting = regexp.MustCompile(`"([^"\\]+)"\s*:`)

// restrictsBlock reports whether a block's settings show it to some readers only, as blockVisibility does.
func restrictsBlock(comment string) bool {
	for _, m := range setting.FindAllStringSubmatch(comment, -1) {
		if frontmatter.RestrictsSetting(m[1]) {
			return true
		}
	}
	return false
}

// blocks takes the block editor's comments out of a text. Blocks without a text are made by WordPress
// when a page is shown: they are named.
func blocks(text string, p *post) []part {
	var out []part
	var b strings.Builder // the text of the part that is not in out yet
	depth, at, classicPart := 0, 0, false
	end := func() {
		if b.Len() > 0 {
			out = append(out, part{b.String(), classicPart})
		}
		b.Reset()
	}
	add := func(s string, classic bool) {
		if s != "" && classic != classicPart {
			end()
			classicPart = classic
		}
		b.WriteString(s)
	}
	for at < len(text) {
		m := blockMark.FindStringSubmatchIndex(text[at:])
		if m == nil {
			break
		}
		length := strings.Index(text[at+m[0]:], "-->")
		if length < 0 {
			break
		}
		add(text[at:at+m[0]], depth == 0)
		comment := text[at+m[0] : at+m[0]+length]
		name := text[at+m[4] : at+m[5]]
		if m[3] == m[2] && name != "loginout" && restricts(name) {
			p.hide("wp:"+name, "a part of its text may not be for everybody")
		} else if m[3] == m[2] && restrictsBlock(comment) {
			p.hide("wp:"+name, "a part of its text may not be for everybody, as its setting says")
		}
		switch alone := strings.HasSuffix(strings.TrimSpace(comment), "/"); {
		case m[3] > m[2]: // </
			depth = max(depth-1, 0)
		case alone && !slices.Contains([]string{"spacer", "separator", "nextpage", "more"}, name):
			p.note(Lost, "wp:"+name, "WordPress makes this block when it shows a page, and it is left out")
		case !alone:
			depth++
		}
		if depth == 0 {
			add("\n\n", false)
		}
		at += m[0] + length + len("-->")
	}
	add(text[at:], depth == 0)
	end()
	return out
}

// alike are the elements around which WordPress makes no paragraphs.
const alike = `address|article|aside|blockquote|body|caption|center|col|colgroup|dd|details|dialog|div|dl|dt|fie` +
	`ldset|` +
	`figcaption|figure|footer|form|h[1-6]|header|hgroup|hr|iframe|legend|li|main|map|menu|nav|noscript|ol|option|p|pre|` +
	`section|select|style|script|summary|table|tbody|td|tfoot|th|thead|tr|ul|video|audio|object`

var (
	untouchable = regexp.MustCompile(`(?is)<(pre|script|style|textarea|svg)\b`)
	blockTag    = regexp.MustCompile(`(?i)</?(?:` + alike + `)(?:\s[^<>]*)?/?>`)
	emptyLines  = regexp.MustCompile(`\n[ \t]*\n\s*`)
	moreComment = regexp.MustCompile(`<!--\s*(?:more.*?|nextpage|noteaser)\s*-->`)
)

// paragraphs makes paragraphs of empty lines and breaks of ends of lines, as WordPress does with texts
// of its classic editor.
func paragraphs(text string) string {
	text = moreComment.ReplaceAllString(text, "\n\n")
	var b strings.Builder
	for text != "" {
		m := untouchable.FindStringSubmatchIndex(text)
		if m == nil {
			breaks(&b, text)
			break
		}
		name := strings.ToLower(text[m[2]:m[3]])
		end := indexFold(text[m[0]:], "</"+name)
		if end < 0 {
			breaks(&b, text)
			break
		}
		breaks(&b, text[:m[0]])
		end += m[0]
		if after := strings.IndexByte(text[end:], '>'); after >= 0 {
			end += after + 1
		} else {
			end = len(text)
		}
		b.WriteString(text[m[0]:end])
		text = text[end:]
	}
	return b.String()
}

// breaks writes a piece of text in which nothing is preformatted.
func breaks(b *strings.Builder, text string) {
	text = blockTag.ReplaceAllStringFunc(text, func(tag string) string {
		if strings.HasPrefix(tag, "</") {
			return tag + "\n\n"
		}
		return "\n\n" + tag
	})
	for _, chunk := range emptyLines.Split(text, -1) {
		chunk = strings.Trim(chunk, " \t\n")
		switch at := blockTag.FindStringIndex(chunk); {
		case chunk == "":
		case at != nil && at[0] == 0 && at[1] == len(chunk):
			b.WriteString(chunk + "\n")
		case at != nil && at[0] == 0:
			tag := strings.ToLower(chunk[:at[1]])
			inner := strings.ReplaceAll(strings.TrimLeft(chunk[at[1]:], "\n"), "\n", "<br>\n")
			if strings.HasPrefix(tag, "<blockquote") || strings.HasPrefix(tag, "<div") {
				inner = "<p>" + inner + "</p>"
			}
			b.WriteString(chunk[:at[1]] + inner + "\n")
		default:
			b.WriteString("<p>" + strings.ReplaceAll(chunk, "\n", "<br>\n") + "</p>\n")
		}
	}
}

// indexFold finds a text that is in lower case in one of any case.
func indexFold(s, lower string) int {
	for at := 0; ; {
		n := strings.IndexByte(s[at:], lower[0])
		if n < 0 || at+n+len(lower) > len(s) {
			return -1
		}
		at += n
		if strings.EqualFold(s[at:at+len(lower)], lower) {
			return at
		}
		at++
	}
}
