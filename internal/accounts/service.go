package accounts

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"blog/internal/apperr"
	"blog/internal/repo"
)

// Store is the part of the repository that a Service needs.
type Store interface {
	repo.Writer
	View(ctx context.Context, fn func(rd repo.Reader) error) error
}

// Service does what web's handlers need: it hashes and checks passwords on this node, limits
// attempts and makes tokens. The acting user is the one in ctx (repo.As).
type Service struct {
	store   Store
	hasher  *Hasher
	limiter *Limiter
	now     func() time.Time
}

// NewService returns the service of this node. now returns the present time.
func NewService(store Store, hasher *Hasher, limiter *Limiter, now func() time.Time) *Service {
	return &Service{store: store, hasher: hasher, limiter: limiter, now: now}
}

// Signed is a session that has just begun. Token belongs into the cookie and is stored nowhere.
type Signed struct {
	Token     string
	UserID    int64
	ExpiresAt time.Time
	Receipt   repo.Receipt
}

// Session returns the user and the session of token. It fails with NotFound when there is no such
// session.
func (s *Service) Session(ctx context.Context, token string) (u User, session Session, err error) {
	err = s.store.View(ctx, func(rd repo.Reader) error {
		u, session, err = SessionUser(ctx, rd, HashToken(token), s.now())
		return err
	})
	return u, session, err
}

// LoginInput is what a login needs. Addr comes from ClientAddr.
type LoginInput struct {
	Email, Password string
	Addr            netip.Addr
	UserAgent       string
	OldToken        string // of the session that this browser had, which ends; may be empty
}

// Login starts a session. It fails with Unauthorized and reason WrongLogin, after the same work,
// whether the password is wrong or the account unknown; with Unavailable and reason Unconfirmed
// when this node's copy may lack the account or its new password; and with Unavailable and reason
// Limited after too many attempts.
func (s *Service) Login(ctx context.Context, in LoginInput) (Signed, error) {
	if err := s.limiter.Try(in.Email, in.Addr); err != nil {
		return Signed{}, err
	}
	found, err := s.check(ctx, in.Email, in.Password)
	if err != nil {
		if !isAttempt(err) {
			s.limiter.GiveBack(in.Email, in.Addr)
		}
		return Signed{}, err
	}
	token := NewToken()
	cmd := Login{
		UserID: found.user.ID, Revision: found.user.Revision, SessionHash: HashToken(token),
		UserAgent: shortAgent(in.UserAgent),
	}
	if in.OldToken != "" {
		cmd.Replaces = HashToken(in.OldToken)
	}
	if found.stale {
		if cmd.Rehash, err = s.hasher.Hash(ctx, in.Password, repo.NewKey()); err != nil {
			s.limiter.GiveBack(in.Email, in.Addr)
			return Signed{}, err
		}
	}
	// The visitor is the actor, since a session that has ended must not prevent a new one.
	ref, receipt, err := repo.Do(asVisitor(ctx), s.store, cmd)
	s.limiter.written(byEmail(in.Email), in.Addr, err)
	if errors.Is(err, apperr.Unauthorized) {
		return Signed{}, errWrong()
	}
	return signed(token, ref, receipt), err
}

func signed(token string, ref SessionRef, receipt repo.Receipt) Signed {
	return Signed{Token: token, UserID: ref.UserID, ExpiresAt: ref.ExpiresAt, Receipt: receipt}
}

// SetupInput is what the form at the one-time link has.
type SetupInput struct {
	Token                 string // of the link
	Email, Name, Password string
	Addr                  netip.Addr
	UserAgent             string
}

// SetupOpen reports whether the one-time link with token can still be used, according to this
// node's copy. It fails with Conflict and reason SetupDone when there is an author.
func (s *Service) SetupOpen(ctx context.Context, token string) (open bool, err error) {
	err = s.store.View(ctx, func(rd repo.Reader) error {
		if err = noAuthorYet(ctx, rd); err != nil {
			return err
		}
		open, err = Offered(ctx, rd, HashToken(token))
		return err
	})
	return open, err
}

