package posts

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxSlug is the longest slug, in characters.
const maxSlug = 100

// ReservedSlugs are names below /posts/ that are no posts.
func ReservedSlugs() []string { return []string{"new", "feed", "page", "feed.xml"} }

// ReservedRoots are the first segments of the site's own addresses: no permalink
// may begin with one. The router's test holds the list complete.
func ReservedRoots() []string {
	return []string{
		"account", "admin", "assets", "favicon.ico", "feed.xml", "health", "internal", "live", "login", "logout",
		"media", "metrics", "posts", "readyz", "robots.txt", "search", "setup", "sitemap.xml", "tags",
	}
}

// Slugify makes a slug from a title: NFC, lower case, letters and digits of every
// script, everything else a single hyphen. It is "" when nothing is left.
func Slugify(title string) string {
	var b strings.Builder
	n, dash := 0, false
	for _, r := range strings.ToLower(norm.NFC.String(title)) {
		switch {
		case unicode.IsLetter(r), unicode.IsMark(r), unicode.IsNumber(r):
			if dash && n > 0 {
				b.WriteByte('-')
				n++
			}
			dash = false
			b.WriteRune(r)
			n++
		case r == '\'' || r == '’': // it's -> its
		default:
			dash = true
		}
		if n >= maxSlug {
			break
		}
	}
	return strings.Trim(b.String(), "-")
}

// CheckSlug returns the stored form of a slug that a person wrote, or what is
// wrong with it in problem.
func CheckSlug(slug string) (stored, problem string) {
	s := strings.ToLower(norm.NFC.String(strings.TrimSpace(slug)))
	if !utf8.ValidString(slug) {
		return "", "is not valid text (UTF-8)"
	}
	if utf8.RuneCountInString(s) > maxSlug {
		return "", "is longer than 100 characters"
	}
	for i, r := range s {
		ok := unicode.IsLetter(r) || unicode.IsNumber(r) || (i > 0 && (unicode.IsMark(r) || r == '-' || r == '_' || r == '.'))
		if !ok {
			return "", "can have letters, digits, and between them - _ and . only"
		}
	}
	for _, reserved := range ReservedSlugs() {
		if s == reserved {
			return "", "is an address that the site itself uses"
		}
	}
	if s == "" {
		return "", "cannot be empty"
	}
	return s, ""
}

// CheckPermalink returns the stored form of a permalink, a path with a leading
// slash and none at its end, or what is wrong with it in problem.
func CheckPermalink(path string) (stored, problem string) {
	s := norm.NFC.String(strings.TrimSpace(path))
	if !utf8.ValidString(path) {
		return "", "is not valid text (UTF-8)"
	}
	s = "/" + strings.Trim(s, "/")
	if s == "/" || len(s) > 300 {
		return "", "must be a path such as /about, of at most 300 bytes"
	}
	for i, seg := range strings.Split(s[1:], "/") {
		if seg == "" || seg == "." || seg == ".." {
			return "", "has an empty segment, . or .. in " + s
		}
		for _, r := range seg {
			if !unicode.IsPrint(r) || strings.ContainsRune(` ?#%\"<>`, r) {
				return "", "has a character that an address cannot have in " + s
			}
		}
		for _, reserved := range ReservedRoots() {
			if i == 0 && strings.EqualFold(seg, reserved) {
				return "", "begins with /" + reserved + ", which the site itself uses"
			}
		}
	}
	return s, ""
}
