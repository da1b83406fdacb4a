package markdown

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// schemes are those of addresses that a link may lead to: those of the web, and those that HTML's
// standard allows pages to pass to other programs, none of which runs its input. Source:
// https://html.spec.whatwg.org/multipage/system-state.html#safelisted-scheme.
var schemes = []string{
	"", "http", "https", "mailto", "bitcoin", "ftp", "ftps", "geo", "im", "irc", "ircs", "magnet", "matrix", "mms", "news",
	"nntp", "openpgp4fpr", "sftp", "sip", "sms", "smsto", "ssh", "tel", "urn", "webcal", "xmpp",
}

// isWeb reports whether browsers show an address themselves.
func isWeb(u *url.URL) bool { return u.Scheme == "" || u.Scheme == "http" || u.Scheme == "https" }

// asciiHost converts the international name of a host to the ASCII form of the protocols, because not
// every reader of a feed does. It returns false for an invalid name.
func asciiHost(u *url.URL) bool {
	if isASCII(u.Host) {
		return true
	}
	host, err := idna.Lookup.ToASCII(u.Hostname())
	if err != nil {
		return false
	}
	if port := u.Port(); port != "" {
		host += ":" + port
	}
	u.Host = host
	return true
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// parseAddress parses the destination of a link or an image. It is ok only for addresses that
// cannot run a program in the reader's browser.
func parseAddress(s string) (*url.URL, bool) {
	s = strings.TrimSpace(s)
	if s == "" || strings.ContainsAny(s, " \t\n") {
		return nil, false
	}
	if strings.HasPrefix(s, "//") {
		// Browsers read any number of slashes as two, which begin the name of a host; package url reads
		// more as a path on this host.
		s = "//" + strings.TrimLeft(s, "/")
	}
	u, err := url.Parse(s)
	if err != nil || !slices.Contains(schemes, u.Scheme) || !asciiHost(u) {
		return nil, false
	}
	// The printed address has to be the same when it is parsed again, as the last policy and
	// browsers do.
	again, err := url.Parse(u.String())
	if err != nil || u.String() == "" || again.String() != u.String() || again.Scheme != u.Scheme || again.Host != u.Host {
		return nil, false
	}
	return u, true
}
