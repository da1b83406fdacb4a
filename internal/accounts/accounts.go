// Package accounts owns the authors: who they are, how they sign in, and for how
// long. Its commands are the only writers of the tables users, sessions and setup.
//
// A plain password never leaves the node that got it: that node checks it
// against its own copy (Service, Hasher) and sends the password's revision along,
// and Apply on the primary refuses an old one. Of a session's token, as of the
// one-time link's, only the SHA-256 is stored and sent.
//
// The package refuses: roles (every user is an author), sessions that slide on a
// GET, cookies and pages (they are web's), and any knowledge of posts.
package accounts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"blog/internal/repo"
)

// User is an author.
type User struct {
	ID        int64     `json:"id"`
	Email     string    `json:"email"` // as NormalEmail returns it
	Name      string    `json:"name"`
	Revision  int64     `json:"revision"` // of the password
	CreatedAt time.Time `json:"created_at"`
}

// Session is one place where a user is signed in.
type Session struct {
	TokenHash string
	UserID    int64
	CreatedAt time.Time
	ExpiresAt time.Time
	UserAgent string // what the browser called itself, at most 200 bytes
}

// Actor returns who acts in this session. A write by it is refused once the
// session has ended (Authorize).
func (s Session) Actor() repo.Actor {
	return repo.Actor{Name: userPrefix + strconv.FormatInt(s.UserID, 10), Session: s.TokenHash}
}

const userPrefix = "user:"

// UserOf returns the id of the user that acts, false when the actor is none.
func UserOf(a repo.Actor) (int64, bool) {
	num, ok := strings.CutPrefix(a.Name, userPrefix)
	id, err := strconv.ParseInt(num, 10, 64)
	return id, ok && err == nil && id > 0
}

// SessionsTopic is the topic that is touched when sessions of a user end before
// their time: with an empty subject all of them, else the one whose SessionID is
// the subject. It is no public topic: nobody may subscribe to it from outside.
func SessionsTopic(userID int64) string { return "sessions:" + strconv.FormatInt(userID, 10) }

// SessionID names a session in a touch of SessionsTopic: the beginning of its
// token's hash, in hex.
func SessionID(tokenHash string) string { return tokenHash[:min(16, len(tokenHash))] }

const userColumns = "u.id, u.email, u.name, u.password_revision, u.created_at"

func (u *User) scan(row interface{ Scan(dest ...any) error }, more ...any) error {
	var created string
	if err := row.Scan(append([]any{&u.ID, &u.Email, &u.Name, &u.Revision, &created}, more...)...); err != nil {
		return err
	}
	var err error
	u.CreatedAt, err = repo.ParseTime(created)
	return err
}

func oneUser(row *sql.Row, more ...any) (User, error) {
	var u User
	err := u.scan(row, more...)
	if errors.Is(err, sql.ErrNoRows) {
		return u, repo.Errorf(repo.NotFound, "There is no such author.")
	}
	if err != nil {
		return u, fmt.Errorf("read user: %w", err)
	}
	return u, nil
}

// ByID returns the user with that id, or a NotFound error.
func ByID(ctx context.Context, rd repo.Reader, id int64) (User, error) {
	return oneUser(rd.QueryRowContext(ctx, "SELECT "+userColumns+" FROM users AS u WHERE u.id = ?", id))
}

// UserByEmail returns the user with that address, however its letters' case was
// typed, or a NotFound error.
func UserByEmail(ctx context.Context, rd repo.Reader, email string) (User, error) {
	u, _, err := credentials(ctx, rd, NormalEmail(email))
	return u, err
}

// credentials returns a user with the hash of the password.
func credentials(ctx context.Context, rd repo.Reader, email string) (u User, hash string, err error) {
	u, err = oneUser(rd.QueryRowContext(ctx, "SELECT "+userColumns+", u.password_hash FROM users AS u WHERE u.email = ?", email), &hash)
	return u, hash, err
}

// First returns the author who came first, or a NotFound error that says how to
// make one.
func First(ctx context.Context, rd repo.Reader) (User, error) {
	u, err := oneUser(rd.QueryRowContext(ctx, "SELECT "+userColumns+" FROM users AS u ORDER BY u.id LIMIT 1"))
	if errors.Is(err, repo.NotFound) {
		return u, repo.Errorf(repo.NotFound, "There is no author yet. Make one with `blog user add EMAIL --name NAME --password-file FILE`, or follow the link that `blog serve` printed at its start.")
	}
	return u, err
}

// AnyAuthor reports whether there is an author.
func AnyAuthor(ctx context.Context, rd repo.Reader) (bool, error) {
	var found bool
	if err := rd.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM users)").Scan(&found); err != nil {
		return false, fmt.Errorf("look for an author: %w", err)
	}
	return found, nil
}

// List returns all authors in the order in which they came.
func List(ctx context.Context, rd repo.Reader) (_ []User, err error) {
	rows, err := rd.QueryContext(ctx, "SELECT "+userColumns+" FROM users AS u ORDER BY u.id")
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	list := []User{}
	for rows.Next() {
		var u User
		if err := u.scan(rows); err != nil {
			return nil, fmt.Errorf("list users: %w", err)
		}
		list = append(list, u)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return list, nil
}

// SessionUser returns the living session with that token hash and its user, or a
// NotFound error when there is none at the time now.
func SessionUser(ctx context.Context, rd repo.Reader, tokenHash string, now time.Time) (User, Session, error) {
	s := Session{TokenHash: tokenHash}
	var created, expires string
	u, err := oneUser(rd.QueryRowContext(ctx, `
		SELECT `+userColumns+`, s.created_at, s.expires_at, s.user_agent
		FROM sessions AS s
		JOIN users AS u ON u.id = s.user_id
		WHERE s.token_hash = ? AND s.expires_at > ?`, tokenHash, repo.FormatTime(now)), &created, &expires, &s.UserAgent)
	if errors.Is(err, repo.NotFound) {
		return u, s, repo.Errorf(repo.NotFound, "There is no such session.")
	}
	if err != nil {
		return u, s, err
	}
	s.UserID = u.ID
	return u, s, s.parseTimes(created, expires)
}

func (s *Session) parseTimes(created, expires string) (err error) {
	if s.CreatedAt, err = repo.ParseTime(created); err != nil {
		return err
	}
	s.ExpiresAt, err = repo.ParseTime(expires)
	return err
}

// maxSessions is how many sessions are listed at the most.
const maxSessions = 100

// Sessions returns the user's living sessions, newest first, 100 at the most.
func Sessions(ctx context.Context, rd repo.Reader, userID int64, now time.Time) (_ []Session, err error) {
	rows, err := rd.QueryContext(ctx, `
		SELECT token_hash, created_at, expires_at, user_agent
		FROM sessions
		WHERE user_id = ? AND expires_at > ?
		ORDER BY created_at DESC, token_hash
		LIMIT ?`, userID, repo.FormatTime(now), maxSessions)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var list []Session
	for rows.Next() {
		s := Session{UserID: userID}
		var created, expires string
		if err := rows.Scan(&s.TokenHash, &created, &expires, &s.UserAgent); err != nil {
			return nil, fmt.Errorf("list sessions: %w", err)
		}
		if err := s.parseTimes(created, expires); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return list, nil
}
