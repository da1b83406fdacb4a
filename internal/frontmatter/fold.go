package frontmatter

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// squash is a key, or a word, as they are compared: systems differ in letter case, hyphens, underscores and
// blanks (publishDate, publish_date, PublishDate). Letters of other widths and scripts that look like those
// of ours are ours.
func squash(key string) string {
	ascii := true
	for i := range len(key) {
		ascii = ascii && key[i] < utf8.RuneSelf
	}
	if !ascii {
		key = norm.NFKD.String(key)
	}
	return strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(".:?!*#", r),
			unicode.In(r, unicode.Pd, unicode.Pc, unicode.Z, unicode.Cc, unicode.Cf, unicode.M):
			return -1
		case r < utf8.RuneSelf:
			return unicode.ToLower(r)
		}
		r = unicode.ToLower(r)
		if latin, found := lookalikes[r]; found {
			return latin
		}
		return r
	}, key)
}

// PlainKey returns a key as it is compared with others: systems differ in letter case, hyphens, underscores
// and blanks, and letters that look like ours are ours.
func PlainKey(key string) string { return squash(key) }

// lookalikes are small letters of other alphabets, by which keys are written that look like ours.
var lookalikes = map[rune]rune{
	'а': 'a', 'в': 'b', 'е': 'e', 'һ': 'h', 'н': 'h', 'і': 'i', 'ј': 'j', 'к': 'k', 'ӏ': 'l', 'м': 'm', 'о': 'o', 'р': 'p',
	'ԛ': 'q', 'ѕ': 's', 'с': 'c', 'т': 't', 'у': 'y', 'ѵ': 'v', 'ԝ': 'w', 'х': 'x', 'ԁ': 'd',
	'α': 'a', 'β': 'b', 'ε': 'e', 'ι': 'i', 'κ': 'k', 'ν': 'v', 'ο': 'o', 'ρ': 'p', 'τ': 't', 'υ': 'u', 'χ': 'x',
	'ı': 'i', 'ɑ': 'a', 'ɡ': 'g', 'ℓ': 'l',
}
