//go:build linux

package mount

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/superfly/litefs"
	"github.com/superfly/ltx"
)

// recordFile in data.dir names the databases that the node's id has had. Whoever has the id may be in the sync set and
// be elected, so the loss of a database must be noticed: LiteFS itself removes one with a damaged header when it opens
// its store, and then looks like a node that never had one.
const recordFile = "databases"

// record is the content of recordFile. One that another id has written says nothing.
type record struct {
	ID        string   `json:"id"`
	Databases []string `json:"databases"`
}

// check gives the node a new id when a database that the id had is missing, and records the databases that are there.
// It fails, and changes nothing, where they cannot be read.
//
// Only LiteFS's goroutine that follows and elects calls it, before either: nothing of the node uses an id whose
// database is missing, and no database is in the middle of its first copy.
func (i *identity) check() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	err := i.checkLocked()
	select {
	case i.first <- err:
	default: // it is not the first, or nobody has asked for that yet
	}
	return err
}

func (i *identity) checkLocked() error {
	had, err := i.readRecord()
	if err != nil {
		return err
	}
	have, err := databasesIn(filepath.Join(i.dir, "dbs"))
	if err != nil {
		return err
	}
	for _, name := range had {
		if !have[name] {
			return i.replaceLocked(name)
		}
	}
	for _, name := range had {
		i.recorded[name] = true
	}
	for name := range have {
		if err := i.recordLocked(name); err != nil {
			return err
		}
	}
	return nil
}

// replaceLocked gives the node another id, on the disk first.
func (i *identity) replaceLocked(lost string) error {
	id := newID()
	if err := replaceFile(filepath.Join(i.dir, identityFile), id+"\n"); err != nil {
		return fmt.Errorf("database %s is gone, but the node's id cannot be replaced: %w", lost, err)
	}
	i.log.Error("a database of this node is gone, or was damaged and LiteFS has removed it: the node has a new id and "+
		"has to catch up first; "+
		"if no other node has the data, put back a backup of it, or `blog accept-loss` begins with what there is",
		"database", lost, "was", i.current, "id", id)
	i.current, i.recorded = id, map[string]bool{}
	if i.handed {
		i.handed = false
		close(i.replaced)
	}
	return nil
}

// add puts a database into the record, down to the disk, unless it is there.
func (i *identity) add(name string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.recordLocked(name)
}

func (i *identity) recordLocked(name string) error {
	if i.recorded[name] {
		return nil
	}
	names := slices.Sorted(maps.Keys(i.recorded))
	text, err := json.Marshal(record{ID: i.current, Databases: append(names, name)})
	if err != nil {
		return fmt.Errorf("record of databases: %w", err)
	}
	if err := replaceFile(filepath.Join(i.dir, recordFile), string(text)+"\n"); err != nil {
		return fmt.Errorf("record of databases: %w", err)
	}
	i.recorded[name] = true
	return nil
}

// readRecord returns the databases that this id has had, none where there is no record of it.
func (i *identity) readRecord() ([]string, error) {
	path := filepath.Join(i.dir, recordFile)
	text, err := os.ReadFile(filepath.Clean(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("record of databases: %w", err)
	}
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%s is damaged: if %s is whole, remove that file; if not, remove %s and %s with it",
			path, filepath.Join(i.dir, "dbs"), filepath.Join(i.dir, identityFile), path)
	}
	if r.ID != i.current {
		return nil, nil
	}
	return r.Databases, nil
}

// databasesIn returns the databases in LiteFS's folder that have content, and those that were dropped: nothing of these
// is missing.
func databasesIn(dir string) (map[string]bool, error) {
	have := map[string]bool{}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return have, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find databases: %w", err)
	}
	for _, e := range entries {
		info, err := os.Stat(filepath.Join(dir, e.Name(), "database"))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			var gone bool
			gone, err = dropped(filepath.Join(dir, e.Name(), "ltx"))
			if err != nil {
				return nil, fmt.Errorf("find databases: %w", err)
			}
			if gone {
				have[e.Name()] = true
			}
		case err != nil:
			return nil, fmt.Errorf("find databases: %w", err)
		case !info.Mode().IsRegular():
			return nil, fmt.Errorf("find databases: %s is no file", filepath.Join(dir, e.Name(), "database"))
		case info.Size() > 0:
			have[e.Name()] = true
		}
	}
	return have, nil
}

// dropped reports whether the newest transaction in the folder of LTX files of a database leaves no page: LiteFS then
// removes the file of the database but not that transaction.
func dropped(dir string) (bool, error) {
	newest, err := newestTransaction(dir)
	if err != nil || newest.path == "" {
		return false, err
	}
	f, err := os.Open(filepath.Clean(newest.path))
	if err != nil {
		return false, err
	}
	header, _, err := ltx.DecodeHeader(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return false, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	return header.Commit == 0, nil
}

// recordingOS is LiteFS's operating system. It records a database when its first transaction gets its name, which is
// before anything reports the database.
type recordingOS struct {
	litefs.OS
	data *identity
}

// Rename implements litefs.OS. A transaction whose database cannot be recorded does not get its name.
func (o recordingOS) Rename(op, from, to string) error {
	if err := o.OS.Rename(op, from, to); err != nil || filepath.Ext(to) != ".ltx" {
		return err // unwrapped: LiteFS is who asks
	}
	err := o.data.add(filepath.Base(filepath.Dir(filepath.Dir(to)))) // dbs/NAME/ltx/FILE
	if err != nil {
		return errors.Join(err, o.OS.Rename(op, to, from))
	}
	return nil
}
