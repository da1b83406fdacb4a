package accounts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"blog/internal/repo"
)

// SessionLife is how long a session lasts from its start or its last renewal by
// a POST. Nothing else makes it longer.
const SessionLife = 30 * 24 * time.Hour

// SessionRef is the result of what starts a session.
type SessionRef struct {
	UserID    int64     `json:"user_id"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Ended is the result of what ends sessions.
type Ended struct {
	UserID   int64 `json:"user_id"`
	Sessions int64 `json:"sessions"` // how many
}

// Authorize is repo.Options.Authorize: it refuses a user whose session does not
// live, inside the transaction of each of their writes.
func Authorize(ctx context.Context, tx *repo.Tx) error {
	_, err := signedIn(ctx, tx)
	return err
}

// signedIn returns the id of the acting user.
func signedIn(ctx context.Context, tx *repo.Tx) (int64, error) {
	actor := tx.Actor()
	var alive bool
	id, ok := UserOf(actor)
	if ok && actor.Session != "" {
		err := tx.QueryRowContext(ctx, `
			SELECT EXISTS (SELECT 1 FROM sessions WHERE token_hash = ? AND user_id = ? AND expires_at > ?)`,
			actor.Session, id, repo.FormatTime(tx.Now())).Scan(&alive)
		if err != nil {
			return 0, fmt.Errorf("look for session: %w", err)
		}
	}
	if !alive {
		return 0, &repo.Error{Code: repo.Unauthorized, Reason: SessionOver, Message: "Your session has ended: sign in again."}
	}
	return id, nil
}

func startSession(ctx context.Context, tx *repo.Tx, userID int64, tokenHash, userAgent string) (SessionRef, error) {
	fields := map[string]string{}
	note(fields, "session_hash", checkTokenHash(tokenHash))
	if err := repo.InvalidFields(fields); err != nil {
		return SessionRef{}, err
	}
	ends := tx.Now().Add(SessionLife)
	_, err := tx.ExecContext(ctx, `
		INSERT INTO sessions (token_hash, user_id, created_at, expires_at, user_agent)
		VALUES (?, ?, ?, ?, ?)`,
		tokenHash, userID, repo.FormatTime(tx.Now()), repo.FormatTime(ends), shortAgent(userAgent))
	if err != nil {
		return SessionRef{}, fmt.Errorf("start session: %w", err)
	}
	return SessionRef{UserID: userID, ExpiresAt: ends}, nil
}

// endSession ends one session of the user, if it lives, and has its sockets closed.
func endSession(ctx context.Context, tx *repo.Tx, userID int64, tokenHash string) (int64, error) {
	res, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE token_hash = ? AND user_id = ?", tokenHash, userID)
	if err != nil {
		return 0, fmt.Errorf("end session: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("end session: %w", err)
	}
	if n > 0 {
		tx.Touch(SessionsTopic(userID), SessionID(tokenHash))
	}
	return n, nil
}

// endSessions ends all sessions of the user and has their sockets closed, on
// every node.
func endSessions(ctx context.Context, tx *repo.Tx, userID int64) (int64, error) {
	res, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE user_id = ?", userID)
	if err != nil {
		return 0, fmt.Errorf("end sessions: %w", err)
	}
	tx.Touch(SessionsTopic(userID), "")
	n, err := res.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("end sessions: %w", err)
	}
	return n, nil
}

// Redate gives sessions that began after now, by a clock that was ahead, the life of one
// that begins now, and returns how many they are. They would else last for years.
func Redate(ctx context.Context, tx *repo.Tx) (int64, error) {
	now := repo.FormatTime(tx.Now())
	res, err := tx.ExecContext(ctx, "UPDATE sessions SET created_at = ?, expires_at = ? WHERE created_at > ?",
		now, repo.FormatTime(tx.Now().Add(SessionLife)), now)
	if err != nil {
		return 0, fmt.Errorf("date sessions: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("date sessions: %w", err)
	}
	return n, nil
}

// Login starts a session of a user whose password was checked by the sending
// node against its own copy, at that revision.
type Login struct {
	UserID      int64  `json:"user_id"`
	Revision    int64  `json:"revision"`
	SessionHash string `json:"session_hash"`
	UserAgent   string `json:"user_agent,omitempty"`
	// Replaces is the token hash of a session that this browser had, which ends.
	Replaces string `json:"replaces,omitempty"`
	// Rehash is the same password hashed at the present cost.
	Rehash string `json:"rehash,omitempty"`
}

// Name implements repo.Command.
func (Login) Name() string { return "accounts.login" }

// Public implements repo.Public.
func (Login) Public() {}

// pruneSessions is how many expired sessions a login removes at the most.
const pruneSessions = 100

// Apply implements repo.Command.
func (c Login) Apply(ctx context.Context, tx *repo.Tx) (SessionRef, error) {
	u, err := ByID(ctx, tx, c.UserID)
	if errors.Is(err, repo.NotFound) || (err == nil && u.Revision != c.Revision) {
		return SessionRef{}, errWrong()
	}
	if err != nil {
		return SessionRef{}, err
	}
	_, err = tx.ExecContext(ctx, `
		DELETE FROM sessions
		WHERE token_hash IN (SELECT token_hash FROM sessions WHERE expires_at <= ? ORDER BY expires_at, token_hash LIMIT ?)`,
		repo.FormatTime(tx.Now()), pruneSessions)
	if err != nil {
		return SessionRef{}, fmt.Errorf("remove expired sessions: %w", err)
	}
	if c.Replaces != "" {
		if _, err := endSession(ctx, tx, u.ID, c.Replaces); err != nil {
			return SessionRef{}, err
		}
	}
	if c.Rehash != "" && checkDigest(c.Rehash) == "" {
		// The revision stays: it is the same password.
		if _, err := tx.ExecContext(ctx, "UPDATE users SET password_hash = ? WHERE id = ?", c.Rehash, u.ID); err != nil {
			return SessionRef{}, fmt.Errorf("store rehashed password: %w", err)
		}
	}
	return startSession(ctx, tx, u.ID, c.SessionHash, c.UserAgent)
}

// errWrong is the one answer to a login that fails, whichever half was wrong.
func errWrong() error {
	return &repo.Error{Code: repo.Unauthorized, Reason: WrongLogin, Message: "The e-mail address or the password is wrong."}
}

// Renew gives the acting session a new token and a full life.
type Renew struct {
	SessionHash string `json:"session_hash"`
	UserAgent   string `json:"user_agent,omitempty"`
}

// Name implements repo.Command.
func (Renew) Name() string { return "accounts.renew" }

// Apply implements repo.Command.
func (c Renew) Apply(ctx context.Context, tx *repo.Tx) (SessionRef, error) {
	id, err := signedIn(ctx, tx)
	if err != nil {
		return SessionRef{}, err
	}
	if _, err := endSession(ctx, tx, id, tx.Actor().Session); err != nil {
		return SessionRef{}, err
	}
	return startSession(ctx, tx, id, c.SessionHash, c.UserAgent)
}

// Logout ends the acting session.
type Logout struct{}

// Name implements repo.Command.
func (Logout) Name() string { return "accounts.logout" }

// Apply implements repo.Command.
func (Logout) Apply(ctx context.Context, tx *repo.Tx) (Ended, error) {
	id, err := signedIn(ctx, tx)
	if err != nil {
		return Ended{}, err
	}
	n, err := endSession(ctx, tx, id, tx.Actor().Session)
	return Ended{UserID: id, Sessions: n}, err
}

// LogoutAll ends all sessions of a user: of the acting one, or for the operator
// of the one with Email.
type LogoutAll struct {
	Email string `json:"email,omitempty"`
}

// Name implements repo.Command.
func (LogoutAll) Name() string { return "accounts.logout_all" }

// Apply implements repo.Command.
func (c LogoutAll) Apply(ctx context.Context, tx *repo.Tx) (Ended, error) {
	u, err := subject(ctx, tx, c.Email)
	if err != nil {
		return Ended{}, err
	}
	n, err := endSessions(ctx, tx, u.ID)
	return Ended{UserID: u.ID, Sessions: n}, err
}

// subject returns whom a command is about: the operator names somebody, a user
// nobody but himself.
func subject(ctx context.Context, tx *repo.Tx, email string) (User, error) {
	if tx.Actor().Name == repo.Operator {
		u, err := UserByEmail(ctx, tx, email)
		if errors.Is(err, repo.NotFound) {
			return u, repo.Errorf(repo.NotFound, "There is no author with the address %s: `blog user list` shows all.", NormalEmail(email))
		}
		return u, err
	}
	if _, ok := UserOf(tx.Actor()); !ok || email != "" {
		return User{}, errOperator()
	}
	id, err := signedIn(ctx, tx)
	if err != nil {
		return User{}, err
	}
	return ByID(ctx, tx, id)
}

// PasswordRef is the result of a change of password.
type PasswordRef struct {
	UserID   int64 `json:"user_id"`
	Revision int64 `json:"revision"`
	// ExpiresAt is when the new session ends, nil when none was asked for.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// SetPassword gives a user a new password and ends all their sessions. A user
// names the revision that the current password was checked against; the operator
// names the user by Email.
type SetPassword struct {
	Email        string `json:"email,omitempty"`
	Revision     int64  `json:"revision,omitempty"`
	PasswordHash string `json:"password_hash"`
	SessionHash  string `json:"session_hash,omitempty"` // of a new session for who has changed it
	UserAgent    string `json:"user_agent,omitempty"`
}

// Name implements repo.Command.
func (SetPassword) Name() string { return "accounts.password" }

// Apply implements repo.Command.
func (c SetPassword) Apply(ctx context.Context, tx *repo.Tx) (PasswordRef, error) {
	u, err := subject(ctx, tx, c.Email)
	if err != nil {
		return PasswordRef{}, err
	}
	fields := map[string]string{}
	note(fields, "password_hash", checkDigest(c.PasswordHash))
	if tx.Actor().Name != repo.Operator && c.Revision != u.Revision {
		note(fields, "current", "has been changed meanwhile")
	}
	if err = repo.InvalidFields(fields); err != nil {
		return PasswordRef{}, err
	}
	ref := PasswordRef{UserID: u.ID, Revision: u.Revision + 1}
	_, err = tx.ExecContext(ctx, "UPDATE users SET password_hash = ?, password_revision = ? WHERE id = ?", c.PasswordHash, ref.Revision, u.ID)
	if err != nil {
		return PasswordRef{}, fmt.Errorf("store password: %w", err)
	}
	if _, err := endSessions(ctx, tx, u.ID); err != nil {
		return PasswordRef{}, err
	}
	if c.SessionHash != "" {
		s, err := startSession(ctx, tx, u.ID, c.SessionHash, c.UserAgent)
		if err != nil {
			return PasswordRef{}, err
		}
		ref.ExpiresAt = &s.ExpiresAt
	}
	return ref, nil
}
