package accounts

import (
	"fmt"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits of the fields of an author.
const (
	MinPassword  = 10   // characters
	MaxPassword  = 1024 // bytes
	maxEmail     = 254  // bytes, RFC 5321
	maxName      = 100  // characters
	maxUserAgent = 200  // bytes
)

// NormalEmail returns an address as it is stored and compared: NFKC, lower case, without spaces
// around it. It does not check that it is an address.
func NormalEmail(email string) string {
	return strings.ToLower(norm.NFKC.String(strings.TrimSpace(email)))
}

// normalName returns a name as it is stored: NFC, with single spaces.
func normalName(name string) string {
	return norm.NFC.String(strings.Join(strings.Fields(name), " "))
}

// normalPassword returns a password as it is hashed: in NFKC, so that two keyboards give the same
// bytes for the same text.
func normalPassword(password string) string { return norm.NFKC.String(password) }

// checkEmail returns what is wrong with an address, or "". It expects the result of NormalEmail.
func checkEmail(email string) string {
	switch {
	case email == "":
		return "is missing"
	case len(email) > maxEmail:
		return fmt.Sprintf("must be at most %d bytes long", maxEmail)
	}
	a, err := mail.ParseAddress(email)
	if err != nil || a.Address != email || a.Name != "" || strings.ContainsFunc(email, unprintable) {
		return "must be an address like name@example.org"
	}
	return ""
}

// checkName returns what is wrong with a name, or "". It expects the result of normalName.
func checkName(name string) string {
	switch {
	case name == "":
		return "is missing"
	case utf8.RuneCountInString(name) > maxName:
		return fmt.Sprintf("must be at most %d characters long", maxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unprintable):
		return "must not hold control characters"
	}
	return ""
}

// unprintable reports whether r could make a name look like another one or disturb the text around
// it. Joiners do not count, because emoji and many scripts need them.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == utf8.RuneError
}

// CheckPassword returns what is wrong with a new password for the address email, or "". It asks for
// length and not for a mixture of characters.
func CheckPassword(password, email string) string {
	plain := normalPassword(password)
	switch {
	case password == "":
		return "is missing"
	case !utf8.ValidString(password):
		return "must be text in UTF-8"
	case len(password) > MaxPassword || len(plain) > MaxPassword:
		return fmt.Sprintf("must be at most %d bytes long", MaxPassword)
	case utf8.RuneCountInString(plain) < MinPassword:
		return fmt.Sprintf("must be at least %d characters long", MinPassword)
	case NormalEmail(plain) == NormalEmail(email):
		return "must not be the e-mail address"
	}
	return ""
}

// checkAuthor returns messages by field for a new author. It expects normal forms.
func checkAuthor(email, name string) map[string]string {
	fields := map[string]string{}
	note(fields, "email", checkEmail(email))
	note(fields, "name", checkName(name))
	return fields
}

func note(fields map[string]string, field, message string) {
	if message != "" {
		fields[field] = message
	}
}

// shortAgent returns the first 200 bytes of a User-Agent header, as valid UTF-8 without unprintable
// characters.
func shortAgent(ua string) string {
	ua = strings.ToValidUTF8(ua, "")
	ua = strings.Map(func(r rune) rune {
		if unprintable(r) {
			return -1
		}
		return r
	}, ua)
	if len(ua) <= maxUserAgent {
		return ua
	}
	cut := maxUserAgent
	for !utf8.RuneStart(ua[cut]) {
		cut--
	}
	return ua[:cut]
}
