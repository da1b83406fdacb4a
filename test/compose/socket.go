package compose

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/coder/websocket"

	"blog/internal/repo"
)

// Socket follows the list of posts on a node as its page does: it starts with what the page shows
// and applies the frames. It reconnects after each cut with the cursor that it has.
type Socket struct {
	node *Node
	get  func(ctx context.Context, address string) (got, error)

	mu      sync.Mutex
	cards   map[string]string // HTML by id
	floor   string            // order of the oldest card of the last load
	cursor  string
	seq     int64            // of the last change since the last load
	changes map[string]int64 // the seq of each change, by topic and cursor
	resyncs int
	frames  int
	loads   int
	wrong   []string
	last    string // why it is not open
}

// NewSocket returns a socket that Run opens.
func NewSocket(n *Node) *Socket {
	r := &Reader{client: &http.Client{Timeout: 20 * time.Second}}
	return &Socket{node: n, get: r.get, changes: map[string]int64{}}
}

// Run follows until ctx ends.
func (s *Socket) Run(ctx context.Context) {
	pause := time.NewTicker(250 * time.Millisecond)
	defer pause.Stop()
	for ctx.Err() == nil {
		if err := s.follow(ctx); err != nil {
			s.mu.Lock()
			s.last = err.Error()
			s.mu.Unlock()
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
	}
}

func (s *Socket) follow(ctx context.Context) error {
	if s.cards == nil {
		if err := s.load(ctx); err != nil {
			return err
		}
	}
	address := "ws" + strings.TrimPrefix(s.node.Public, "http") + "/live?topics=posts&after=" + url.QueryEscape(s.cursor)
	dial, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, res, err := websocket.Dial(dial, address, nil)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	if res.Body != nil {
		_ = res.Body.Close()
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(4 << 20)
	heartbeat := 10 * time.Second // until the hello says another one
	for {
		read, cancel := context.WithTimeout(ctx, heartbeat)
		_, data, err := conn.Read(read)
		cancel()
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		var f frame
		if err := json.Unmarshal(data, &f); err != nil {
			return err
		}
		if f.Heartbeat > 0 {
			heartbeat = time.Duration(f.Heartbeat)*time.Millisecond + 10*time.Second
		}
		if f.Type == "resync" {
			s.mu.Lock()
			s.resyncs++ // also when the page cannot be fetched now
			s.mu.Unlock()
			if err := s.load(ctx); err != nil {
				s.mu.Lock()
				s.cards = nil // the next time begins with the page
				s.mu.Unlock()
				return err
			}
		}
		s.receive(f)
	}
}

// frame is a message of /live.
type frame struct {
	Type, Topic, ID, HTML string
	Seq, Heartbeat        int64
	Cursor                string
}

// load begins again with the page. Nothing that the page has may be sent again, whatever was sent
// before and on whichever connection. What the page no longer has was given up with its history: if
// that history is the one that lasts after all, it is sent again.
func (s *Socket) load(ctx context.Context) error {
	cards, cursor, _, err := s.page(ctx)
	if err != nil {
		return err
	}
	at, err := repo.ParseCursor(cursor)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cards, s.cursor, s.seq, s.floor = cards, cursor, 0, oldestOf(cards)
	s.loads++
	maps.DeleteFunc(s.changes, func(_ string, seq int64) bool { return seq > at.Seq })
	return nil
}

func (s *Socket) page(ctx context.Context) (cards map[string]string, cursor, body string, err error) {
	g, err := s.get(ctx, s.node.Public+"/posts")
	if err == nil && g.status != http.StatusOK {
		err = fmt.Errorf("status %d", g.status)
	}
	if err != nil {
		return nil, "", "", fmt.Errorf("list of %s: %w", s.node.Name, err)
	}
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(g.body))
	if err != nil {
		return nil, "", "", err
	}
	cursor = doc.Find("main[data-live-topics]").AttrOr("data-cursor", "")
	if cursor == "" {
		return nil, "", "", errors.New("the list is not live")
	}
	cards = map[string]string{}
	doc.Find("main li[id^=post-]").Each(func(_ int, li *goquery.Selection) {
		html, herr := goquery.OuterHtml(li)
		err = errors.Join(err, herr)
		cards[li.AttrOr("id", "")] = html
	})
	return cards, cursor, g.body, err
}

func (s *Socket) receive(f frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	note := func(format string, args ...any) {
		s.wrong = append(s.wrong, s.node.Name+": "+fmt.Sprintf(format, args...))
	}
	switch f.Type {
	case "resync":
		// The page that was fetched because of this frame is at least as new.
		s.cursor = f.Cursor
		return
	case "change", "gone":
		s.frames++
		if s.changes[f.Topic+" "+f.Cursor] > 0 {
			note("told of %s at %s twice", f.Topic, f.Cursor)
		}
		s.changes[f.Topic+" "+f.Cursor] = f.Seq
		if f.Seq <= s.seq {
			note("a frame of row %d after one of row %d", f.Seq, s.seq)
		}
		s.seq = f.Seq
		if f.Type == "gone" {
			delete(s.cards, f.ID)
		} else {
			s.cards[f.ID] = f.HTML
			if !isCard(f.HTML, f.ID) {
				note("%s is no card of %s: %q", f.Cursor, f.ID, f.HTML)
			}
		}
	}
	if _, err := repo.ParseCursor(f.Cursor); err != nil {
		note("a frame of type %s with cursor %q", f.Type, f.Cursor)
	}
	s.cursor = f.Cursor
}

// Equal returns how the page differs from the node's copy, how the state made from frames differs
// from the page, and what was wrong with the frames.
func (s *Socket) Equal(ctx context.Context, c *Copy) error {
	cards, _, body, err := s.page(ctx)
	if err != nil {
		return err
	}
	if err := CheckPage(c, cards); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	wrong := append([]string(nil), s.wrong...)
	for id, html := range cards {
		mine, has := s.cards[id]
		if !has && orderOf(id, html) < s.floor {
			continue // the page shows it in the place of one that is gone
		}
		// A card from a frame has the page's own bytes. A card from the page went through a parser.
		if mine != html && (!isCard(mine, id) || !strings.Contains(body, mine)) {
			wrong = append(wrong, fmt.Sprintf("%s: %s is %q by its frames and %q on the page (socket: %s)", s.node.Name, id,
				mine, html, s.last))
		}
	}
	// Cards that only the socket has must be older than those of the page.
	oldest := oldestOf(cards)
	for id, html := range s.cards {
		if _, ok := cards[id]; !ok && orderOf(id, html) > oldest {
			wrong = append(wrong, fmt.Sprintf("%s: %s is there by its frames and not on the page (socket: %s)", s.node.Name,
				id, s.last))
		}
	}
	return problems("sockets", wrong)
}

// isCard reports whether html is the whole card with this id. A part of it, or an empty text, would
// be found on the page too.
func isCard(html, id string) bool {
	html = strings.TrimSpace(html)
	return strings.HasPrefix(html, "<li") && strings.HasSuffix(html, "</li>") &&
		strings.Contains(html, fmt.Sprintf(" id=%q", id))
}

// oldestOf returns the least order of the cards, or "" without cards.
func oldestOf(cards map[string]string) string {
	oldest := ""
	for id, html := range cards {
		if o := orderOf(id, html); oldest == "" || o < oldest {
			oldest = o
		}
	}
	return oldest
}

var dated = regexp.MustCompile(`data-order="([^"]*)"`)

// orderOf returns what a list is ordered by, greatest first: the date of a card, and then the
// number in its id, such as 12 in post-12.
func orderOf(id, html string) string {
	date := ""
	if m := dated.FindStringSubmatch(html); m != nil {
		date = m[1]
	}
	n, err := strconv.ParseInt(id[strings.LastIndexByte(id, '-')+1:], 10, 64)
	if err != nil {
		n = -1
	}
	return fmt.Sprintf("%s %020d", date, n)
}

// Resyncs returns how often the socket was told to begin again.
func (s *Socket) Resyncs() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resyncs
}

// heard is what a socket had received by a moment: the changes, and the pages with which it began,
// or began again.
type heard struct{ frames, loads int }

func (s *Socket) heard() heard {
	s.mu.Lock()
	defer s.mu.Unlock()
	return heard{s.frames, s.loads}
}
