package web

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"blog/internal/repo"
)

// The position cookie holds the newest position that a browser has seen: from its writes or, once it has written or is
// signed in, from what it read. The node that gets its next request waits for that row, so nobody sees the past after
// the present. Anonymous readers have none.
const positionCookie = "position"

// writtenCookie holds the position of the newest write of the browser. Of two simultaneous answers a browser stores the
// cookies of the one that ends last, so a page that another tab asked for before a write resets the position cookie to
// before it. Only another write replaces this cookie.
const writtenCookie = "written"

// staleHeader is on every answer, of whatever status, to a reader who has seen a write that this node has awaited in
// vain: what the answer shows may be older than what they have seen. Its value is the seq of the write. A position in a
// history that is known to have ended does not count: nothing of it can arrive.
const staleHeader = "X-Stale-Read"

// positionLife is how long positions are stored, as long as a session.
const positionLife = 30 * 24 * time.Hour

// signer signs the cookie, so that nobody can make a node wait for rows that will never exist.
type signer struct{ key []byte }

func newSigner(secret string) signer {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte("position cookie, version 1"))
	return signer{m.Sum(nil)}
}

func (s signer) sign(value string) string {
	m := hmac.New(sha256.New, s.key)
	m.Write([]byte(value))
	return value + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:16])
}

func (s signer) open(signed string) (string, bool) {
	value, _, ok := strings.Cut(signed, ".")
	return value, ok && hmac.Equal([]byte(s.sign(value)), []byte(signed))
}

// reading is what is known about a reader with a position.
type reading struct {
	place repo.Place  // of their position in this node's copy, after the wait
	at    repo.Cursor // what they have seen now
}

func readingOf(ctx context.Context) *reading {
	rd, _ := ctx.Value(readingKey).(*reading)
	return rd
}

// missing reports whether something that the reader has seen, such as their own
// newest write, has not arrived here.
func missing(ctx context.Context) bool {
	rd := readingOf(ctx)
	return rd != nil && rd.place == repo.Ahead
}

// position waits for what the reader has seen already and sets the cookie to the newest of what they have seen. The
// cookie never goes back within a history: while the row of the reader is missing it stays, so that every answer says
// so and a node that has the row waits for it. Only where this node knows that the row is in a history that has ended
// does the reader move to this one.
func (s *Site) position(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen, ok := s.seen(r)
		if !ok || r.URL.Path == "/live" {
			next.ServeHTTP(w, r)
			return
		}
		place := s.await(r.Context(), seen)
		if place == repo.Ahead && r.Context().Err() == nil { // a reader who has left gets no answer
			w.Header().Set(staleHeader, strconv.FormatInt(seen.Seq, 10))
			s.stale.Add(1)
		}
		rd := &reading{place: place, at: seen}
		now := s.repo.Feed().Position()
		if place == repo.Elsewhere || place == repo.Here && now.Seq > seen.Seq {
			rd.at = now
			s.setPosition(w, now)
		}
		if written, ok := s.positionIn(r, writtenCookie); place == repo.Elsewhere && ok && written == seen {
			s.setCursor(w, writtenCookie, now)
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), readingKey, rd)))
	})
}

// await waits for what a reader has seen, unless the node has just waited for it in vain.
func (s *Site) await(ctx context.Context, seen repo.Cursor) repo.Place {
	feed := s.repo.Feed()
	before := feedState{feed.Position(), feed.Term()}
	if s.absent.known(seen, before, s.now()) {
		return repo.Ahead
	}
	place := feed.WaitWithin(ctx, s.patience, seen)
	if place == repo.Ahead && ctx.Err() == nil { // a wait that the reader has ended was not in vain
		s.absent.note(seen, before, s.now())
	}
	return place
}

// StaleReads returns how many answers since the start have said that something is missing. They are
// counted and not logged, because a single reader is no event of the node.
func (s *Site) StaleReads() uint64 { return s.stale.Load() }

