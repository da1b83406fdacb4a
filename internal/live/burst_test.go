package live_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAPageFetchedOnAFrameShowsTheChange(t *testing.T) {
	s := MustSite(t, change{})
	at := MustDo(t, s, post(1, "a", "0"))
	var readers []*client
	for range 3 {
		readers = append(readers, MustFollow(t, s, "posts", at.String()))
	}
	var wg sync.WaitGroup
	for _, c := range readers {
		wg.Go(func() {
			for i := 1; i <= 200; i++ {
				f, err := c.next(t.Context())
				if err != nil {
					t.Errorf("frame %d: %v", i, err)
					return
				}
				pg, err := fetch(t.Context(), s, "posts")
				if err != nil {
					t.Errorf("page %d: %v", i, err)
					return
				}
				var shown, expected int
				MustScan(t, pg.Cards["post-1"], &shown)
				MustScan(t, f.HTML, &expected)
				if shown < i {
					t.Errorf("at frame %d the page shows %d, want at least %d", i, shown, i)
				}
				if expected < i {
					t.Errorf("frame %d says %d, want at least %d", i, expected, i)
				}
			}
		})
	}
	for i := 1; i <= 200; i++ {
		MustDo(t, s, post(1, "a", fmt.Sprint(i)))
	}
	wg.Wait()
}

func MustScan(tb testing.TB, html string, n *int) {
	tb.Helper()
	if _, err := fmt.Sscanf(html, `<li id="post-1">%d</li>`, n); err != nil {
		tb.Errorf("card %q: %v", html, err)
	}
}

// reader is a page with lists: their cards and the frames that changed them.
type reader struct {
	topics string
	cards  map[string]map[string]string // by topic and id
	cursor string
	seen   map[string]bool
	seq    int64
	resets int
}

// apply does what the page's script does, and checks what every page may rely on.
func (r *reader) apply(ctx context.Context, s *site, f frame) error {
	if f.Seq < r.seq && f.Type != "resync" {
		return fmt.Errorf("seq went back from %d to %d", r.seq, f.Seq)
	}
	r.seq = f.Seq
	key := fmt.Sprint(f.Topic, " ", f.ID, " ", f.Seq)
	switch f.Type {
	case "hello":
		return nil
	case "resync":
		r.resets++
		return r.load(ctx, s)
	case "change":
		r.cards[f.Topic][f.ID] = f.HTML
	case "gone":
		delete(r.cards[f.Topic], f.ID)
	}
	if r.seen[key] {
		return fmt.Errorf("%s came twice", key)
	}
	r.seen[key] = true
	r.cursor = f.Cursor
	return nil
}

// load reads the lists. They are read after the position, and may be newer than
// it: frames are state, so one too many changes nothing.
func (r *reader) load(ctx context.Context, s *site) error {
	pg, err := fetch(ctx, s, r.topics)
	if err != nil {
		return err
	}
	r.cursor = pg.Cursor
	r.cards, err = lists(ctx, s, r.topics)
	return err
}

// lists reads each list of topics by itself.
func lists(ctx context.Context, s *site, topics string) (map[string]map[string]string, error) {
	out := map[string]map[string]string{}
	for topic := range strings.SplitSeq(topics, ",") {
		pg, err := fetch(ctx, s, topic)
		if err != nil {
			return nil, err
		}
		out[topic] = pg.Cards
	}
	return out, nil
}

// hasEnd reports whether all of the reader's lists have the last card, such as those of one who came when all had been
// written: then there is no frame to come.
func (r *reader) hasEnd() bool {
	for topic := range strings.SplitSeq(r.topics, ",") {
		if _, ok := r.cards[topic]["post-999"]; !ok {
			return false
		}
	}
	return true
}

// follow reads the page, then its socket, hanging up twice on the way, until it
// has the last card.
func (r *reader) follow(ctx context.Context, s *site) error {
	if err := r.load(ctx, s); err != nil {
		return err
	}
	r.seen = map[string]bool{}
	for hangups := 0; ; hangups++ {
		c, err := dial(ctx, s.address(r.topics, r.cursor))
		if err != nil {
			return err
		}
		// Cut off in the middle of a row, a reader gets the whole of it again.
		if !strings.HasPrefix(r.cursor, fmt.Sprint(r.seq, "-")) {
			maps.DeleteFunc(r.seen, func(key string, _ bool) bool { return strings.HasSuffix(key, fmt.Sprint(" ", r.seq)) })
		}
		r.seq = 0
		for budget := 5 + rand.IntN(10); hangups >= 2 || budget > 0; budget-- {
			if r.hasEnd() {
				return c.conn.CloseNow()
			}
			f, err := c.next(ctx)
			if err == nil {
				err = r.apply(ctx, s, f)
			}
			if err != nil {
				return err
			}
			// The last frame of a row is the one with the row's own cursor.
			if f.ID == "post-999" && strings.HasPrefix(f.Cursor, fmt.Sprint(f.Seq, "-")) {
				return c.conn.CloseNow()
			}
		}
		if err := c.conn.CloseNow(); err != nil {
			return err
		}
	}
}

func TestAHundredSocketsSeeFiftyWrites(t *testing.T) {
	s := MustSite(t, resyncEvery(20*time.Millisecond)) // so that some are held back
	MustDo(t, s, post(1, "p1", "start", "a"))
	kinds := []string{"posts", "tag:a,tag:b", "tag:b", "posts,tag:a"}
	readers := make([]*reader, 100)
	var wg sync.WaitGroup
	for i := range readers {
		readers[i] = &reader{topics: kinds[i%len(kinds)]}
		wg.Go(func() {
			if err := readers[i].follow(t.Context(), s); err != nil {
				t.Errorf("reader %d of %s: %v", i, readers[i].topics, err)
			}
		})
	}
	for i := range 50 {
		id := int64(1 + rand.IntN(8))
		tags := slices.DeleteFunc([]string{"a", "b", "c"}, func(string) bool { return rand.IntN(2) == 0 })
		e := entry{ID: id, Slug: fmt.Sprint("p", id), Title: fmt.Sprint("write ", i), Tags: tags, Visible: rand.IntN(5) > 0}
		if rand.IntN(5) == 0 {
			MustDo(t, s, many{100})
		}
		if rand.IntN(10) == 0 {
			MustDo(t, s, drop{id})
			continue
		}
		MustDo(t, s, save{e})
	}
	MustDo(t, s, post(999, "end", "end", "a", "b"))
	wg.Wait()
	resets := 0
	for i, r := range readers {
		resets += r.resets
		want, err := lists(t.Context(), s, r.topics)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, r.cards); diff != "" {
			t.Errorf("reader %d of %s (-want +got):\n%s", i, r.topics, diff)
		}
	}
	t.Logf("%d resyncs, %+v", resets, s.hub.Stats())
}
