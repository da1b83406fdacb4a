package accounts

import (
	"fmt"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits of what an author may choose.
const (
	MinPassword  = 10   // characters
	MaxPassword  = 1024 // bytes
	maxEmail     = 254  // bytes, RFC 5321
	maxName      = 100  // characters
	maxUserAgent = 200  // bytes
)

// NormalEmail returns an address as it is stored and compared: without space
// around it, in lower case. It does not say whether it is an address.
func NormalEmail(email string) string {
	return strings.ToLower(norm.NFKC.String(strings.TrimSpace(email)))
}

// normalName returns a name as it is stored.
func normalName(name string) string {
	return norm.NFC.String(strings.Join(strings.Fields(name), " "))
}

// normalPassword makes what two keyboards send for one sentence the same bytes.
func normalPassword(password string) string { return norm.NFKC.String(password) }

// checkEmail expects what NormalEmail returned.
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

// checkName expects what normalName returned.
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

// unprintable reports what could make a name look like another or disturb the
// text around it. Joiners stay: emoji and many scripts need them.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == utf8.RuneError
}

// CheckPassword returns what is wrong with a new password for the address, ""
// when it will do. There are no rules of composition: length is what counts.
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

// checkAuthor collects the messages by field of a new author.
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

// shortAgent keeps what a browser calls itself short and harmless.
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
