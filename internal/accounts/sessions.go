package accounts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"blog/internal/apperr"
	"blog/internal/repo"
)

// SessionLife is how long a session lasts after its start or its last renewal by a POST. Nothing
// else prolongs it.
const SessionLife = 30 * 24 * time.Hour

// SessionRef is the result of a command that starts a session.
type SessionRef struct {
	UserID    int64     `json:"user_id"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Ended is the result of a command that ends sessions.
type Ended struct {
	UserID   int64 `json:"user_id"`
	Sessions int64 `json:"sessions"` // how many
}

// Authorize implements repo.Options.Authorize: it fails with Unauthorized and reason SessionOver
// when the session of the acting user has ended. It runs inside the transaction of each of the
// user's writes.
func Authorize(ctx context.Context, tx *repo.Tx) error {
	_, err := signedIn(ctx, tx)
	return err
}

// signedIn returns the id of the acting user. It fails as Authorize does.
func signedIn(ctx context.Context, tx *repo.Tx) (int64, error) {
	actor := tx.Actor()
	var alive bool
	id, ok := actor.UserID()
	if ok && actor.Session != "" {
		err := tx.QueryRowContext(ctx, `
			SELECT EXISTS (SELECT 1 FROM sessions WHERE token_hash = ? AND user_id = ? AND expires_at > ?)`,
			actor.Session, id, repo.FormatTime(tx.Now())).Scan(&alive)
		if err != nil {
			return 0, fmt.Errorf("find session: %w", err)
		}
	}
	if !alive {
		return 0, &apperr.Error{
			Code: apperr.Unauthorized, Reason: SessionOver, Message: "Your session has ended: sign in again.",
		}
	}
	return id, nil
}

// startSession inserts a session that lasts SessionLife. It fails with Invalid when tokenHash is no
// hash of a token.
func startSession(ctx context.Context, tx *repo.Tx, userID int64, tokenHash, userAgent string) (SessionRef, error) {
	fields := map[string]string{}
	note(fields, "session_hash", checkTokenHash(tokenHash))
	if err := apperr.InvalidFields(fields); err != nil {
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

// endSession ends one session of the user, and closes its sockets by touching its topic. It returns
// how many sessions it ended, 0 or 1.
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

// endSessions ends all sessions of the user and closes their sockets, on every node. It returns how
// many they were.
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

// Redate gives each session that began later than now, under a clock that was ahead, the dates of
// one that begins now, and returns how many there were. They could otherwise last for years.
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

// Login is the command that starts a session of a user. The sending node has checked the password
// against its own copy, at Revision. It fails with Unauthorized and reason WrongLogin when the user
// has another revision or is not there.
type Login struct {
	UserID      int64  `json:"user_id"`
	Revision    int64  `json:"revision"`
	SessionHash string `json:"session_hash"`
	UserAgent   string `json:"user_agent,omitempty"`
	// Replaces is the token hash of the session that this browser had. That session ends.
	Replaces string `json:"replaces,omitempty"`
	// Rehash is the same password, hashed at the present cost; "" when the stored hash has that
	// cost.
	Rehash string `json:"rehash,omitempty"`
}

// Name returns "accounts.login".
func (Login) Name() string { return "accounts.login" }

// Public implements repo.Public: a visitor may sign in.
func (Login) Public() {}

// pruneSessions is how many expired sessions one login removes at most.
const pruneSessions = 100

// Apply starts the session, and removes expired sessions of all users.
func (c Login) Apply(ctx context.Context, tx *repo.Tx) (SessionRef, error) {
	u, err := ByID(ctx, tx, c.UserID)
	if errors.Is(err, apperr.NotFound) || (err == nil && u.Revision != c.Revision) {
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
		// The revision stays as it is, because the password is the same.
		if _, err := tx.ExecContext(ctx, "UPDATE users SET password_hash = ? WHERE id = ?", c.Rehash, u.ID); err != nil {
			return SessionRef{}, fmt.Errorf("store rehashed password: %w", err)
		}
	}
	return startSession(ctx, tx, u.ID, c.SessionHash, c.UserAgent)
}

// errWrong returns the error for every login that fails. It does not say whether address or
// password was wrong.
func errWrong() error {
	return &apperr.Error{
		Code: apperr.Unauthorized, Reason: WrongLogin, Message: "The e-mail address or the password is wrong.",
	}
}

// Renew is the command that replaces the acting session by a new one with another token and
// SessionLife.
type Renew struct {
	SessionHash string `json:"session_hash"`
	UserAgent   string `json:"user_agent,omitempty"`
}

// Name returns "accounts.renew".
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

// Logout is the command that ends the acting session.
type Logout struct{}

// Name returns "accounts.logout".
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

// LogoutAll is the command that ends all sessions of a user: of the acting user, or, for the
// operator, of the user with Email.
type LogoutAll struct {
	Email string `json:"email,omitempty"`
}

// Name returns "accounts.logout_all".
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

// subject returns the user that a command changes. The operator names one by email; a user may name
// nobody, which means the acting user.
func subject(ctx context.Context, tx *repo.Tx, email string) (User, error) {
	if tx.Actor().Name == repo.Operator {
		u, err := UserByEmail(ctx, tx, email)
		if errors.Is(err, apperr.NotFound) {
			return u, apperr.Errorf(apperr.NotFound, "There is no author with the address %s: `blog user list` shows all.",
				NormalEmail(email))
		}
		return u, err
	}
	if _, ok := tx.Actor().UserID(); !ok || email != "" {
		return User{}, errOperator()
	}
	id, err := signedIn(ctx, tx)
	if err != nil {
		return User{}, err
	}
	return ByID(ctx, tx, id)
}

// PasswordRef is the result of SetPassword.
type PasswordRef struct {
	UserID   int64 `json:"user_id"`
	Revision int64 `json:"revision"`
	// ExpiresAt is the end of the new session, or nil without one.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// SetPassword is the command that sets a new password of a user and ends all their sessions. A user
// sends the revision at which the sending node has checked the current password; with another one
// the command fails with Invalid for the field current. The operator sends the Email of the user
// instead.
type SetPassword struct {
	Email        string `json:"email,omitempty"`
	Revision     int64  `json:"revision,omitempty"`
	PasswordHash string `json:"password_hash"`
	SessionHash  string `json:"session_hash,omitempty"` // of a new session for the user who changes it; "" starts none
	UserAgent    string `json:"user_agent,omitempty"`
}

// Name returns "accounts.password".
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
	if err = apperr.InvalidFields(fields); err != nil {
		return PasswordRef{}, err
	}
	ref := PasswordRef{UserID: u.ID, Revision: u.Revision + 1}
	_, err = tx.ExecContext(ctx, "UPDATE users SET password_hash = ?, password_revision = ? WHERE id = ?", c.PasswordHash,
		ref.Revision, u.ID)
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
