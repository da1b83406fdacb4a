package foreign

import (
	"fmt"
	"html"
	"path"
	"regexp"
	"slices"
	"strings"

	"blog/internal/frontmatter"
)

// shortcodes expands what WordPress's own shortcodes mean.
type shortcodes struct {
	w     *wxrFile
	p     *post
	entry *wxrItem
}

var (
	shortcode = regexp.MustCompile(`\[(\[?)(/?)([A-Za-z][A-Za-z0-9_-]*)((?:\s[^\[\]]*)?)\]`)
	attribute = regexp.MustCompile(`([A-Za-z][A-Za-z0-9_-]*)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"']+))`)
	verbatims = regexp.MustCompile(`(?i)<(pre|code|script|style|textarea)\b`)
)

// ofPlugins finds the names of shortcodes by which plugins show a text to some readers only, and which have no word
// of frontmatter's for it.
var ofPlugins = regexp.MustCompile(`(?i)mepr|^rcp|^s2if|^wlm|^ihc`)

// restricts reports whether a shortcode or a block has the name of one that shows its text to some readers only.
func restricts(name string) bool { return frontmatter.Restricts(name) || ofPlugins.MatchString(name) }

// restrictsBy reports whether an attribute of a shortcode says that it shows its text to some readers only.
func restrictsBy(attributes map[string]string) bool {
	for key, text := range attributes {
		if frontmatter.Hides(key, text) {
			return true
		}
	}
	return false
}

// shortcodeEnd finds the ends of shortcodes, whose names WordPress makes of any sign but these.
var shortcodeEnd = regexp.MustCompile(`\[/([^\x00-\x20<>&/\[\]=]+)\]`)

// restricted hides a post with a shortcode around a text that only some readers see. WordPress expands it in
// code, too, and whatever its attributes have in them; one in [[two brackets]] shows itself.
func (s *shortcodes) restricted(text string) {
	for {
		m := shortcodeEnd.FindStringSubmatchIndex(text)
		if m == nil {
			return
		}
		name := strings.ToLower(text[m[2]:m[3]])
		text = text[m[1]:]
		if !strings.HasPrefix(text, "]") && restricts(name) {
			s.hide(name)
		}
	}
}

func (s *shortcodes) hide(name string) {
	s.p.hide("["+cut(name, 60)+"]", "a part of its text may not be for everybody")
}

// known are the shortcodes that a text shows by writing [[gallery]].
var known = []string{"caption", "gallery", "playlist", "embed", "audio", "video", "code", "sourcecode", "youtube"}

// expand returns a text in HTML in which shortcodes are HTML as well. What is in code stays.
func (s *shortcodes) expand(text string) string {
	var b strings.Builder
	for text != "" {
		m := verbatims.FindStringSubmatchIndex(text)
		if m == nil {
			s.piece(&b, text)
			break
		}
		name := strings.ToLower(text[m[2]:m[3]])
		end := indexFold(text[m[0]:], "</"+name)
		if end < 0 {
			s.piece(&b, text)
			break
		}
		end += m[0]
		s.piece(&b, text[:m[0]])
		b.WriteString(text[m[0]:end])
		text = text[end:]
	}
	return b.String()
}

// ends are the places in a text at which shortcodes end, by name and in their order.
type ends map[string][]int

func endsOf(text string) ends {
	out := ends{}
	for at := 0; ; {
		m := shortcodeEnd.FindStringSubmatchIndex(text[at:])
		if m == nil {
			return out
		}
		name := strings.ToLower(text[at+m[2] : at+m[3]])
		out[name] = append(out[name], at+m[0])
		at += m[1]
	}
}

// next returns the first end of a shortcode that is not before at, -1 where there is none. What is before at is
// not asked for again, so all calls for a text cost no more than one reading of it.
func (e ends) next(name string, at int) int {
	list := e[name]
	for len(list) > 0 && list[0] < at {
		list = list[1:]
	}
	e[name] = list
	if len(list) == 0 {
		return -1
	}
	return list[0]
}

