package foreign

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"blog/internal/posts"
)

// site knows the addresses of a blog in its system.
type site struct {
	hosts   map[string]bool   // its own
	uploads map[string]bool   // those that have its pictures besides, without scheme
	entries map[string]target // its entries, by address
	files   map[string]string // addresses of its files, by that of the page that shows one
	picture func(path string) bool
}

// target is an entry to which a link may lead.
type target struct {
	slug   string
	hidden bool // it may not be for everybody in its system
}

func newSite(picture func(string) bool) *site {
	return &site{
		hosts: map[string]bool{}, uploads: map[string]bool{}, entries: map[string]target{},
		files: map[string]string{}, picture: picture,
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
func (s *site) addEntry(address string, to target) {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		return
	}
	if key := entryKey(u); key != "" && s.entries[key].slug == "" {
		s.entries[key] = to
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

// Why a link stays as it is.
const (
	toNothing = "this leads to nothing that is in the export"
	toHidden  = "this leads to what is not for everybody, whose name readers are not shown, so it stays as it is"
)

// link returns where a link leads from here on, and, where an address on the site stays as it is, why. A post that
// everybody may read does not get the name of an entry that not everybody may: hidden says that it is no such post.
func (s *site) link(address string, hidden bool) (to, why string) {
	address = strings.TrimSpace(address)
	if picture := s.find(address); picture != "" {
		return picture, ""
	}
	u := s.local(address)
	if u == nil {
		return address, ""
	}
	entry := s.entries[entryKey(u)]
	if entry.slug != "" && (!entry.hidden || hidden || names(u, entry.slug)) {
		to = "/posts/" + url.PathEscape(entry.slug)
		if u.Fragment != "" {
			to += "#" + u.EscapedFragment()
		}
		return to, ""
	}
	if file := s.files[entryKey(u)]; file != "" {
		return s.image(file), ""
	}
	if after, isGhost := strings.CutPrefix(address, ghostURL); isGhost {
		address = "/" + strings.TrimLeft(after, "/")
	}
	switch front := strings.Trim(u.Path, "/") == "" && u.RawQuery == ""; {
	case entry.slug != "":
		return address, toHidden
	case front || strings.HasPrefix(address, "#"):
		return address, ""
	}
	return address, toNothing
}

// names reports whether a slug stands in an address already.
func names(u *url.URL, slug string) bool {
	return slices.ContainsFunc(strings.Split(u.Path, "/"), func(part string) bool {
		return part != "" && posts.Slugify(part) == posts.Slugify(slug)
	})
}

var (
	// wxrSize is what a smaller picture has in its name. One that was edited (-e and a number) may have been cut so as
	// not to show all of the picture that it was made from, and does not stand for it.
	wxrSize   = regexp.MustCompile(`-(?:\d{1,5}x\d{1,5}|scaled|rotated)(\.[A-Za-z]+)$`)
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
