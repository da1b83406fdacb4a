package compose

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	seq     int64           // of the last change since the last resync
	told    map[string]bool // topic and cursor of each change since then
	resyncs int
	frames  int
	opened  int
	wrong   []string
	last    string // why it is not open
}

// NewSocket returns a socket that Run opens.
func NewSocket(n *Node) *Socket {
	r := &Reader{client: &http.Client{Timeout: 20 * time.Second}}
	return &Socket{node: n, get: r.get}
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
	s.mu.Lock()
	s.opened++
	s.mu.Unlock()
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

// load begins again with the page.
func (s *Socket) load(ctx context.Context) error {
	cards, cursor, _, err := s.page(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cards, s.cursor = cards, cursor
	s.told, s.seq = map[string]bool{}, 0
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
		s.resyncs++
		s.cursor = f.Cursor
		return
	case "change", "gone":
		s.frames++
		if s.told[f.Topic+" "+f.Cursor] {
			note("told of %s at %s twice", f.Topic, f.Cursor)
		}
		s.told[f.Topic+" "+f.Cursor] = true
		if f.Seq <= s.seq {
			note("a frame of row %d after one of row %d", f.Seq, s.seq)
		}
		s.seq = f.Seq
		if f.Type == "gone" {
			delete(s.cards, f.ID)
		} else {
			s.cards[f.ID] = f.HTML
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
		if mine, ok := s.cards[id]; !ok || (mine != html && !strings.Contains(body, mine)) {
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

// Frames is how many changes it was told of.
func (s *Socket) Frames() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.frames
}
