package accounts

import (
	"context"

	"blog/internal/apperr"
	"blog/internal/repo"
)

// NewUser is what `blog user add` needs. Key is an idempotency key; "" means a new one.
type NewUser struct {
	Email, Name, Password string
	Key                   string
}

// AddUser makes an author, as the operator. It hashes the password on this machine. It fails with
// Invalid for the fields email, name and password.
func AddUser(ctx context.Context, w repo.Writer, h *Hasher, in NewUser) (UserRef, repo.Receipt, error) {
	email, name := NormalEmail(in.Email), normalName(in.Name)
	fields := checkAuthor(email, name)
	note(fields, "password", CheckPassword(in.Password, email))
	key := orNewKey(in.Key)
	if err := apperr.InvalidFields(fields); err != nil {
		return UserRef{}, repo.Receipt{Key: key}, err
	}
	hash, err := h.Hash(ctx, in.Password, key)
	if err != nil {
		return UserRef{}, repo.Receipt{Key: key}, err
	}
	return repo.Do(asOperator(ctx), w, Create{Email: email, FullName: name, PasswordHash: hash}, repo.WithKey(key))
}

// ResetPassword sets a new password of the author with this address, as the operator, and ends all
// their sessions. An empty key means a new one.
func ResetPassword(
	ctx context.Context, w repo.Writer, h *Hasher, email, password, key string,
) (PasswordRef, repo.Receipt, error) {
	email, key = NormalEmail(email), orNewKey(key)
	fields := map[string]string{}
	note(fields, "password", CheckPassword(password, email))
	if err := apperr.InvalidFields(fields); err != nil {
		return PasswordRef{}, repo.Receipt{Key: key}, err
	}
	hash, err := h.Hash(ctx, password, key)
	if err != nil {
		return PasswordRef{}, repo.Receipt{Key: key}, err
	}
	return repo.Do(asOperator(ctx), w, SetPassword{Email: email, PasswordHash: hash}, repo.WithKey(key))
}

// LogoutUser ends all sessions of the author with this address, as the operator. An empty key means
// a new one.
func LogoutUser(ctx context.Context, w repo.Writer, email, key string) (Ended, repo.Receipt, error) {
	return repo.Do(asOperator(ctx), w, LogoutAll{Email: NormalEmail(email)}, repo.WithKey(key))
}

func asOperator(ctx context.Context) context.Context {
	return repo.As(ctx, repo.Actor{Name: repo.Operator})
}

func orNewKey(key string) string {
	if key == "" {
		return repo.NewKey()
	}
	return key
}
