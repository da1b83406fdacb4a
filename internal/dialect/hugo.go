package dialect

import (
	"html"
	"regexp"
	"strings"
)

// arguments are those of a shortcode or a tag: by their place, and by name.
type arguments struct {
	places []string
	names  map[string]string
}

// argumentsIn reads arguments: words, quoted texts, and key=value.
func argumentsIn(text string) arguments {
	a := arguments{names: map[string]string{}}
	argument := regexp.MustCompile("(?s)([\\w-]+)\\s*=\\s*(\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`|'[^']*'|[^\\s\"`']+)" +
		"|\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`|'[^']*'|[^\\s\"`']+")
	for _, m := range argument.FindAllStringSubmatch(text, -1) {
		if m[1] != "" {
			a.names[strings.ToLower(m[1])] = unquoted(m[2])
		} else {
			a.places = append(a.places, unquoted(m[0]))
		}
	}
	return a
}

// nameIn gives the name of a shortcode or tag, and what stands behind it.
func nameIn(text string) (name, remainder string) {
	text = strings.TrimSpace(text)
	if at := strings.IndexAny(text, " \t\r\n"); at >= 0 {
		return text[:at], text[at:]
	}
	return text, ""
}

func unquoted(s string) string {
	if len(s) < 2 || !strings.ContainsRune("\"`'", rune(s[0])) || s[len(s)-1] != s[0] {
		return s
	}
	if inner := s[1 : len(s)-1]; s[0] == '"' {
		return strings.ReplaceAll(inner, `\"`, `"`)
	}
	return s[1 : len(s)-1]
}

// get gives the argument of one of the names, or else the one at the place (-1: none).
func (a arguments) get(place int, names ...string) string {
	for _, name := range names {
		if v := a.names[name]; v != "" {
			return v
		}
	}
	if place >= 0 && place < len(a.places) {
		return a.places[place]
	}
	return ""
}

// shortcode handles one of Hugo's: {{< name ... >}} or {{% name ... %}}.
func (s *scanner) shortcode(here string) {
	closing := here[2:3] + "}}"
	if closing == "<}}" {
		closing = ">}}"
	}
	end := strings.Index(here[3:], closing) + 3
	if end < 3 || strings.Trim(here[3:end], " \t\r\n/") == "" {
		s.copy(3)
		return
	}
	whole := here[:end+len(closing)]
	inner := strings.TrimSpace(here[3:end])
	if strings.HasPrefix(inner, "/*") {
		s.put(len(whole), unescaped(whole))
		return
	}
	isClosed := strings.HasSuffix(inner, "/")
	name, remainder := nameIn(strings.TrimSuffix(inner, "/"))
	args := argumentsIn(remainder)
	if text, ok := s.embedded(name, args); ok {
		s.put(len(whole), text)
		return
	}
	body, length := "", 0
	if !isClosed {
		body, length = s.paired(here[len(whole):], `\{\{[<%]\s*/\s*`+regexp.QuoteMeta(name)+`\s*[>%]\}\}`)
	}
	switch {
	case name == "highlight" && length > 0:
		s.put(len(whole)+length, s.codeBlock(args.get(0, "lang", "type"), unescaped(body)))
	case name == "comment" && length > 0:
		s.note(name, leftOut)
		s.put(len(whole)+length, "")
	case name == "details" && length > 0:
		summary := html.EscapeString(args.get(0, "summary", "title"))
		s.put(len(whole), "<details><summary>"+summary+"</summary>\n\n")
	case strings.HasPrefix(name, "/details"):
		s.put(len(whole), "\n\n</details>")
	case strings.HasPrefix(name, "/"):
		s.copy(len(whole))
	default:
		s.note(name, untouched)
		s.copy(len(whole))
	}
}

// paired gives what stands before the end of a pair, an expression, and the length with the end; 0
// where there is none.
func (s *scanner) paired(text, end string) (body string, length int) {
	if s.alone[end] {
		return "", 0
	}
	pattern, err := regexp.Compile(end)
	if err != nil { // a name that is no UTF-8
		return "", 0
	}
	if at := pattern.FindStringIndex(text); at != nil {
		return text[:at[0]], at[1]
	}
	s.alone[end] = true
	return "", 0
}