// Setup makes the first author and starts a session. It fails with Invalid for the fields token,
// email, name and password, and with Conflict and reason SetupDone when there is an author.
func (s *Service) Setup(ctx context.Context, in SetupInput) (Signed, error) {
	if _, err := s.SetupOpen(ctx, in.Token); err != nil {
		return Signed{}, err
	}
	fields := checkAuthor(NormalEmail(in.Email), normalName(in.Name))
	note(fields, "password", CheckPassword(in.Password, in.Email))
	if err := apperr.InvalidFields(fields); err != nil {
		return Signed{}, err
	}
	// Input that is not valid does not count as an attempt, since only hashing is costly.
	if err := s.limiter.TryAddr(in.Addr); err != nil {
		return Signed{}, err
	}
	key := repo.NewKey()
	hash, err := s.hasher.Hash(ctx, in.Password, key)
	if err != nil {
		return Signed{}, err
	}
	token := NewToken()
	ref, receipt, err := repo.Do(asVisitor(ctx), s.store, Setup{
		TokenHash: HashToken(in.Token), Email: NormalEmail(in.Email), FullName: normalName(in.Name),
		PasswordHash: hash, SessionHash: HashToken(token), UserAgent: shortAgent(in.UserAgent),
	}, repo.WithKey(key))
	return signed(token, ref, receipt), err
}

// Renew replaces the acting session by one with a new token and 30 more days.
func (s *Service) Renew(ctx context.Context, userAgent string) (Signed, error) {
	token := NewToken()
	ref, receipt, err := repo.Do(ctx, s.store, Renew{SessionHash: HashToken(token), UserAgent: shortAgent(userAgent)})
	return signed(token, ref, receipt), err
}

// Logout ends the acting session. It does not fail when that has ended already.
func (s *Service) Logout(ctx context.Context) (repo.Receipt, error) {
	_, receipt, err := repo.Do(ctx, s.store, Logout{})
	if errors.Is(err, apperr.Unauthorized) {
		err = nil
	}
	return receipt, err
}

// LogoutAll ends all sessions of the acting user, and returns how many there were.
func (s *Service) LogoutAll(ctx context.Context) (Ended, repo.Receipt, error) {
	return repo.Do(ctx, s.store, LogoutAll{})
}

// PasswordInput is what a change of the acting user's password needs.
type PasswordInput struct {
	Current, Password string
	Addr              netip.Addr
	UserAgent         string
}

// ChangePassword sets a new password of the acting user, ends all their sessions and starts a new
// one. It fails with Invalid for the fields current and password, and with Unavailable and reason
// Unconfirmed when the current password does not fit this node's copy, which may be behind. Guesses
// at the current password are limited like logins, but counted apart from them, so strangers who
// guess at the login cannot prevent an author from changing it.
func (s *Service) ChangePassword(ctx context.Context, in PasswordInput) (Signed, error) {
	u, err := s.acting(ctx)
	if err != nil {
		return Signed{}, err
	}
	fields := map[string]string{}
	note(fields, "password", CheckPassword(in.Password, u.Email))
	if err = apperr.InvalidFields(fields); err != nil {
		return Signed{}, err
	}
	guessedAt := byUser(u.ID)
	if err = s.limiter.try(guessedAt, in.Addr); err != nil {
		return Signed{}, err
	}
	found, err := s.check(ctx, u.Email, in.Current)
	switch {
	case errors.Is(err, apperr.Unauthorized):
		return Signed{}, apperr.InvalidFields(map[string]string{"current": "is not your present password"})
	case err != nil:
		if !isAttempt(err) {
			s.limiter.undo(guessedAt, in.Addr)
		}
		return Signed{}, err
	}
	key := repo.NewKey()
	hash, err := s.hasher.Hash(ctx, in.Password, key)
	if err != nil {
		s.limiter.undo(guessedAt, in.Addr)
		return Signed{}, err
	}
	token := NewToken()
	ref, receipt, err := repo.Do(ctx, s.store, SetPassword{
		Revision: found.user.Revision, PasswordHash: hash, SessionHash: HashToken(token), UserAgent: shortAgent(in.UserAgent),
	}, repo.WithKey(key))
	s.limiter.written(guessedAt, in.Addr, err)
	out := Signed{Token: token, UserID: ref.UserID, Receipt: receipt}
	if ref.ExpiresAt != nil {
		out.ExpiresAt = *ref.ExpiresAt
	}
	return out, err
}

// acting returns the user in ctx, from this node's copy.
func (s *Service) acting(ctx context.Context) (u User, err error) {
	id, ok := repo.ActorOf(ctx).UserID()
	if !ok {
		return u, apperr.Errorf(apperr.Unauthorized, "Sign in first.")
	}
	err = s.store.View(ctx, func(rd repo.Reader) error {
		u, err = ByID(ctx, rd, id)
		return err
	})
	return u, err
}