// piece writes a text that is no code.
func (s *shortcodes) piece(b *strings.Builder, text string) {
	closed := endsOf(text)
	for at := 0; ; {
		m := shortcode.FindStringSubmatchIndex(text[at:])
		if m == nil {
			b.WriteString(text[at:])
			return
		}
		begin := at + m[0]
		whole, name := text[begin:at+m[1]], strings.ToLower(text[at+m[6]:at+m[7]])
		attrs := strings.TrimSpace(text[at+m[8] : at+m[9]])
		b.WriteString(text[at:begin])
		at += m[1]
		switch {
		case m[3] > m[2] && strings.HasPrefix(text[at:], "]") && slices.Contains(known, name): // [[escaped]]
			b.WriteString(html.EscapeString(whole[1:]))
			at++
			continue
		case m[3] > m[2]:
			b.WriteString(whole[:1])
			at = begin + 1
			continue
		case m[5] > m[4]: // an end without its beginning
			b.WriteString(whole)
			continue
		}
		end := -1
		if !strings.HasSuffix(attrs, "/") {
			end = closed.next(name, at)
		}
		inner := ""
		if end >= 0 {
			inner = text[at:end]
		}
		out, ok := s.html(name, attributes(attrs), inner)
		switch {
		case ok && end >= 0:
			b.WriteString(out)
			at = end + len("[/"+name+"]")
		case ok:
			b.WriteString(out)
		default:
			if restricts(name) || restrictsBy(attributes(attrs)) {
				s.hide(name)
			}
			if end >= 0 || attrs != "" && strings.Contains(attrs, "=") {
				s.p.note(Text, "["+name+"]", "this shortcode means nothing here and stays as it is")
			}
			b.WriteString(whole)
		}
	}
}

// attributes reads those of a shortcode; one without a name has its number.
func attributes(text string) map[string]string {
	out := map[string]string{}
	for _, m := range attribute.FindAllStringSubmatch(text, 50) {
		out[strings.ToLower(m[1])] = html.UnescapeString(m[2] + m[3] + m[4])
	}
	for n, value := range strings.Fields(attribute.ReplaceAllString(text, "")) {
		if n < 5 {
			out[fmt.Sprint(n)] = strings.Trim(value, `"'`)
		}
	}
	return out
}

// html returns what a shortcode means. ok is false for one that is not known.
func (s *shortcodes) html(name string, a map[string]string, inner string) (text string, ok bool) {
	switch name {
	case "caption", "wp_caption":
		return s.caption(a, inner), true
	case "gallery", "playlist":
		return s.gallery(name, a), true
	case "embed":
		return "\n\n" + anchor(strings.TrimSpace(inner), "") + "\n\n", true
	case "audio", "video":
		return s.media(name, a, inner), true
	case "code", "sourcecode", "php", "css", "html", "js", "python", "ruby", "bash", "sql", "xml", "java":
		if inner == "" {
			return "", false
		}
		language := a["language"] + a["lang"]
		if name != "code" && name != "sourcecode" {
			language = name
		}
		if strings.ContainsFunc(language, func(r rune) bool { return r <= ' ' || r == '"' || r == '`' || r > '~' }) {
			language = ""
		}
		return "\n\n" + codeHTML(language, html.UnescapeString(strings.Trim(inner, "\n"))) + "\n\n", true
	case "youtube", "vimeo", "tweet", "twitter", "instagram", "soundcloud", "dailymotion", "gist", "wpvideo", "googlemaps":
		return s.embedded(name, a, inner)
	}
	return "", false
}

// codeHTML is a block of code.
func codeHTML(language, code string) string {
	class := ""
	if language != "" {
		class = ` class="language-` + html.EscapeString(language) + `"`
	}
	return "<pre><code" + class + ">" + html.EscapeString(code) + "</code></pre>"
}

// anchor is a paragraph that leads somewhere.
func anchor(address, text string) string {
	address = strings.TrimSpace(plainText(address))
	if !strings.HasPrefix(address, "http://") && !strings.HasPrefix(address, "https://") &&
		!strings.HasPrefix(address, "/") && !strings.HasPrefix(address, ghostURL) {
		return "<p>" + html.EscapeString(address) + "</p>"
	}
	if text == "" {
		text = address
	}
	return `<p><a href="` + html.EscapeString(address) + `">` + html.EscapeString(text) + "</a></p>"
}