var plainID = regexp.MustCompile(`^[A-Za-z0-9_@.-]+$`)

// embedded gives the Markdown of what is written alike in shortcodes and in tags.
func (s *scanner) embedded(name string, a arguments) (text string, ok bool) {
	link := func(what, id, address string) (string, bool) {
		ok := plainID.MatchString(id) && !strings.ContainsAny(address, "()<>[] \n")
		return "[" + what + " " + id + "](" + address + id + ")", ok
	}
	switch strings.TrimSuffix(strings.ToLower(name), "_simple") {
	case "figure", "img", "image":
		return s.figure(a)
	case "youtube":
		return link("YouTube:", a.get(0, "id"), "https://www.youtube.com/watch?v=")
	case "vimeo":
		return link("Vimeo:", a.get(0, "id"), "https://vimeo.com/")
	case "instagram":
		return link("Instagram:", a.get(0, "id"), "https://www.instagram.com/p/")
	case "gist":
		user, id := a.get(0, "user"), a.get(1, "id")
		if owner, number, found := strings.Cut(user, "/"); found {
			user, id = owner, number
		}
		if id == "" || strings.Contains(id, ".") {
			return link("Gist:", user, "https://gist.github.com/")
		}
		return link("Gist:", id, "https://gist.github.com/"+user+"/")
	case "tweet", "twitter", "x":
		user, id := a.get(-1, "user"), a.get(0, "id")
		if len(a.places) > 1 {
			user, id = a.places[0], a.places[1]
		}
		if user == "" {
			user = "i"
		}
		return link("Post:", id, "https://x.com/"+user+"/status/")
	case "ref", "relref", "post_url", "post_link", "link":
		return s.reference(a.get(0, "path"))
	}
	return "", false
}

// reference gives the address of the post that a shortcode or tag names.
func (s *scanner) reference(ref string) (string, bool) {
	ref, fragment, found := strings.Cut(ref, "#")
	address, ok := s.opt.Link(ref)
	if found {
		address += "#" + fragment
	}
	return address, ok && ref != ""
}

// figure gives a picture with its caption.
func (s *scanner) figure(a arguments) (string, bool) {
	src := a.get(0, "src", "image_path", "url", "image", "file", "path")
	if src == "" || strings.ContainsAny(src, "<>\n{}") {
		return "", false
	}
	caption, title := a.get(-1, "caption"), a.get(-1, "title")
	alt := a.get(1, "alt")
	if alt == "" {
		alt = caption + title
		if caption != "" {
			alt = caption
		}
	}
	if caption == "" {
		caption = title
	}
	href := a.get(-1, "link", "href")
	if caption == "" && href == "" {
		return "![" + strings.NewReplacer("[", `\[`, "]", `\]`, "\n", " ").Replace(alt) + "](<" + src + ">)", true
	}
	out := `<img src="` + html.EscapeString(src) + `" alt="` + html.EscapeString(alt) + `">`
	if href != "" {
		out = `<a href="` + html.EscapeString(href) + `">` + out + "</a>"
	}
	if caption != "" {
		out += "<figcaption>" + html.EscapeString(caption) + "</figcaption>"
	}
	return "<figure>" + strings.ReplaceAll(out, "\n", " ") + "</figure>", true
}

// codeBlock fences code.
func (s *scanner) codeBlock(language, code string) string {
	fence := "```"
	for strings.Contains(code, fence) {
		fence += "`"
	}
	if !plainLanguage.MatchString(language) {
		language = ""
	}
	before := ""
	if out := s.out.String(); out != "" && !strings.HasSuffix(out, "\n") {
		before = "\n\n"
	}
	return before + fence + language + "\n" + strings.Trim(code, "\r\n") + "\n" + fence
}

var plainLanguage = regexp.MustCompile(`^[A-Za-z0-9_+#.-]+$`)
