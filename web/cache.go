package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"sync"

	"github.com/a-h/templ"
	"github.com/andybalholm/brotli"
	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/klauspost/compress/gzip"

	"blog/internal/repo"
	"blog/web/negotiate"
)

// Limits of the memory for rendered answers, variants included, in bytes. Anybody can ask for any number of different
// searches, so searches have a cache of their own size, from which they can evict no page.
const (
	pageBytes   = 64 << 20
	searchBytes = 8 << 20
)

// caches are the caches of a site as a single tail.
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

// document is a rendered answer with its compressed variants, each of which is made when it is first asked for. Apart
// from them it is immutable.
type document struct {
	contentType []string    // as in a header, to be shared by all answers
	seen        repo.Cursor // newest write that the rendering has read
	identity    variant
	compressed  [2]struct {
		once sync.Once
		v    variant
	}
}

// variant is the bytes of one encoding. The ETag is their hash: it is the same on every node, and it differs between
// encodings and after a release that changes the page.
type variant struct {
	body []byte
	etag string
	// Values of headers, shared by all answers. encoding is nil without one.
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

// smallest is the length in bytes from which compression is worth its cost.
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

// size returns how much of the limit the document uses, in bytes. A compressed variant of text
// takes about a third of it.
func (d *document) size() int { return 2 * len(d.identity.body) }

// cache holds rendered pages for anonymous readers. A page is good until a write touches one of its topics, which the
// feed reports. The cache is a repo.Tail and must be the first: whatever follows a change afterwards then gets the new
// page.
type cache struct {
	limit   int
	running renderings

	mu      sync.Mutex
	size    int
	entries *simplelru.LRU[address, *entry]
	touched map[string]int64 // newest seq that touched a topic, since the start
	floor   int64            // pages that were rendered before this seq are not valid
	epoch   int              // number of rewritten histories
}

// address names a page: its path, decoded as the router has it, and its query in the one form that the page itself
// would link to. They are two fields because in one text the path of /posts%3Fpage=2, which leads nowhere, is the
// address of a page.
type address struct{ path, query string }

type entry struct {
	key    address
	doc    *document
	topics []string
}

func newCache(limit int) *cache {
	c := &cache{limit: limit, running: renderings{byKey: map[address]*rendering{}}, touched: map[string]int64{}}
	// put bounds the bytes, so the number of entries has no bound.
	entries, err := simplelru.NewLRU(math.MaxInt, func(_ address, e *entry) { c.size -= e.doc.size() })
	if err != nil {
		panic(err) // only for a size of 0 or less
	}
	c.entries = entries
	return c
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

// maxTouched limits the number of touched topics in memory.
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
	c.entries.Purge()
	c.touched = map[string]int64{}
}

// get returns the valid document under key, or nil.
func (c *cache) get(key address) *document {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries.Get(key)
	if !ok {
		return nil
	}
	if !c.good(e.doc.seen, e.topics) {
		c.entries.Remove(key)
		return nil
	}
	return e.doc
}

// good reports whether no write after seen touches one of topics, as far as the feed has delivered. The caller holds
// c.mu.
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

// stillGood reports whether a page that was rendered in an epoch, cached or not, is good now.
func (c *cache) stillGood(epoch int, seen repo.Cursor, topics []string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return epoch == c.epoch && c.good(seen, topics)
}

// now returns the epoch. A rendering reads it before it begins, because put refuses a page that was rendered across a
// rewritten history.
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
	c.entries.Remove(e.key) // Add would not subtract the replaced entry
	c.entries.Add(e.key, e)
	c.size += e.doc.size()
	for c.size > c.limit {
		c.entries.RemoveOldest()
	}
}

// bytesOf renders a component, even after ctx has ended, because the component may say that the
// time is over.
func bytesOf(ctx context.Context, c templ.Component) ([]byte, error) {
	var buf bytes.Buffer
	if err := c.Render(context.WithoutCancel(ctx), &buf); err != nil {
		return nil, fmt.Errorf("render component: %w", err)
	}
	return buf.Bytes(), nil
}
