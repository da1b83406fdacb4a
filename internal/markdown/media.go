package markdown

import (
	"fmt"
	"net/url"
	"path"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// playing are the elements that play a file, by the end of the file's name.
var playing = map[string]atom.Atom{
	".mp4": atom.Video, ".m4v": atom.Video, ".webm": atom.Video, ".ogv": atom.Video, ".mov": atom.Video,
	".mp3": atom.Audio, ".m4a": atom.Audio, ".ogg": atom.Audio, ".oga": atom.Audio, ".opus": atom.Audio,
	".wav": atom.Audio, ".flac": atom.Audio, ".aac": atom.Audio,
}

// playerOf returns the element that plays the file at an address, or 0 when its name is that of no video
// and no recording.
func playerOf(u *url.URL) atom.Atom { return playing[strings.ToLower(path.Ext(u.Path))] }

func isPlayer(a atom.Atom) bool { return a == atom.Video || a == atom.Audio }

// parseMedia parses the address of a video or a recording. An address without a scheme is of https.
// plays reports whether pages play it: only from an https address, because their policy allows no other.
func parseMedia(s string) (u *url.URL, ok, plays bool) {
	u, ok = parseAddress(s)
	if !ok || !isWeb(u) || isOnPage(u) {
		return nil, false, false
	}
	if u.Scheme == "" && u.Host != "" {
		u.Scheme = "https"
	}
	return u, true, u.Scheme == "https" && u.Hostname() != ""
}

// isOnPage reports whether an address is only a query or a fragment.
func isOnPage(u *url.URL) bool { return u.Path == "" && u.Host == "" && u.Opaque == "" }

// addSource gives the open player the address of a <source>, unless it has a better one.
func (b *builder) addSource(t html.Token) {
	if b.player == nil || b.player.Parent != b.top() {
		return
	}
	b.sources.offer(attribute(&html.Node{Attr: t.Attr}, "src"))
	set(b.player, "src", b.sources.best)
}

// sources chooses the address of a player: the first that is played, else the first.
type sources struct {
	best  string
	plays bool
}

func (s *sources) offer(src string) {
	if s.plays || src == "" {
		return
	}
	if _, _, plays := parseMedia(src); plays || s.best == "" {
		s.best, s.plays = src, plays
	}
}

// endPlayer ends the open player and removes what is between its tags, which is for browsers that do
// not know the element. When the end tag belongs to another place, as after a missing one, or when more
// than a few words would be gone, all of it stays.
func (b *builder) endPlayer(a atom.Atom) {
	n := b.player
	if n == nil || n.DataAtom != a || n.Parent != b.top() {
		return
	}
	b.player = nil
	for c := n.NextSibling; c != nil; c = c.NextSibling {
		if kinds[c.DataAtom]&block != 0 && c.DataAtom != atom.P {
			return // it is more than a sentence for such browsers
		}
	}
	for n.NextSibling != nil {
		n.Parent.RemoveChild(n.NextSibling)
	}
}

// media makes a video or a recording playable, or replaces it: by a link when it is elsewhere and not
// played, by its text when it is on this host, which stores pictures only.
func (s *shaper) media(n *html.Node, kind atom.Atom, at place) {
	name := strings.TrimSpace(attribute(n, "alt"))
	for _, key := range []string{"aria-label", "title"} {
		if name == "" {
			name = strings.TrimSpace(attribute(n, key))
		}
	}
	u, ok, plays := parseMedia(attribute(n, "src"))
	text := name
	if ok && text == "" {
		text = mediaName(u)
	}
	switch {
	case text == "":
		remove(n)
	case !ok, u.Scheme == "" && u.Host == "", at.inLink:
		span := element(atom.Span, text)
		set(span, "class", "missing-image")
		replace(n, span)
	case !plays:
		replace(n, linkTo(u, text))
	default:
		replace(n, newPlayer(n, kind, u, name, text))
	}
}

// mediaName returns the name of the file at an address, or the host.
func mediaName(u *url.URL) string {
	if name := path.Base(u.Path); name != "." && name != "/" {
		return name
	}
	return u.Host
}

// newPlayer returns the element of a video or a recording. It loads nothing before its reader starts it,
// because another host must not learn who reads a post. The link in it is for readers of a feed.
func newPlayer(given *html.Node, kind atom.Atom, u *url.URL, name, text string) *html.Node {
	n := element(kind, "")
	n.Attr = []html.Attribute{{Key: "controls"}, {Key: "preload", Val: "none"}, {Key: "src", Val: u.String()}}
	set(n, "aria-label", name)
	if kind == atom.Video {
		set(n, "width", attribute(given, "width"))
		set(n, "height", attribute(given, "height"))
	}
	n.AppendChild(linkTo(u, text))
	return n
}

// linkTo returns a link to another host.
func linkTo(u *url.URL, text string) *html.Node {
	link := element(atom.A, text)
	set(link, "href", u.String())
	set(link, "rel", "external noopener")
	return link
}

// player is a <video> or <audio> of raw HTML whose end the warnings wait for.
type player struct {
	sources
	kind string // "" for none
	at   int
}

// startPlayer notices the start of a player, or of a source in it. It reports false for another element.
func (l *loser) startPlayer(name, src string, at int) bool {
	switch {
	case isPlayer(atom.Lookup([]byte(name))):
		l.endPlayer()
		l.player = player{kind: name, at: at}
		l.player.offer(src)
	case name == "source" && l.player.kind != "":
		l.player.offer(src)
	default:
		return false
	}
	return true
}

func (l *loser) endPlayer() {
	p := l.player
	l.player = player{}
	switch {
	case p.kind == "":
	case p.best == "":
		l.add(p.at, fmt.Sprintf("<%s> has no address (src) and is not shown", p.kind))
	default:
		l.media(p.at, p.kind, p.best)
	}
}

// media warns of a video or a recording that is not played.
func (l *loser) media(at int, kind, src string) {
	u, ok, plays := parseMedia(src)
	switch {
	case plays:
	case !ok:
		l.add(at, fmt.Sprintf("the %s at %.60q is not shown: its address is none that a post may have", kind, src))
	case u.Scheme == "" && u.Host == "":
		l.add(at, fmt.Sprintf("the %s %.60q is not played, because only pictures are stored here: its text is shown "+
			"instead; one at an https address is played", kind, src))
	default:
		l.add(at, fmt.Sprintf("the %s at %.60q is a link: only one at an https address is played", kind, src))
	}
}
