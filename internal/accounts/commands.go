package accounts

import (
	"context"
	"errors"
	"fmt"

	"blog/internal/apperr"
	"blog/internal/repo"
)

// Commands returns the commands of this package, for repo.NewRegistry.
func Commands() []repo.Registration {
	return []repo.Registration{
		repo.Register[OfferSetup, Done](),
		repo.Register[Setup, SessionRef](),
		repo.Register[Create, UserRef](),
		repo.Register[SetPassword, PasswordRef](),
		repo.Register[Login, SessionRef](),
		repo.Register[Confirm, Done](),
		repo.Register[Renew, SessionRef](),
		repo.Register[Logout, Ended](),
		repo.Register[LogoutAll, Ended](),
	}
}

// Reasons of this package's errors.
const (
	SetupDone   = "setup_done"   // Conflict: there is an author already, so nobody can be the first
	WrongLogin  = "wrong_login"  // Unauthorized: the address or the password is wrong
	Unconfirmed = "unconfirmed"  // Unavailable: the password does not fit this copy, which may be behind
	SessionOver = "session_over" // Unauthorized: the actor's session has ended
	Limited     = "limited"      // Unavailable (HTTP 429): too many attempts; RetryAfter says when the next one is allowed
)

// Done is the empty result of a command.
type Done struct{}

// UserRef is the result of Create.
type UserRef struct {
	ID int64 `json:"id"`
}

// OfferSetup is the command that stores the hash of the one-time token for the first author, in
// place of the one before. Only the primary's SetupTask may run it. It fails with Conflict and
// reason SetupDone once there is an author.
type OfferSetup struct {
	TokenHash string `json:"token_hash"`
}

// Name returns "accounts.offer_setup".
func (OfferSetup) Name() string { return "accounts.offer_setup" }

// Apply implements repo.Command.
func (c OfferSetup) Apply(ctx context.Context, tx *repo.Tx) (Done, error) {
	if tx.Actor().Name != repo.System {
		return Done{}, apperr.Errorf(apperr.Forbidden, "Only the primary itself offers the link for the first author.")
	}
	if err := noAuthorYet(ctx, tx); err != nil {
		return Done{}, err
	}
	fields := map[string]string{}
	note(fields, "token_hash", checkTokenHash(c.TokenHash))
	if err := apperr.InvalidFields(fields); err != nil {
		return Done{}, err
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO setup (id, token_hash, created_at)
		VALUES (1, ?, ?)
		ON CONFLICT (id) DO UPDATE SET token_hash = excluded.token_hash, created_at = excluded.created_at`,
		c.TokenHash, repo.FormatTime(tx.Now()))
	if err != nil {
		return Done{}, fmt.Errorf("offer setup: %w", err)
	}
	return Done{}, nil
}

// noAuthorYet fails with Conflict and reason SetupDone when there is an author.
func noAuthorYet(ctx context.Context, rd repo.Reader) error {
	found, err := AnyAuthor(ctx, rd)
	if err == nil && found {
		return &apperr.Error{Code: apperr.Conflict, Reason: SetupDone, Message: "There is an author already: sign in."}
	}
	return err
}

// Offered reports whether a one-time link with this token hash can still be used.
func Offered(ctx context.Context, rd repo.Reader, tokenHash string) (bool, error) {
	var yes bool
	err := rd.QueryRowContext(ctx, `
		SELECT EXISTS (SELECT 1 FROM setup WHERE token_hash = ?)
			AND NOT EXISTS (SELECT 1 FROM users)`, tokenHash).Scan(&yes)
	if err != nil {
		return false, fmt.Errorf("find the setup link: %w", err)
	}
	return yes, nil
}

// Setup is the command that makes the first author, with the token of the one-time link, and starts
// a session. It fails with Conflict and reason SetupDone when there is an author, and with Invalid
// for the field token when the token is not the stored one.
type Setup struct {
	TokenHash    string `json:"token_hash"` // of the token in the link
	Email        string `json:"email"`
	FullName     string `json:"name"`
	PasswordHash string `json:"password_hash"`
	SessionHash  string `json:"session_hash"` // of the token of the new session
	UserAgent    string `json:"user_agent,omitempty"`
}

// Name returns "accounts.setup".
func (Setup) Name() string { return "accounts.setup" }

// Public implements repo.Public: nobody can be signed in yet.
func (Setup) Public() {}

// Apply implements repo.Command.
func (c Setup) Apply(ctx context.Context, tx *repo.Tx) (SessionRef, error) {
	if err := noAuthorYet(ctx, tx); err != nil {
		return SessionRef{}, err
	}
	offered, err := Offered(ctx, tx, c.TokenHash)
	if err != nil {
		return SessionRef{}, err
	}
	if !offered {
		return SessionRef{}, errLink()
	}
	id, err := insertUser(ctx, tx, c.Email, c.FullName, c.PasswordHash)
	if err != nil {
		return SessionRef{}, err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM setup"); err != nil {
		return SessionRef{}, fmt.Errorf("close setup: %w", err)
	}
	return startSession(ctx, tx, id, c.SessionHash, c.UserAgent)
}

// errLink returns the error for a token that is not the stored one.
func errLink() error {
	return apperr.InvalidFields(map[string]string{
		"token": "is not the newest link: the primary printed that when it started",
	})
}

// Create is the command that makes another author. Only the operator may run it.
type Create struct {
	Email        string `json:"email"`
	FullName     string `json:"name"`
	PasswordHash string `json:"password_hash"`
}

// Name returns "accounts.create".
func (Create) Name() string { return "accounts.create" }

// Apply implements repo.Command.
func (c Create) Apply(ctx context.Context, tx *repo.Tx) (UserRef, error) {
	if tx.Actor().Name != repo.Operator {
		return UserRef{}, errOperator()
	}
	id, err := insertUser(ctx, tx, c.Email, c.FullName, c.PasswordHash)
	if err != nil {
		return UserRef{}, err
	}
	// The one-time link is not valid once there is an author.
	if _, err := tx.ExecContext(ctx, "DELETE FROM setup"); err != nil {
		return UserRef{}, fmt.Errorf("close setup: %w", err)
	}
	return UserRef{ID: id}, nil
}

func errOperator() error {
	return apperr.Errorf(apperr.Forbidden, "Only the operator may do that, with `blog user`.")
}

// insertUser checks the fields and inserts a user. It fails with Invalid, by field.
func insertUser(ctx context.Context, tx *repo.Tx, email, name, passwordHash string) (int64, error) {
	email, name = NormalEmail(email), normalName(name)
	fields := checkAuthor(email, name)
	note(fields, "password_hash", checkDigest(passwordHash))
	if fields["email"] == "" {
		_, err := UserByEmail(ctx, tx, email)
		switch {
		case err == nil:
			fields["email"] = "is another author's"
		case !errors.Is(err, apperr.NotFound):
			return 0, err
		}
	}
	if err := apperr.InvalidFields(fields); err != nil {
		return 0, err
	}
	var id int64
	err := tx.QueryRowContext(ctx, `
		INSERT INTO users (email, name, password_hash, password_revision, created_at)
		VALUES (?, ?, ?, 1, ?)
		RETURNING id`, email, name, passwordHash, repo.FormatTime(tx.Now())).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("insert user: %w", err)
	}
	return id, nil
}
