package accounts

import (
	"context"
	"errors"
	"fmt"

	"blog/internal/repo"
)

// Commands returns this package's commands for repo.NewRegistry.
func Commands() []repo.Registration {
	return []repo.Registration{
		repo.Register[OfferSetup, Done](),
		repo.Register[Setup, SessionRef](),
		repo.Register[Create, UserRef](),
		repo.Register[SetPassword, PasswordRef](),
		repo.Register[Login, SessionRef](),
		repo.Register[Renew, SessionRef](),
		repo.Register[Logout, Ended](),
		repo.Register[LogoutAll, Ended](),
	}
}

// Reasons of this package's errors.
const (
	SetupDone   = "setup_done"   // Conflict: there is an author, so nobody can be the first
	WrongLogin  = "wrong_login"  // Unauthorized: the address or the password is wrong
	SessionOver = "session_over" // Unauthorized: the actor's session has ended
	Limited     = "limited"      // Unavailable, for HTTP 429: too many attempts; RetryAfter says when
)

// Done is the result of a command that has nothing to tell.
type Done struct{}

// UserRef names a user.
type UserRef struct {
	ID int64 `json:"id"`
}

// OfferSetup stores the hash of the one-time token for the first author, in
// place of the one before. Only the primary itself does that (SetupTask); it is
// refused with SetupDone once there is an author.
type OfferSetup struct {
	TokenHash string `json:"token_hash"`
}

// Name implements repo.Command.
func (OfferSetup) Name() string { return "accounts.offer_setup" }

// Apply implements repo.Command.
func (c OfferSetup) Apply(ctx context.Context, tx *repo.Tx) (Done, error) {
	if tx.Actor().Name != repo.System {
		return Done{}, repo.Errorf(repo.Forbidden, "Only the primary itself offers the link for the first author.")
	}
	if err := noAuthorYet(ctx, tx); err != nil {
		return Done{}, err
	}
	fields := map[string]string{}
	note(fields, "token_hash", checkTokenHash(c.TokenHash))
	if err := repo.InvalidFields(fields); err != nil {
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

func noAuthorYet(ctx context.Context, rd repo.Reader) error {
	found, err := AnyAuthor(ctx, rd)
	if err == nil && found {
		return &repo.Error{Code: repo.Conflict, Reason: SetupDone, Message: "There is an author already: sign in."}
	}
	return err
}

// Offered reports whether a one-time link with that token hash is open.
func Offered(ctx context.Context, rd repo.Reader, tokenHash string) (bool, error) {
	var yes bool
	err := rd.QueryRowContext(ctx, `
		SELECT EXISTS (SELECT 1 FROM setup WHERE token_hash = ?)
			AND NOT EXISTS (SELECT 1 FROM users)`, tokenHash).Scan(&yes)
	if err != nil {
		return false, fmt.Errorf("look for the setup link: %w", err)
	}
	return yes, nil
}

// Setup makes the first author, by the one-time link, and signs them in.
type Setup struct {
	TokenHash    string `json:"token_hash"` // of the link's token
	Email        string `json:"email"`
	FullName     string `json:"name"`
	PasswordHash string `json:"password_hash"`
	SessionHash  string `json:"session_hash"` // of the new session's token
	UserAgent    string `json:"user_agent,omitempty"`
}

// Name implements repo.Command.
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

func errLink() error {
	return repo.InvalidFields(map[string]string{"token": "is not the newest link: the primary printed that when it started"})
}

// Create makes a further author. It is the operator's.
type Create struct {
	Email        string `json:"email"`
	FullName     string `json:"name"`
	PasswordHash string `json:"password_hash"`
}

// Name implements repo.Command.
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
	// With an author, the one-time link is void.
	if _, err := tx.ExecContext(ctx, "DELETE FROM setup"); err != nil {
		return UserRef{}, fmt.Errorf("close setup: %w", err)
	}
	return UserRef{ID: id}, nil
}

func errOperator() error {
	return repo.Errorf(repo.Forbidden, "Only the operator may do that, with `blog user`.")
}

func insertUser(ctx context.Context, tx *repo.Tx, email, name, passwordHash string) (int64, error) {
	email, name = NormalEmail(email), normalName(name)
	fields := checkAuthor(email, name)
	note(fields, "password_hash", checkDigest(passwordHash))
	if fields["email"] == "" {
		_, err := UserByEmail(ctx, tx, email)
		switch {
		case err == nil:
			fields["email"] = "is another author's"
		case !errors.Is(err, repo.NotFound):
			return 0, err
		}
	}
	if err := repo.InvalidFields(fields); err != nil {
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
