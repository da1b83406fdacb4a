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

// The position cookie carries the newest position that a browser has seen, from
// its own writes or, once it has written or is signed in, from what it read.
// Whichever node gets its next request waits for that row, so nobody sees the
// past after the present. Anonymous readers have none.
const positionCookie = "position"

// writtenCookie carries the position of the browser's newest own write. Of two answers that
// are under way at once a browser keeps the cookies of the one that ends last, so a page
// that was asked for before a write, in another tab, takes the position back to before it;
// only another write replaces this one.
const writtenCookie = "written"

// catchUp bounds the wait for a position to arrive.
const catchUp = 2 * time.Second

// staleHeader says on every answer, of whatever status, that the reader has seen a
// write that is not here, although it was waited for, so that what the answer shows may
// be older than what they have seen: the write's seq. A position in a history that is
// known to be gone is no such thing: nothing is on its way.
const staleHeader = "X-Stale-Read"

// positionLife is as long as a session's.
const positionLife = 30 * 24 * time.Hour

// signer signs the cookie, so that nobody can make a node wait for rows that
// will never be.
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

// reading is what is known of a reader with a position.
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

// position waits for what the reader has seen already, and keeps the cookie at the newest
// of what they have seen. It never goes back within a history: where the reader's row is
// missing the cookie stays, so that every answer says so and a node that has the row is
// asked for it. Only where this node knows that the row is in another history, which is
// given up, does the reader come to this one.
func (s *Site) position(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen, ok := s.seen(r)
		if !ok || r.URL.Path == "/live" {
			next.ServeHTTP(w, r)
			return
		}
		place := s.await(r.Context(), seen)
		if place == repo.Ahead && r.Context().Err() == nil { // who has left gets no answer
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

// await waits for what a reader has seen, unless that has been done in vain a moment ago.
func (s *Site) await(ctx context.Context, seen repo.Cursor) repo.Place {
	feed := s.repo.Feed()
	before := feedState{feed.Position(), feed.Term()}
	if s.absent.known(seen, before, s.now()) {
		return repo.Ahead
	}
	wait, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	place := feed.Wait(wait, seen)
	if place == repo.Ahead && ctx.Err() == nil { // who has left is not given up on
		s.absent.note(seen, before, s.now())
	}
	return place
}

// StaleReads is how many answers since the start have said that something is missing. A
// number and no line in the log: one reader is no event of the node's.
func (s *Site) StaleReads() uint64 { return s.stale.Load() }

// advance moves the cookie of a reader who has one on to c, never back: what an
// answer shows can be newer than where the reader was when it began. Where their own row is
// missing nothing here is known to be newer.
func (s *Site) advance(w http.ResponseWriter, r *http.Request, c repo.Cursor) {
	if rd := readingOf(r.Context()); rd != nil && rd.place != repo.Ahead && c.Seq > rd.at.Seq {
		rd.at = c
		s.setPosition(w, c)
	}
}

// durabilityHeader says on an answer to a write, a refusal too, what it rests on: two,
// alone or local.
const durabilityHeader = "X-Durability"

// rests sets it. A refusal has it as well, so this comes before the error is looked at;
// what rests on nothing, or on nobody knows what, takes away what an earlier write of
// the same request has set.
func rests(w http.ResponseWriter, a repo.Assurance) {
	if a == "" {
		w.Header().Del(durabilityHeader)
		return
	}
	w.Header().Set(durabilityHeader, string(a))
}

// resting is a Writer whose answers are parts of the answer to one request.
type resting struct {
	repo.Writer
	to http.ResponseWriter
}

// Call implements repo.Writer.
func (w resting) Call(ctx context.Context, call *repo.Call) error {
	err := w.Writer.Call(ctx, call)
	rests(w.to, call.Reply.Assurance)
	return err
}

// wrote moves the reader's cookie to a write of theirs. A replayed one may be older than
// what they have seen. One that was carried out now is not, in its history: where its seq
// is not beyond what they have seen, that is in another one, and given up.
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

// seen is the newest position that the browser has, from whichever of its cookies.
func (s *Site) seen(r *http.Request) (repo.Cursor, bool) {
	read, ok := s.positionIn(r, positionCookie)
	if written, also := s.positionIn(r, writtenCookie); also && written.Seq > read.Seq {
		return written, true
	}
	return read, ok
}

// positionIn is the position in one of the browser's cookies.
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

// setPosition sets the cookie, in place of one set earlier in this answer.
func (s *Site) setPosition(w http.ResponseWriter, c repo.Cursor) { s.setCursor(w, positionCookie, c) }

// setCursor sets the cookie with that name, in place of one set earlier in this answer.
func (s *Site) setCursor(w http.ResponseWriter, name string, c repo.Cursor) {
	if c.Zero() {
		return
	}
	s.dropCookie(w, s.cookieName(name))
	http.SetCookie(w, s.cookie(name, s.signer.sign(c.String()), positionLife))
}

// dropCookie takes a cookie out of the answer that was set earlier in it.
func (s *Site) dropCookie(w http.ResponseWriter, name string) {
	kept := w.Header()["Set-Cookie"]
	w.Header().Del("Set-Cookie")
	for _, line := range kept {
		if !strings.HasPrefix(line, name+"=") {
			w.Header().Add("Set-Cookie", line)
		}
	}
}

// cookie returns a cookie for this site. A life of 0 ends it.
func (s *Site) cookie(name, value string, life time.Duration) *http.Cookie {
	//nolint:gosec // without https there is no secure cookie
	c := &http.Cookie{Name: s.cookieName(name), Value: value, Path: "/", HttpOnly: true, Secure: s.secure(), SameSite: http.SameSiteLaxMode, MaxAge: int(life.Seconds())}
	if life == 0 {
		c.MaxAge = -1
	}
	return c
}
