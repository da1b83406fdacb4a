// Package accounts owns the authors: who they are, how they sign in, and how long they stay signed
// in. Only its commands, and Redate, write the tables users, sessions and setup.
//
// A plain password never leaves the node that received it. That node checks the password against
// its own copy (Service, Hasher) and sends the password's revision with the command, and Apply on
// the primary refuses an old revision. A copy that may be behind calls no password wrong: the node
// asks the primary how far it is, and compares again when its copy has come that far (check.go). Of
// a token, of a session or of the one-time link, only the SHA-256 is stored and sent.
//
// The package has no roles (every user is an author), does not prolong a session on a GET, and
// knows neither cookies and pages, which belong to package web, nor posts.
package accounts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"blog/internal/apperr"
	"blog/internal/repo"
)

// User is an author.
type User struct {
	ID        int64     `json:"id"`
	Email     string    `json:"email"` // as NormalEmail returns it
	Name      string    `json:"name"`
	Revision  int64     `json:"revision"` // of the password; each change raises it by one
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

// Actor returns the actor for requests in this session. Authorize refuses their writes once the
// session has ended.
func (s Session) Actor() repo.Actor { return repo.User(s.UserID, s.TokenHash) }

// SessionsTopic returns the topic that is touched when sessions of a user end early. An empty
// subject means all of them; otherwise the subject is the SessionID of one. The topic is not
// public: nobody outside may subscribe to it.
func SessionsTopic(userID int64) string { return "sessions:" + strconv.FormatInt(userID, 10) }

// SessionID returns the name of a session in a touch of SessionsTopic: the first 16 hex digits of
// its token's hash.
func SessionID(tokenHash string) string { return tokenHash[:min(16, len(tokenHash))] }

const userColumns = "u.id, u.email, u.name, u.password_revision, u.created_at"

// scan reads userColumns, and more columns into more.
func (u *User) scan(row interface{ Scan(dest ...any) error }, more ...any) error {
	var created string
	if err := row.Scan(append([]any{&u.ID, &u.Email, &u.Name, &u.Revision, &created}, more...)...); err != nil {
		return err
	}
	var err error
	u.CreatedAt, err = repo.ParseTime(created)
	return err
}

// oneUser reads one user from row. It fails with NotFound when there is no row.
func oneUser(row *sql.Row, more ...any) (User, error) {
	var u User
	err := u.scan(row, more...)
	if errors.Is(err, sql.ErrNoRows) {
		return u, apperr.Errorf(apperr.NotFound, "There is no such author.")
	}
	if err != nil {
		return u, fmt.Errorf("read user: %w", err)
	}
	return u, nil
}

// ByID returns the user with this id. It fails with NotFound when there is none.
func ByID(ctx context.Context, rd repo.Reader, id int64) (User, error) {
	return oneUser(rd.QueryRowContext(ctx, "SELECT "+userColumns+" FROM users AS u WHERE u.id = ?", id))
}

// UserByEmail returns the user with this address, in any letter case. It fails with NotFound when
// there is none.
func UserByEmail(ctx context.Context, rd repo.Reader, email string) (User, error) {
	u, _, err := credentials(ctx, rd, NormalEmail(email))
	return u, err
}

// credentials returns the user with this normal address, and the hash of the password.
func credentials(ctx context.Context, rd repo.Reader, email string) (u User, hash string, err error) {
	u, err = oneUser(rd.QueryRowContext(ctx, "SELECT "+userColumns+", u.password_hash FROM users AS u WHERE u.email = ?",
		email), &hash)
	return u, hash, err
}

// First returns the user with the smallest id. It fails with NotFound, in words that say how to
// make the first author, when there is none.
func First(ctx context.Context, rd repo.Reader) (User, error) {
	u, err := oneUser(rd.QueryRowContext(ctx, "SELECT "+userColumns+" FROM users AS u ORDER BY u.id LIMIT 1"))
	if errors.Is(err, apperr.NotFound) {
		return u, apperr.Errorf(apperr.NotFound,
			"There is no author yet. Make one with `blog user add EMAIL --name NAME --password-file FILE`, or follow the link "+
				"that `blog serve` printed at its start.")
	}
	return u, err
}

// AnyAuthor reports whether there is at least one author.
func AnyAuthor(ctx context.Context, rd repo.Reader) (bool, error) {
	var found bool
	if err := rd.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM users)").Scan(&found); err != nil {
		return false, fmt.Errorf("find an author: %w", err)
	}
	return found, nil
}

// List returns all authors, the oldest first.
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

// SessionUser returns the session with this token hash that has not ended at the time now, and its
// user. It fails with NotFound when there is none.
func SessionUser(ctx context.Context, rd repo.Reader, tokenHash string, now time.Time) (User, Session, error) {
	s := Session{TokenHash: tokenHash}
	var created, expires string
	u, err := oneUser(rd.QueryRowContext(ctx, `
		SELECT `+userColumns+`, s.created_at, s.expires_at, s.user_agent
		FROM sessions AS s
		JOIN users AS u ON u.id = s.user_id
		WHERE s.token_hash = ? AND s.expires_at > ?`, tokenHash, repo.FormatTime(now)), &created, &expires, &s.UserAgent)
	if errors.Is(err, apperr.NotFound) {
		return u, s, apperr.Errorf(apperr.NotFound, "There is no such session.")
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

// maxSessions is the largest number of sessions that Sessions returns.
const maxSessions = 100

// Sessions returns the sessions of the user that have not ended at the time now, newest first, at
// most 100.
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
