package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// tokenPath returns the file of the private listener's token, which is used when there is no
// CLUSTER_SECRET.
func tokenPath(database string) string { return database + ".token" }

// Secret returns the secret of calls to the private listener: CLUSTER_SECRET, or the token that a
// server has stored beside the database. It fails when there is neither.
func (c Config) Secret() (string, error) {
	if c.ClusterSecret != "" {
		return c.ClusterSecret, nil
	}
	text, err := os.ReadFile(filepath.Clean(tokenPath(c.DatabasePath)))
	if err != nil {
		return "", fmt.Errorf("token of the private listener: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// makeSecret is Secret, but makes the token when there is none. The caller has the lock of the
// database.
func (c Config) makeSecret() (string, error) {
	secret, err := c.Secret()
	switch {
	case err == nil && len(secret) >= minSecret:
		return secret, c.closeToken()
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	// Renaming makes the file appear as a whole, because the command line may read it at the same
	// time.
	path := tokenPath(c.DatabasePath)
	secret = rand.Text() + rand.Text()
	if err := os.WriteFile(path+".new", []byte(secret+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("token of the private listener: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return "", fmt.Errorf("token of the private listener: %w", err)
	}
	return secret, nil
}

// closeToken removes the access of other users from an existing token file, which may have been
// copied or restored.
func (c Config) closeToken() error {
	if c.ClusterSecret != "" {
		return nil
	}
	path := tokenPath(c.DatabasePath)
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("token of the private listener: %w", err)
	}
	if info.Mode().Perm()&^0o600 == 0 {
		return nil
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return fmt.Errorf("%s can be read by others, and with it anybody can write: its mode must be 0600: %w", path, err)
	}
	return nil
}
