package litefs

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

const placeholder = "{hostname}"

// hostPattern is a host name or an address, with a port or without. The primary's name comes over the network
// and the cluster's secret is sent to the address made from it, so nothing else gets in.
var hostPattern = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)

// template makes the primary's private address from its LiteFS hostname.
type template string

// parseTemplate checks t with a host that fits every template, so that a slip in it shows at the start and not
// at the first forwarded write.
func parseTemplate(t string) (template, error) {
	if !strings.Contains(t, placeholder) {
		return "", fmt.Errorf("litefs: PRIMARY_URL %q does not contain %s", t, placeholder)
	}
	if _, err := template(t).expand("host"); err != nil {
		return "", fmt.Errorf("litefs: PRIMARY_URL %q: %w", t, err)
	}
	if u, err := url.Parse(strings.ReplaceAll(t, placeholder, "host")); err == nil && !strings.Contains(u.Host, "host") {
		return "", fmt.Errorf("litefs: PRIMARY_URL %q has %s outside its host", t, placeholder)
	}
	return template(t), nil
}

// Address returns the base address that tmpl, a PRIMARY_URL, makes of a node's lease.hostname.
func Address(tmpl, hostname string) (string, error) {
	t, err := parseTemplate(tmpl)
	if err != nil {
		return "", err
	}
	return t.expand(hostname)
}

// expand returns the base address for host, without a trailing slash.
func (t template) expand(host string) (string, error) {
	if !hostPattern.MatchString(host) {
		return "", fmt.Errorf("%q is no host or host:port", host)
	}
	u, err := url.Parse(strings.ReplaceAll(string(t), placeholder, host))
	if err != nil {
		return "", fmt.Errorf("with hostname %q it is no address: %w", host, err)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("an address starts with http:// or https://, this one with %q", u.Scheme)
	case u.Hostname() == "":
		return "", fmt.Errorf("with hostname %q it has no host", host)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("user, query and fragment have no place in it")
	}
	if err := checkAuthority(u.Host); err != nil {
		return "", fmt.Errorf("with hostname %q: %w", host, err)
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// checkAuthority finds what url.Parse lets through: two ports, a port out of range, a name after a port.
func checkAuthority(authority string) error {
	if !hostPattern.MatchString(authority) {
		return fmt.Errorf("%q is no host or host:port", authority)
	}
	if _, port, err := net.SplitHostPort(authority); err == nil {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return fmt.Errorf("port %q is out of range", port)
		}
	}
	return nil
}