// advance moves the cookie of a reader who has one to c, and never back: the answer may show
// something newer than the reader had seen at its beginning. When the reader's row is missing it
// does nothing, since nothing here is known to be newer.
func (s *Site) advance(w http.ResponseWriter, r *http.Request, c repo.Cursor) {
	if rd := readingOf(r.Context()); rd != nil && rd.place != repo.Ahead && c.Seq > rd.at.Seq {
		rd.at = c
		s.setPosition(w, c)
	}
}

// durabilityHeader is on each answer to a write, refusals included, and holds its assurance: two, alone or local.
const durabilityHeader = "X-Durability"

// setAssurance sets durabilityHeader. A refusal has an assurance as well, so callers set it before they handle the
// error. Without an assurance, or with an unknown one, it removes what an earlier write of the same request has set.
func setAssurance(w http.ResponseWriter, a repo.Assurance) {
	if a == "" {
		w.Header().Del(durabilityHeader)
		return
	}
	w.Header().Set(durabilityHeader, string(a))
}

// assuring is a Writer for several writes of one request. The answer gets the assurance of each.
type assuring struct {
	repo.Writer
	to http.ResponseWriter
}

// Call implements repo.Writer.
func (w assuring) Call(ctx context.Context, call *repo.Call) error {
	err := w.Writer.Call(ctx, call)
	setAssurance(w.to, call.Reply.Assurance)
	return err
}

// wrote moves the reader's cookie to a write of theirs. A replayed write may be older than what
// they have seen. A write that was just carried out is not, in its history: when its seq is not
// beyond what they have seen, that was in another history, which is given up.
func (s *Site) wrote(w http.ResponseWriter, r *http.Request, receipt repo.Receipt) {
	rd := readingOf(r.Context())
	if rd != nil && receipt.Replayed && receipt.Cursor.Seq < rd.at.Seq {
		return
	}
	if rd != nil {
		rd.at = receipt.Cursor
	}
	s.setPosition(w, receipt.Cursor)
	s.setCursor(w, writtenCookie, receipt.Cursor)
}

// seen returns the newest position in the browser's cookies.
func (s *Site) seen(r *http.Request) (repo.Cursor, bool) {
	read, ok := s.positionIn(r, positionCookie)
	if written, also := s.positionIn(r, writtenCookie); also && written.Seq > read.Seq {
		return written, true
	}
	return read, ok
}

// positionIn returns the position in one of the browser's cookies.
func (s *Site) positionIn(r *http.Request, name string) (repo.Cursor, bool) {
	c, err := r.Cookie(s.cookieName(name))
	if err != nil {
		return repo.Cursor{}, false
	}
	value, ok := s.signer.open(c.Value)
	if !ok {
		return repo.Cursor{}, false
	}
	cursor, err := repo.ParseCursor(value)
	return cursor, err == nil && !cursor.Zero()
}

// setPosition sets the position cookie, in place of one that was set earlier in this answer.
func (s *Site) setPosition(w http.ResponseWriter, c repo.Cursor) { s.setCursor(w, positionCookie, c) }

// setCursor sets the cookie with this name, in place of one that was set earlier in this answer.
func (s *Site) setCursor(w http.ResponseWriter, name string, c repo.Cursor) {
	if c.Zero() {
		return
	}
	s.dropCookie(w, s.cookieName(name))
	http.SetCookie(w, s.cookie(name, s.signer.sign(c.String()), positionLife))
}

// dropCookie removes a cookie that was set earlier in the answer.
func (s *Site) dropCookie(w http.ResponseWriter, name string) {
	cookies := w.Header()["Set-Cookie"]
	w.Header().Del("Set-Cookie")
	for _, line := range cookies {
		if !strings.HasPrefix(line, name+"=") {
			w.Header().Add("Set-Cookie", line)
		}
	}
}

// cookie returns a cookie for this site. A life of 0 ends it.
func (s *Site) cookie(name, value string, life time.Duration) *http.Cookie {
	//nolint:gosec // without https there is no secure cookie
	c := &http.Cookie{
		Name: s.cookieName(name), Value: value, Path: "/", HttpOnly: true, Secure: s.secure(), SameSite: http.SameSiteLaxMode,
		MaxAge: int(life.Seconds()),
	}
	if life == 0 {
		c.MaxAge = -1
	}
	return c
}
