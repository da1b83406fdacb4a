package dialect

import (
	"regexp"
	"strings"
)

var (
	zolaCall    = regexp.MustCompile(`(?s)^(\w+)\((.*)\)$`)
	rawPair     = regexp.MustCompile(`(?s)\{%-?\s*raw\s*-?%\}(.*?)\{%-?\s*endraw\s*-?%\}`)
	siteAddress = regexp.MustCompile(`^(?:site\.(?:baseurl|url|github\.url)` +
		`|["']([^"']*)["']\s*\|\s*(?:relative_url|absolute_url|url)` +
		`|(?:site\.(?:baseurl|url))\s*\|.*)$`)
)

// withoutRaw takes away the tags between which Liquid is shown as it stands.
func withoutRaw(text string) string { return rawPair.ReplaceAllString(text, "$1") }

// tag handles one of Liquid's: {% name ... %}.
func (s *scanner) tag(here string) {
	end := strings.Index(here[2:], "%}") + 2
	if end < 2 || strings.TrimSpace(strings.Trim(here[2:end], "-")) == "" {
		s.copy(2)
		return
	}
	whole := here[:end+2]
	name, remainder := nameIn(strings.Trim(here[2:end], "-"))
	args := argumentsIn(remainder)
	if name == "include" && len(args.places) > 0 {
		include := strings.TrimSuffix(args.places[0][strings.LastIndex(args.places[0], "/")+1:], ".html")
		args.places = args.places[1:]
		if text, ok := s.embedded(include, args); ok && include != "link" {
			s.put(len(whole), text)
			return
		}
		s.note("include "+include, untouched)
		s.copy(len(whole))
		return
	}
	if name == "asset_img" { // Hexo's
		name = "img"
	}
	if text, ok := s.embedded(name, args); ok {
		s.put(len(whole), text)
		return
	}
	body, length := s.paired(here[len(whole):], `\{%-?\s*end`+regexp.QuoteMeta(name)+`\s*-?%\}`)
	switch {
	case length == 0:
	case name == "highlight", name == "codeblock", name == "code":
		language := args.get(0, "lang")
		if name == "codeblock" {
			language = strings.TrimPrefix(language, "lang:")
		}
		s.put(len(whole)+length, s.codeBlock(language, withoutRaw(body)))
		return
	case name == "raw":
		s.put(len(whole)+length, body)
		return
	case name == "comment":
		s.note(name, leftOut)
		s.put(len(whole)+length, "")
		return
	}
	if !strings.HasPrefix(name, "end") {
		s.note(name, untouched)
	}
	s.copy(len(whole))
}

// output handles what Liquid writes: {{ ... }}. Of that only addresses of the
// site are known, and Zola's shortcodes, which look alike.
func (s *scanner) output(here string) {
	end := strings.Index(here, "}}")
	if end < 0 || strings.Contains(here[:end], "\n\n") {
		s.copy(2)
		return
	}
	inner := strings.TrimSpace(strings.Trim(here[2:end], "-"))
	if m := siteAddress.FindStringSubmatch(inner); m != nil {
		s.put(end+2, m[1])
		return
	}
	if m := zolaCall.FindStringSubmatch(inner); m != nil {
		args := argumentsIn(strings.ReplaceAll(m[2], `",`, `" `))
		if text, ok := s.embedded(m[1], args); ok {
			s.put(end+2, text)
			return
		}
	}
	if inner != "" {
		s.note("{{ "+inner+" }}", untouched)
	}
	s.copy(end + 2)
}
