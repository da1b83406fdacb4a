package web

import (
	"bytes"
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"sync"

	"github.com/a-h/templ"
	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"

	"blog/internal/repo"
	"blog/web/negotiate"
)

// What rendered answers may take in memory, variants included, in bytes. Anybody
// can ask for any number of different searches: they have a cache of their own,
// where they can push out no page.
const (
	pageBytes   = 64 << 20
	searchBytes = 8 << 20
)

// caches are the caches of a site, as one tail.
type caches struct{ pages, searches *cache }

// Rows implements repo.Tail.
func (c caches) Rows(ctx context.Context, rows []repo.Row) {
	c.pages.Rows(ctx, rows)
	c.searches.Rows(ctx, rows)
}

// Reset implements repo.Tail.
func (c caches) Reset(ctx context.Context, now repo.Cursor) {
	c.pages.Reset(ctx, now)
	c.searches.Reset(ctx, now)
}

// document is a rendered answer with its compressed variants, made when first
// asked for and kept with it. It is immutable but for them.
type document struct {
	contentType []string    // as in a header, to be shared by all answers
	seen        repo.Cursor // the newest write that the rendering saw
	identity    variant
	compressed  [2]struct {
		once sync.Once
		v    variant
	}
}

// variant is the bytes of one encoding. The ETag is their hash: the same on
// every node, different for each encoding and after a release that changes the page.
type variant struct {
	body []byte
	etag string
	// The header's values, to be shared by all answers. encoding is nil for none.
	etags, length, encoding []string
}

func newDocument(contentType string, body []byte) *document {
	return &document{contentType: []string{contentType}, identity: newVariant("", body)}
}

func newVariant(encoding string, body []byte) variant {
	sum := sha256.Sum256(body)
	v := variant{body: body, etag: `"` + hex.EncodeToString(sum[:16]) + `"`, length: []string{strconv.Itoa(len(body))}}
	v.etags = []string{v.etag}
	if encoding != "" {
		v.encoding = []string{encoding}
	}
	return v
}

// smallest is where compression starts to be worth it, in bytes.
const smallest = 512

func (d *document) in(enc negotiate.Encoding) variant {
	c := &d.compressed[enc]
	c.once.Do(func() {
		var buf bytes.Buffer
		var err error
		name := "br"
		if enc == negotiate.Brotli {
			w := brotli.NewWriterLevel(&buf, 5)
			_, err = w.Write(d.identity.body)
			err = firstError(err, w.Close())
		} else {
			name = "gzip"
			w := gzip.NewWriter(&buf)
			_, err = w.Write(d.identity.body)
			err = firstError(err, w.Close())
		}
		if c.v = d.identity; err == nil && buf.Len() < len(d.identity.body) {
			c.v = newVariant(name, buf.Bytes())
		}
	})
	return c.v
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// size is what the document is counted with: compressed variants of text take
// about a third each.
func (d *document) size() int { return 2 * len(d.identity.body) }

// cache keeps rendered anonymous pages. A page is good until a write touches one
// of its topics: the feed says when. It is a repo.Tail, and the first one, so
// that whoever hears of a change afterwards gets the new page.
type cache struct {
	limit   int
	running renderings

	mu      sync.Mutex
	size    int
	entries map[address]*list.Element
	recent  *list.List       // of *entry, newest use first
	touched map[string]int64 // newest seq that touched a topic since the start
	floor   int64            // pages rendered from before this seq are void
	epoch   int              // counts rewritten histories
}

// address names a page: its path, decoded as the router has it, and its query in the one
// form that the page itself would link to. The two are apart: in one text the path of
// /posts%3Fpage=2, which leads nowhere, is the address of a page.
type address struct{ path, query string }

type entry struct {
	key    address
	doc    *document
	topics []string
}

func newCache(limit int) *cache {
	return &cache{
		limit: limit, running: renderings{byKey: map[address]*rendering{}},
		entries: map[address]*list.Element{}, recent: list.New(), touched: map[string]int64{},
	}
}

// Rows implements repo.Tail.
func (c *cache) Rows(_ context.Context, rows []repo.Row) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, row := range rows {
		for _, t := range row.Touches {
			c.touched[t.Topic] = row.Cursor.Seq
		}
	}
	if len(c.touched) > maxTouched {
		c.clear()
		c.floor = rows[len(rows)-1].Cursor.Seq
	}
}

// maxTouched bounds the memory of touched topics.
const maxTouched = 50_000

// Reset implements repo.Tail.
func (c *cache) Reset(context.Context, repo.Cursor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	c.floor = 0
	c.epoch++
}

func (c *cache) clear() {
	c.entries, c.recent, c.size = map[address]*list.Element{}, list.New(), 0
	c.touched = map[string]int64{}
}

// get returns the document under key, nil when there is none that is good.
func (c *cache) get(key address) *document {
	c.mu.Lock()
	defer c.mu.Unlock()
	el, ok := c.entries[key]
	if !ok {
		return nil
	}
	e := el.Value.(*entry) //nolint:forcetypeassert // the list holds nothing else
	if !c.good(e.doc.seen, e.topics) {
		c.remove(el)
		return nil
	}
	c.recent.MoveToFront(el)
	return e.doc
}

// good reports whether no write after seen that the cache was told of touches one of
// topics.
func (c *cache) good(seen repo.Cursor, topics []string) bool {
	if seen.Seq < c.floor {
		return false
	}
	for _, t := range topics {
		if c.touched[t] > seen.Seq {
			return false
		}
	}
	return true
}

// stillGood reports whether a page that was rendered in an epoch, kept or not, is good now.
func (c *cache) stillGood(epoch int, seen repo.Cursor, topics []string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return epoch == c.epoch && c.good(seen, topics)
}

// now is to be taken before a rendering begins: put refuses a page that was
// rendered across a rewritten history.
func (c *cache) now() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch
}

func (c *cache) put(epoch int, e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if epoch != c.epoch || e.doc.size() > c.limit/4 || !c.good(e.doc.seen, e.topics) {
		return
	}
	if old, ok := c.entries[e.key]; ok {
		c.remove(old)
	}
	c.entries[e.key] = c.recent.PushFront(e)
	c.size += e.doc.size()
	for c.size > c.limit {
		c.remove(c.recent.Back())
	}
}

func (c *cache) remove(el *list.Element) {
	e := c.recent.Remove(el).(*entry) //nolint:forcetypeassert // the list holds nothing else
	delete(c.entries, e.key)
	c.size -= e.doc.size()
}

// bytesOf renders a component, even when what it says is that time is up.
func bytesOf(ctx context.Context, c templ.Component) ([]byte, error) {
	var buf bytes.Buffer
	if err := c.Render(context.WithoutCancel(ctx), &buf); err != nil {
		return nil, fmt.Errorf("render component: %w", err)
	}
	return buf.Bytes(), nil
}
