//go:build linux

package mount

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/superfly/litefs"
)

// Files in data.dir. LiteFS itself uses dbs, clusterid and, in older releases, id; it leaves the others alone.
const (
	identityFile  = "nodeid"
	clusterIDFile = "clusterid"
)

// identity is what data.dir says about the node. The id names the data, not the machine: with the disk it goes away,
// and so it does with a database that the id had (databases.go).
type identity struct {
	dir string
	log *slog.Logger

	mu       sync.Mutex
	current  string          // the id
	recorded map[string]bool // databases that are known to be in the record under this id
	first    chan error      // gets the outcome of the first check
	handed   bool            // the child knows the id
	replaced chan struct{}   // closed when the id has become another one after that
}

// openIdentity reads the id of a data directory and makes it where there is none.
func openIdentity(dir string, logger *slog.Logger) (*identity, error) {
	path := filepath.Join(dir, identityFile)
	text, err := os.ReadFile(filepath.Clean(path))
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeIdentity(path); err == nil {
			text, err = os.ReadFile(filepath.Clean(path))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the node's id in data.dir: %w", err)
	}
	id := strings.TrimSpace(string(text))
	if raw, err := hex.DecodeString(id); err != nil || len(raw) != idBytes {
		return nil, fmt.Errorf("%s is damaged; remove it, and this node comes back as one that has to catch up first", path)
	}
	i := &identity{
		dir: dir, log: logger, current: id, recorded: map[string]bool{}, first: make(chan error, 1),
		replaced: make(chan struct{}),
	}
	if _, err := i.readRecord(); err != nil { // found out before anything is started
		return nil, err
	}
	return i, nil
}

// id returns the node's id.
func (i *identity) id() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.current
}

// hand returns the id for the child. It is given once: when the id becomes another one after that, replaced is closed.
func (i *identity) hand() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.handed = true
	return i.current
}

const idBytes = 16

// makeIdentity makes a random id. A file that has come into being meanwhile stays: two processes that are started on
// one directory by mistake must agree, or the one that goes on would be somebody else after its next start.
func makeIdentity(path string) error {
	temp, err := writeTemp(path, newID()+"\n")
	if err != nil {
		return err
	}
	err = os.Link(temp, path)
	if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	return errors.Join(err, os.Remove(temp), syncDir(filepath.Dir(path)))
}

func newID() string {
	raw := make([]byte, idBytes)
	_, _ = rand.Read(raw) // it never fails
	return hex.EncodeToString(raw)
}

// clusterID returns the id of the cluster that the data belongs to; "" means that there is no data yet.
func (i *identity) clusterID() (string, error) {
	text, err := os.ReadFile(filepath.Join(i.dir, clusterIDFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("the cluster's id in data.dir: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// setClusterID writes the cluster's id in LiteFS's own form. LiteFS would do so only after Consul has it, and a node
// that dies between the two could never be primary again: it would have no id and Consul one.
func (i *identity) setClusterID(id string) error {
	if err := litefs.ValidateClusterID(id); err != nil {
		return err
	}
	return replaceFile(filepath.Join(i.dir, clusterIDFile), id+"\n")
}

// replaceFile makes text the content of the file at path, which is never half written, not even after a power cut.
func replaceFile(path, text string) error {
	temp, err := writeTemp(path, text)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return syncDir(filepath.Dir(path))
}

// writeTemp writes text to a new file next to path and syncs it.
func writeTemp(path, text string) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// syncDir makes the names in dir survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
