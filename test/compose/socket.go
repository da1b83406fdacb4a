package compose

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/coder/websocket"

	"blog/internal/repo"
)

// Socket follows the list of posts on a node as its page does: it knows what the
// page showed and puts the frames on top. It comes back after each cut with the
// cursor that it has.
type Socket struct {
	node *Node
	get  func(ctx context.Context, address string) (got, error)

	mu      sync.Mutex
	cards   map[string]string // HTML by id
	cursor  string
	seq     int64            // of the last change since the last load
	told    map[string]int64 // the seq of each change, by topic and cursor
	resyncs int
	frames  int
	loads   int
	wrong   []string
	last    string // why it is not open
}

// NewSocket returns a socket that Run opens.
func NewSocket(n *Node) *Socket {
	r := &Reader{client: &http.Client{Timeout: 20 * time.Second}}
	return &Socket{node: n, get: r.get, told: map[string]int64{}}
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
	heartbeat := 10 * time.Second // until the hello says
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
			s.resyncs++ // also where the page is not to be had now
			s.mu.Unlock()
			if err := s.load(ctx); err != nil {
				s.mu.Lock()
				s.cards = nil // the next time begins with the page
				s.mu.Unlock()
				return err
			}
		}
		s.take(f)
	}
}

// frame is a message of /live.
type frame struct {
	Type, Topic, ID, HTML string
	Seq, Heartbeat        int64
	Cursor                string
}

// load begins again with the page. What the page has will not be told again, whatever
// was told before and by whichever connection. What it has not any more was given up with
// its history: should that history be the one that lasts after all, it is news again.
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
	s.cards, s.cursor, s.seq = cards, cursor, 0
	s.loads++
	maps.DeleteFunc(s.told, func(_ string, seq int64) bool { return seq > at.Seq })
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

func (s *Socket) take(f frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	note := func(format string, args ...any) {
		s.wrong = append(s.wrong, s.node.Name+": "+fmt.Sprintf(format, args...))
	}
	switch f.Type {
	case "resync":
		// The page that was fetched on its word is at least as new.
		s.cursor = f.Cursor
		return
	case "change", "gone":
		s.frames++
		if s.told[f.Topic+" "+f.Cursor] > 0 {
			note("told of %s at %s twice", f.Topic, f.Cursor)
		}
		s.told[f.Topic+" "+f.Cursor] = f.Seq
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

// Equal reports how the page differs from the node's copy, how the state that the
// frames have made differs from the page, and what has been wrong with the frames.
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
		// A card of a frame is the page's own bytes, one of the page went
		// through a parser.
		if mine := s.cards[id]; mine != html && (!isCard(mine, id) || !strings.Contains(body, mine)) {
			wrong = append(wrong, fmt.Sprintf("%s: %s is %q by its frames and %q on the page (socket: %s)", s.node.Name, id, s.cards[id], html, s.last))
		}
	}
	// What the socket has beyond the page's must be older.
	oldest := oldestOf(cards)
	for id := range s.cards {
		if _, ok := cards[id]; !ok && number(id) > oldest {
			wrong = append(wrong, fmt.Sprintf("%s: %s is there by its frames and not on the page (socket: %s)", s.node.Name, id, s.last))
		}
	}
	return problems("sockets", wrong)
}

// isCard reports whether html is the whole card with that id: any part of it, and nothing
// at all, is on the page as well.
func isCard(html, id string) bool {
	html = strings.TrimSpace(html)
	return strings.HasPrefix(html, "<li") && strings.HasSuffix(html, "</li>") && strings.Contains(html, fmt.Sprintf(" id=%q", id))
}

// oldestOf is the least number of the cards, 0 where there are none.
func oldestOf(cards map[string]string) int64 {
	if len(cards) == 0 {
		return 0
	}
	oldest := int64(math.MaxInt64)
	for id := range cards {
		oldest = min(oldest, number(id))
	}
	return oldest
}

// number is that of a card's id, such as post-12: the newer the larger.
func number(id string) int64 {
	n, err := strconv.ParseInt(id[strings.LastIndexByte(id, '-')+1:], 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// Resyncs is how often it was told to begin again.
func (s *Socket) Resyncs() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resyncs
}

// heard is what a socket had by a moment: changes that it was told of, and pages that it
// began with, or began again.
type heard struct{ frames, loads int }

func (s *Socket) heard() heard {
	s.mu.Lock()
	defer s.mu.Unlock()
	return heard{s.frames, s.loads}
}
