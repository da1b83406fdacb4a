package posts

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"blog/internal/frontmatter"
)

// MaxSlug is the length of the longest slug, in characters.
const MaxSlug = frontmatter.MaxSlug

// ReservedSlugs returns the names below /posts/ that cannot be slugs of posts.
func ReservedSlugs() []string { return []string{"new", "feed", "page", "feed.xml"} }

// ReservedRoots returns the first segments of the site's own addresses. No permalink may begin with
// one of them. A test of the router checks that the list is complete.
func ReservedRoots() []string {
	return []string{
		"account", "admin", "archive", "assets", "favicon.ico", "feed.xml", "health", "internal", "live", "login", "logout",
		"media", "metrics", "posts", "readyz", "robots.txt", "search", "setup", "sitemap.xml", "tags",
	}
}

// fold returns s in the form in which slugs and labels are compared: NFC and lower case. Lower case
// can compose where upper case cannot (J̌), so NFC follows as well.
func fold(s string) string {
	return norm.NFC.String(strings.ToLower(norm.NFC.String(strings.ToValidUTF8(s, " "))))
}

// Slugify returns the slug of a title: NFC, lower case, letters and digits of every script, one
// hyphen for everything between them, at most MaxSlug characters. It returns "" when nothing remains.
// CheckSlug accepts any other result, unless it is reserved.
func Slugify(title string) string {
	var b strings.Builder
	n, dash := 0, false
	for _, r := range fold(title) {
		switch {
		case unicode.IsLetter(r), unicode.IsNumber(r), unicode.IsMark(r) && n > 0 && !dash:
			if dash && n > 0 {
				b.WriteByte('-')
				n++
			}
			dash = false
			if n >= MaxSlug {
				return norm.NFC.String(strings.TrimRight(b.String(), "-"))
			}
			b.WriteRune(r)
			n++
		case r == '\'', r == '’', r == '\u200c', r == '\u200d', r == '\u00ad', unicode.IsMark(r):
			// it's becomes its; joiners and soft hyphens are parts of words
		default:
			dash = true
		}
	}
	return norm.NFC.String(b.String())
}

// CheckSlug returns the stored form of a slug that a person wrote. When the slug is not valid,
// problem says why.
func CheckSlug(slug string) (stored, problem string) {
	if !utf8.ValidString(slug) {
		return "", "is not valid text (UTF-8)"
	}
	s := fold(strings.TrimSpace(slug))
	if s == "" {
		return "", "cannot be empty"
	}
	if utf8.RuneCountInString(s) > MaxSlug {
		return "", fmt.Sprintf("is longer than %d characters", MaxSlug)
	}
	between := func(r rune) bool { return r == '-' || r == '_' || r == '.' }
	last, _ := utf8.DecodeLastRuneInString(s)
	for i, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsNumber(r) && (i == 0 || !unicode.IsMark(r) && !between(r)) {
			return "", "can have letters, digits, and between them - _ and . only"
		}
	}
	if between(last) || strings.Contains(s, "..") {
		return "", "can have letters, digits, and between them - _ and . only"
	}
	if slices.Contains(ReservedSlugs(), s) {
		return "", "is an address that the site itself uses"
	}
	return s, ""
}

// CheckPermalink returns the stored form of a permalink: a path with a slash at its beginning and
// none at its end. When the permalink is not valid, problem says why.
func CheckPermalink(path string) (stored, problem string) {
	if !utf8.ValidString(path) {
		return "", "is not valid text (UTF-8)"
	}
	s := norm.NFC.String(strings.TrimSpace(path))
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
