package accounts

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"blog/internal/repo"
)

// Store is what the service needs of the repository.
type Store interface {
	repo.Writer
	View(ctx context.Context, fn func(rd repo.Reader) error) error
}

// Service is what web's handlers call: it hashes and checks passwords on this
// node, limits attempts and makes tokens. The actor is that of ctx.
type Service struct {
	store   Store
	hasher  *Hasher
	limiter *Limiter
	now     func() time.Time
}

// NewService returns the service of this node.
func NewService(store Store, hasher *Hasher, limiter *Limiter, now func() time.Time) *Service {
	return &Service{store: store, hasher: hasher, limiter: limiter, now: now}
}

// Signed is a session that has just begun. Token is for the cookie, and nowhere
// else to be found.
type Signed struct {
	Token     string
	UserID    int64
	ExpiresAt time.Time
	Receipt   repo.Receipt
}

// Session returns who is signed in with token, or a NotFound error.
func (s *Service) Session(ctx context.Context, token string) (u User, session Session, err error) {
	err = s.store.View(ctx, func(rd repo.Reader) error {
		u, session, err = SessionUser(ctx, rd, HashToken(token), s.now())
		return err
	})
	return u, session, err
}

// LoginInput is what a login has. Addr is ClientAddr's.
type LoginInput struct {
	Email, Password string
	Addr            netip.Addr
	UserAgent       string
	OldToken        string // of a session that this browser still had; it ends
}

// Login starts a session. Whichever half is wrong, and for an unknown account
// too, the error is the same Unauthorized with the reason WrongLogin, after the
// same work. Too many attempts: Limited.
func (s *Service) Login(ctx context.Context, in LoginInput) (Signed, error) {
	if err := s.limiter.Try(in.Email, in.Addr); err != nil {
		return Signed{}, err
	}
	u, stale, err := s.check(ctx, in.Email, in.Password)
	if err != nil {
		if !errors.Is(err, repo.Unauthorized) {
			s.limiter.GiveBack(in.Email, in.Addr)
		}
		return Signed{}, err
	}
	token := NewToken()
	cmd := Login{UserID: u.ID, Revision: u.Revision, SessionHash: HashToken(token), UserAgent: shortAgent(in.UserAgent)}
	if in.OldToken != "" {
		cmd.Replaces = HashToken(in.OldToken)
	}
	if stale {
		if cmd.Rehash, err = s.hasher.Hash(ctx, in.Password, repo.NewKey()); err != nil {
			s.limiter.GiveBack(in.Email, in.Addr)
			return Signed{}, err
		}
	}
	// As a visitor: a session that has ended must not stand in the way of a new one.
	ref, receipt, err := repo.Do(repo.As(ctx, repo.Actor{Name: repo.Visitor}), s.store, cmd)
	if errors.Is(err, repo.Unauthorized) {
		return Signed{}, errWrong()
	}
	s.limiter.Succeeded(in.Email, in.Addr)
	return signed(token, ref, receipt), err
}

func signed(token string, ref SessionRef, receipt repo.Receipt) Signed {
	return Signed{Token: token, UserID: ref.UserID, ExpiresAt: ref.ExpiresAt, Receipt: receipt}
}

// check compares the password with this node's copy. The read transaction is
// over before the slow part begins.
func (s *Service) check(ctx context.Context, email, password string) (u User, stale bool, err error) {
	var hash string
	err = s.store.View(ctx, func(rd repo.Reader) error {
		u, hash, err = credentials(ctx, rd, NormalEmail(email))
		return err
	})
	if err != nil && !errors.Is(err, repo.NotFound) {
		return u, false, err
	}
	ok, stale, err := s.hasher.Verify(ctx, hash, password)
	if err == nil && !ok {
		err = errWrong()
	}
	return u, stale, err
}

// SetupInput is what the form behind the one-time link has.
type SetupInput struct {
	Token                 string // the link's
	Email, Name, Password string
	Addr                  netip.Addr
	UserAgent             string
}

// SetupOpen reports whether the one-time link with token can still make the
// first author, as far as this node's copy knows. A SetupDone error says that
// there is one.
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

