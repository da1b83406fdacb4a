//go:build linux

package mount

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/superfly/litefs"
)

// Files in data.dir. LiteFS itself uses dbs, clusterid and, in older releases, id; it leaves the others alone.
const (
	identityFile  = "nodeid"
	clusterIDFile = "clusterid"
)

// identity is what data.dir says about the node. The id names the data, not the machine: with the disk it goes away.
type identity struct {
	dir string
	id  string
}

// openIdentity reads the id of a data directory and makes it where there is none.
func openIdentity(dir string) (identity, error) {
	path := filepath.Join(dir, identityFile)
	text, err := os.ReadFile(filepath.Clean(path))
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeIdentity(path); err == nil {
			text, err = os.ReadFile(filepath.Clean(path))
		}
	}
	if err != nil {
		return identity{}, fmt.Errorf("the node's id in data.dir: %w", err)
	}
	id := strings.TrimSpace(string(text))
	if raw, err := hex.DecodeString(id); err != nil || len(raw) != idBytes {
		return identity{}, fmt.Errorf("%s is damaged; remove it, and this node comes back as one that has to catch up first", path)
	}
	return identity{dir: dir, id: id}, nil
}

const idBytes = 16

// makeIdentity makes a random id. A file that has come into being meanwhile stays: two processes that are started on
// one directory by mistake must agree, or the one that goes on would be somebody else after its next start.
func makeIdentity(path string) error {
	raw := make([]byte, idBytes)
	if _, err := rand.Read(raw); err != nil {
		return err
	}
	temp, err := writeTemp(path, hex.EncodeToString(raw)+"\n")
	if err != nil {
		return err
	}
	err = os.Link(temp, path)
	if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	return errors.Join(err, os.Remove(temp), syncDir(filepath.Dir(path)))
}

// clusterID returns the id of the cluster that the data belongs to; "" means that there is no data yet.
func (i identity) clusterID() (string, error) {
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
func (i identity) setClusterID(id string) error {
	if err := litefs.ValidateClusterID(id); err != nil {
		return err
	}
	path := filepath.Join(i.dir, clusterIDFile)
	temp, err := writeTemp(path, id+"\n")
	if err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return syncDir(i.dir)
}

// writeTemp writes text, down to the disk, to a new file beside path.
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
