package accounts

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

const tokenBytes = 32

// NewToken returns a new secret of 256 random bits, in base64url.
func NewToken() string {
	var b [tokenBytes]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// HashToken returns what is stored of a token: its SHA-256 in lower-case hex. A hash without salt
// is enough for a secret of 256 random bits.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// isTokenHash reports whether s is a result of HashToken. The check prevents that a plain token is
// stored by mistake.
func isTokenHash(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size && hex.EncodeToString(b) == s
}

func checkTokenHash(s string) string {
	if !isTokenHash(s) {
		return "must be a SHA-256 in hex"
	}
	return ""
}
