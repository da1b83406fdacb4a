package foreign

import (
	"net/url"
	"path"
	"regexp"
	"strings"
)

// site knows the addresses of a blog in its system.
type site struct {
	hosts   map[string]bool   // its own
	uploads map[string]bool   // those that have its pictures besides, without scheme
	slugs   map[string]string // of its entries, by address
	files   map[string]string // addresses of its files, by that of the page that shows one
	picture func(path string) bool
}

func newSite(picture func(string) bool) *site {
	return &site{
		hosts: map[string]bool{}, uploads: map[string]bool{}, slugs: map[string]string{}, files: map[string]string{},
		picture: picture,
	}
}

func hostOf(u *url.URL) string { return strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.") }

// addHost notes an address of the site.
func (s *site) addHost(address string) {
	if u, err := url.Parse(strings.TrimSpace(address)); err == nil && hostOf(u) != "" {
		s.hosts[hostOf(u)] = true
	}
}

// addUpload notes the address of a file of the site.
func (s *site) addUpload(address string) {
	if u, err := url.Parse(strings.TrimSpace(address)); err == nil && hostOf(u) != "" {
		s.uploads[hostOf(u)+u.Path] = true
	}
}

// addEntry notes the address of an entry.
func (s *site) addEntry(address, slug string) {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		return
	}
	if key := entryKey(u); key != "" && s.slugs[key] == "" {
		s.slugs[key] = slug
	}
}

// entryKey is an address on the site as addresses are compared.
func entryKey(u *url.URL) string {
	for _, name := range []string{"p", "page_id"} {
		if id := u.Query().Get(name); id != "" {
			return "?" + id
		}
	}
	p := strings.Trim(strings.ToLower(path.Clean("/"+u.Path)), "/")
	return strings.TrimSuffix(p, "/amp")
}

// ghostURL is what Ghost writes in place of the site's own address.
const ghostURL = "__GHOST_URL__"

// local returns an address on the site, nil where it is another site's.
func (s *site) local(address string) *url.URL {
	after, isGhost := strings.CutPrefix(address, ghostURL)
	if isGhost {
		address = "/" + strings.TrimLeft(after, "/")
	}
	u, err := url.Parse(address)
	if err != nil || u.Opaque != "" || u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" {
		return nil
	}
	if u.Host == "" && strings.HasPrefix(u.Path, "/") || u.Host != "" && s.hosts[hostOf(u)] {
		return u
	}
	return nil
}

// link returns where a link leads from here on. known is false for an address on the site at which the
// export has nothing.
func (s *site) link(address string) (to string, known bool) {
	address = strings.TrimSpace(address)
	if picture := s.find(address); picture != "" {
		return picture, true
	}
	u := s.local(address)
	if u == nil {
		return address, true
	}
	if slug := s.slugs[entryKey(u)]; slug != "" {
		to = "/posts/" + url.PathEscape(slug)
		if u.Fragment != "" {
			to += "#" + u.EscapedFragment()
		}
		return to, true
	}
	if file := s.files[entryKey(u)]; file != "" {
		return s.image(file), true
	}
	if after, isGhost := strings.CutPrefix(address, ghostURL); isGhost {
		address = "/" + strings.TrimLeft(after, "/")
	}
	front := strings.Trim(u.Path, "/") == "" && u.RawQuery == ""
	return address, front || strings.HasPrefix(address, "#")
}

var (
	wxrSize   = regexp.MustCompile(`-(?:\d{1,5}x\d{1,5}|scaled|rotated|e\d{10,})(\.[A-Za-z]+)$`)
	ghostSize = regexp.MustCompile(`/size/[wh0-9]+(?:/format/[a-z]+)?/`)
)

// image returns where a picture is from here on: its path, where the caller has it, or else its address.
func (s *site) image(address string) string {
	address = strings.TrimSpace(address)
	if found := s.find(address); found != "" {
		return found
	}
	if after, isGhost := strings.CutPrefix(address, ghostURL); isGhost {
		return "/" + strings.TrimLeft(after, "/")
	}
	return address
}

// find returns the path of a picture of the site that the caller has, "" where it has none. The
// folders are those in which systems store what is uploaded; a picture in a smaller size is found as
// the one that it was made from.
func (s *site) find(address string) string {
	after, isGhost := strings.CutPrefix(address, ghostURL)
	if isGhost {
		address = "/" + strings.TrimLeft(after, "/")
	}
	u, err := url.Parse(address)
	if err != nil || u.Path == "" {
		return ""
	}
	full := path.Clean("/" + u.Path)
	if u.Host != "" && !s.hosts[hostOf(u)] && !s.uploads[hostOf(u)+u.Path] && !s.isUpload(u) {
		return ""
	}
	for _, p := range []string{
		full, wxrSize.ReplaceAllString(full, "$1"), ghostSize.ReplaceAllString(full, "/"),
	} {
		for _, folder := range []string{"/wp-content/uploads/", "/content/images/", "/uploads/", "/files/"} {
			if at := strings.Index(p, folder); at >= 0 {
				parts := strings.Split(strings.Trim(folder, "/"), "/")
				tail := p[at+len(folder):]
				for n := range len(parts) + 1 {
					if c := path.Join(strings.Join(parts[n:], "/"), tail); s.picture(c) {
						return (&url.URL{Path: "/" + c}).EscapedPath()
					}
				}
			}
		}
		if s.picture(p[1:]) {
			return (&url.URL{Path: p}).EscapedPath()
		}
	}
	return ""
}

// isUpload reports whether an address on another host is a file of the site: WordPress and Ghost may
// serve them from elsewhere, under the same path.
func (s *site) isUpload(u *url.URL) bool {
	host := hostOf(u)
	for local := range s.hosts {
		label, _, _ := strings.Cut(local, ".")
		if host == label+".files.wordpress.com" {
			return true
		}
	}
	return strings.Contains(u.Path, "/wp-content/uploads/") && strings.HasSuffix(host, ".wp.com") ||
		strings.Contains(u.Path, "/content/images/") && host == "storage.ghost.io"
}