// embedded gives a link for what WordPress.com's shortcodes show.
func (s *shortcodes) embedded(name string, a map[string]string, inner string) (string, bool) {
	value := a["0"]
	for _, key := range []string{"id", "url", "src"} {
		if value == "" {
			value = a[key]
		}
	}
	if value == "" {
		value = strings.TrimSpace(plainText(inner))
	}
	value = strings.TrimPrefix(value, "=")
	plain := regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	switch {
	case strings.HasPrefix(value, "http://"), strings.HasPrefix(value, "https://"):
		return "\n\n" + anchor(value, "") + "\n\n", true
	case name == "youtube" && plain.MatchString(value):
		return "\n\n" + anchor("https://www.youtube.com/watch?v="+value, "YouTube: "+value) + "\n\n", true
	case name == "vimeo" && plain.MatchString(value):
		return "\n\n" + anchor("https://vimeo.com/"+value, "Vimeo: "+value) + "\n\n", true
	}
	return "", false
}

var captionTag = regexp.MustCompile(`(?is)^\s*((?:<a\s[^>]*>\s*)?<img\s[^>]*>(?:\s*</a>)?)(.*)$`)

// caption gives a picture with its caption.
func (s *shortcodes) caption(a map[string]string, inner string) string {
	picture, text := inner, ""
	if m := captionTag.FindStringSubmatch(inner); m != nil {
		picture, text = m[1], strings.TrimSpace(m[2])
	}
	if text == "" {
		text = html.EscapeString(a["caption"])
	}
	if text == "" {
		return "\n\n" + picture + "\n\n"
	}
	return "\n\n<figure>" + picture + "<figcaption>" + strings.ReplaceAll(text, "\n", " ") + "</figcaption></figure>\n\n"
}

// gallery gives the pictures of a gallery: those that it names, or else those that belong to the entry, or to
// another one. As in WordPress, those of an entry that is not for everybody are in no other entry's gallery.
func (s *shortcodes) gallery(name string, a map[string]string) string {
	ids := s.w.albums[s.entry.id]
	if id := a["id"]; id != "" {
		ids = s.w.albums[id]
		if id != s.entry.id && !s.w.shows(id) && !s.p.hidden && len(ids) > 0 {
			s.p.note(Lost, "["+name+"]", "it shows the attachments of an entry that is not for everybody")
			ids = nil
		}
	}
	named := a["ids"] + a["include"]
	if named != "" {
		ids = strings.FieldsFunc(named, func(r rune) bool { return r == ',' || r == ' ' })
	}
	without := strings.FieldsFunc(a["exclude"], func(r rune) bool { return r == ',' || r == ' ' })
	const most = 500
	var b strings.Builder
	missing := 0
	for n, id := range ids {
		m, found := s.w.media[id]
		switch {
		case n >= most, slices.Contains(without, id):
		case !found:
			missing++
		case isPicture(m.address):
			b.WriteString("\n\n" + m.figure())
		default:
			b.WriteString("\n\n" + anchor(m.address, path.Base(m.address)))
		}
	}
	switch {
	case missing > 0:
		s.p.note(Lost, "["+name+"]", fmt.Sprintf("%d of its attachments are not in the export", missing))
	case b.Len() == 0 && !slices.ContainsFunc(s.p.notes, func(n Note) bool { return n.What == "["+name+"]" }):
		s.p.note(Lost, "["+name+"]", "it shows attachments of which the export has none")
	}
	return b.String() + "\n\n"
}

// figure is the picture with its caption.
func (m wxrMedia) figure() string {
	img := `<img src="` + html.EscapeString(m.address) + `" alt="` + html.EscapeString(m.alt) + `">`
	if m.caption == "" {
		return "<p>" + img + "</p>"
	}
	return "<figure>" + img + "<figcaption>" + html.EscapeString(m.caption) + "</figcaption></figure>"
}

// player is the element that plays a file.
func player(name, address, title string) string {
	return "<" + name + ` src="` + html.EscapeString(address) + `" title="` + html.EscapeString(title) + `"></` +
		name + ">"
}

// media gives what plays sound and film.
func (s *shortcodes) media(name string, a map[string]string, inner string) string {
	for _, key := range []string{"src", "mp3", "m4a", "ogg", "wav", "flac", "mp4", "m4v", "webm", "ogv", "0"} {
		if address := a[key]; address != "" {
			return "\n\n" + player(name, address, "") + "\n\n"
		}
	}
	if strings.TrimSpace(inner) != "" {
		return inner
	}
	s.p.note(Lost, "["+name+"]", "it names no file")
	return ""
}

func isPicture(address string) bool {
	address, _, _ = strings.Cut(address, "?")
	switch strings.ToLower(path.Ext(address)) {
	case ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".webp", ".svg", ".avif", ".bmp", ".heic":
		return true
	}
	return false
}