// Setup makes the first author and signs them in. Invalid has the fields token,
// email, name and password; Conflict with SetupDone says that there is an author.
func (s *Service) Setup(ctx context.Context, in SetupInput) (Signed, error) {
	if _, err := s.SetupOpen(ctx, in.Token); err != nil {
		return Signed{}, err
	}
	fields := checkAuthor(NormalEmail(in.Email), normalName(in.Name))
	note(fields, "password", CheckPassword(in.Password, in.Email))
	if err := repo.InvalidFields(fields); err != nil {
		return Signed{}, err
	}
	// Only what is about to cost a hash is an attempt: a typing error is none.
	if err := s.limiter.TryAddr(in.Addr); err != nil {
		return Signed{}, err
	}
	key := repo.NewKey()
	hash, err := s.hasher.Hash(ctx, in.Password, key)
	if err != nil {
		return Signed{}, err
	}
	token := NewToken()
	ref, receipt, err := repo.Do(repo.As(ctx, repo.Actor{Name: repo.Visitor}), s.store, Setup{
		TokenHash: HashToken(in.Token), Email: NormalEmail(in.Email), FullName: normalName(in.Name),
		PasswordHash: hash, SessionHash: HashToken(token), UserAgent: shortAgent(in.UserAgent),
	}, repo.WithKey(key))
	return signed(token, ref, receipt), err
}

// Renew gives the acting session a new token and 30 more days.
func (s *Service) Renew(ctx context.Context, userAgent string) (Signed, error) {
	token := NewToken()
	ref, receipt, err := repo.Do(ctx, s.store, Renew{SessionHash: HashToken(token), UserAgent: shortAgent(userAgent)})
	return signed(token, ref, receipt), err
}

// Logout ends the acting session. One that has ended already is no error.
func (s *Service) Logout(ctx context.Context) (repo.Receipt, error) {
	_, receipt, err := repo.Do(ctx, s.store, Logout{})
	if errors.Is(err, repo.Unauthorized) {
		err = nil
	}
	return receipt, err
}

// LogoutAll ends all sessions of the acting user.
func (s *Service) LogoutAll(ctx context.Context) (Ended, repo.Receipt, error) {
	return repo.Do(ctx, s.store, LogoutAll{})
}

// PasswordInput is what a change of the acting user's password has.
type PasswordInput struct {
	Current, Password string
	Addr              netip.Addr
	UserAgent         string
}

// ChangePassword gives the acting user a new password, ends all their sessions
// and starts a new one for who has changed it. Invalid has the fields current
// and password. Guessing at the current one is limited like a login, apart from
// those: strangers who guess there cannot keep an author from changing it.
func (s *Service) ChangePassword(ctx context.Context, in PasswordInput) (Signed, error) {
	u, err := s.acting(ctx)
	if err != nil {
		return Signed{}, err
	}
	fields := map[string]string{}
	note(fields, "password", CheckPassword(in.Password, u.Email))
	if err = repo.InvalidFields(fields); err != nil {
		return Signed{}, err
	}
	guessedAt := own(u.ID)
	if err = s.limiter.try(guessedAt, in.Addr); err != nil {
		return Signed{}, err
	}
	u, _, err = s.check(ctx, u.Email, in.Current)
	switch {
	case errors.Is(err, repo.Unauthorized):
		return Signed{}, repo.InvalidFields(map[string]string{"current": "is not your present password"})
	case err != nil:
		s.limiter.undo(guessedAt, in.Addr)
		return Signed{}, err
	}
	s.limiter.succeeded(guessedAt, in.Addr)
	key := repo.NewKey()
	hash, err := s.hasher.Hash(ctx, in.Password, key)
	if err != nil {
		return Signed{}, err
	}
	token := NewToken()
	ref, receipt, err := repo.Do(ctx, s.store, SetPassword{
		Revision: u.Revision, PasswordHash: hash, SessionHash: HashToken(token), UserAgent: shortAgent(in.UserAgent),
	}, repo.WithKey(key))
	out := Signed{Token: token, UserID: ref.UserID, Receipt: receipt}
	if ref.ExpiresAt != nil {
		out.ExpiresAt = *ref.ExpiresAt
	}
	return out, err
}

// acting returns the user that acts in ctx, by this node's copy.
func (s *Service) acting(ctx context.Context) (u User, err error) {
	id, ok := UserOf(repo.ActorOf(ctx))
	if !ok {
		return u, repo.Errorf(repo.Unauthorized, "Sign in first.")
	}
	err = s.store.View(ctx, func(rd repo.Reader) error {
		u, err = ByID(ctx, rd, id)
		return err
	})
	return u, err
}
