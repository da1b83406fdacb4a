//go:build linux

package powerloss

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The folders in a Disk's folder: what programs see, and removed files that may come back.
const (
	liveFolder    = "live"
	removedFolder = "removed"
)

// Options changes the rules, for tests that have to fail then.
type Options struct {
	// IgnoreSync makes a sync report success without making anything durable.
	IgnoreSync bool
}

// Disk is a folder that can lose what was not synced. Its methods and those of its inodes may be
// called at the same time.
type Disk struct {
	dir     string
	options Options

	mu        sync.Mutex
	inodes    map[uint64]*Inode
	root      *Inode
	journal   []change // changes that may be lost, oldest first
	committed int      // how many changes before those are durable
	countdown int      // changes that are left until the disk freezes; 0 means that it does not
	frozen    chan struct{}
	isFrozen  bool          // frozen is closed, and operations wait
	thawed    chan struct{} // closed when they go on; another one each time the disk freezes
	over      chan struct{}
	isOver    bool // over is closed
}

// change is a change of names, or a truncation, that is not durable yet.
type change struct {
	undo    func() error // takes it back; nil for a truncation, which the file's content has
	durable func() error // is called when it cannot be lost any more; may be nil
	entry   *Inode       // whose name or length it changes
	gives   name         // the name that entry has by it, if it gives one
}

// Loss says what Lose found and undid.
type Loss struct {
	Seed        uint64 `json:"seed"`
	Changes     int    `json:"changes"` // of names and lengths, not durable
	ChangesLost int    `json:"changesLost"`
	Writes      int    `json:"writes"` // of pages, not synced
	WritesLost  int    `json:"writesLost"`
	Files       int    `json:"files"` // with such writes or truncations
}

// String is the loss in JSON.
func (l Loss) String() string {
	text, _ := json.Marshal(l) // of numbers
	return string(text)
}

// Open makes a Disk of the folder dir. What is there already is durable.
func Open(dir string, options Options) (*Disk, error) {
	d := &Disk{
		dir: dir, options: options, inodes: map[uint64]*Inode{}, frozen: make(chan struct{}), over: make(chan struct{}),
	}
	const mode = 0o755
	err := errors.Join(os.RemoveAll(d.removed()), os.MkdirAll(d.removed(), mode), os.MkdirAll(d.live(), mode))
	if err != nil {
		return nil, fmt.Errorf("make the folders of a disk: %w", err)
	}
	info, err := os.Lstat(d.live())
	if err != nil {
		return nil, fmt.Errorf("open a disk: %w", err)
	}
	d.root = d.inode(info)
	return d, nil
}

func (d *Disk) live() string    { return filepath.Join(d.dir, liveFolder) }
func (d *Disk) removed() string { return filepath.Join(d.dir, removedFolder) }

// Root returns the topmost folder.
func (d *Disk) Root() *Inode { return d.root }

// Freeze makes every operation wait, until Lose or Thaw, once after more operations have changed something
// on the disk: at once when after is 0. It returns a channel that is closed then. Operations that
// have returned before have happened.
func (d *Disk) Freeze(after int) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.countdown = after
	if after <= 0 {
		d.freezeLocked()
	}
	return d.frozen
}

func (d *Disk) freezeLocked() {
	if !d.isFrozen {
		d.isFrozen, d.thawed = true, make(chan struct{})
		close(d.frozen)
	}
}

// Thaw lets the operations that wait since Freeze go on, as a disk does that has hung. It does nothing where the disk
// is not frozen, or has lost.
func (d *Disk) Thaw() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.countdown = 0
	if d.isFrozen && !d.isOver {
		d.isFrozen, d.frozen = false, make(chan struct{})
		close(d.thawed)
	}
}

// enter begins an operation with d.mu held. It fails after a loss, when the machine is off.
func (d *Disk) enter() error {
	for {
		d.mu.Lock()
		if !d.isFrozen {
			return nil
		}
		thawed := d.thawed
		d.mu.Unlock()
		select {
		case <-thawed:
		case <-d.over:
			return syscall.EIO
		}
	}
}

// enterChange is enter for an operation that changes something, or syncs.
func (d *Disk) enterChange() error {
	err := d.enter()
	if err != nil || d.countdown == 0 {
		return err
	}
	if d.countdown--; d.countdown == 0 {
		d.freezeLocked() // after this one
	}
	return nil
}

// Lose undoes what was not synced, by the rules and by seed, and ends the disk: operations fail
// from then on, and so do those that wait since Freeze. Open begins again with what is left.
func (d *Disk) Lose(seed uint64) (Loss, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.isOver {
		return Loss{}, errors.New("the disk has lost already")
	}
	d.freezeLocked()
	d.isOver = true
	defer close(d.over)
	draw := rand.New(rand.NewPCG(seed, seed))
	loss := Loss{Seed: seed, Changes: len(d.journal)}
	surviving := d.drawChanges(draw)
	loss.ChangesLost = len(d.journal) - surviving
	for _, number := range d.numbers() {
		if err := d.inodes[number].lose(draw, d.committed+surviving, &loss); err != nil {
			return loss, err
		}
	}
	for i := len(d.journal) - 1; i >= surviving; i-- {
		if undo := d.journal[i].undo; undo != nil {
			if err := undo(); err != nil {
				return loss, fmt.Errorf("take back a change: %w", err)
			}
		}
	}
	for _, i := range d.inodes {
		if i.file != nil {
			_ = i.file.Close() // nothing is buffered
		}
	}
	return loss, os.RemoveAll(d.removed())
}

// drawChanges returns how many of the journal's changes survive. None and all are as likely as
// everything between.
func (d *Disk) drawChanges(draw *rand.Rand) int {
	switch draw.IntN(3) {
	case 0:
		return 0
	case 1:
		return len(d.journal)
	}
	return draw.IntN(len(d.journal) + 1)
}

// next returns the number of the next change, counted from the beginning.
func (d *Disk) next() int { return d.committed + len(d.journal) }

// commit makes the changes before number durable.
func (d *Disk) commit(number int) error {
	var errs []error
	for d.committed < number {
		done := d.journal[0]
		done.entry.noteDurable(done, d.committed+1)
		if done.durable != nil {
			errs = append(errs, done.durable())
		}
		d.journal = d.journal[1:]
		d.committed++
	}
	return errors.Join(errs...)
}

// noteDurable notes the moment at which a change of the inode became durable. Of a change of names it is the name's
// alone: other names that come and go, as an image's links to LTX files do, leave the file as durable as it was.
func (i *Inode) noteDurable(c change, number int) {
	if c.undo == nil { // its length
		i.durableSince = time.Now()
	} else if n := i.names[c.gives]; n.changes == number {
		n.since = time.Now()
		i.names[c.gives] = n
	}
}

// log appends a change of an entry's name or length, which is one of its folders and of what it replaces as well.
func (d *Disk) log(c change, entry *Inode, others ...*Inode) {
	c.entry = entry
	d.journal = append(d.journal, c)
	for _, i := range append(others, entry) {
		i.changed = d.next()
	}
}

// ErrUnsynced is the error of Durable where the file could be lost.
var ErrUnsynced = errors.New("is not synced")

// Durable returns since when a loss would leave the file at path, under the root, as it is now and under this name: the
// zero time where that was so when the disk was opened. It fails with ErrUnsynced where a loss may take something of
// the file, or its name, and with fs.ErrNotExist. A disk that is frozen answers, one that has lost does not.
func (d *Disk) Durable(path string) (since time.Time, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.isOver {
		return since, errors.New("the disk has lost already")
	}
	i := d.root
	for base := range strings.SplitSeq(path, "/") {
		n := name{i, base}
		if i, err = i.lookup(base); err != nil {
			return since, err
		}
		if i.names[n].changes > d.committed {
			return since, fmt.Errorf("the name %s %w", base, ErrUnsynced)
		}
		for _, moment := range []time.Time{i.durableSince, i.names[n].since} {
			if moment.After(since) {
				since = moment
			}
		}
	}
	if i.content.dirty() {
		return since, fmt.Errorf("what was written to it %w", ErrUnsynced)
	}
	return since, nil
}

// save gives a file that is about to lose a name one that the disk can bring it back from, once for each loss.
func (d *Disk) save(i *Inode, path string) error {
	if i.saved == 0 {
		if err := os.Link(path, d.savedPath(i)); err != nil {
			return err
		}
	}
	i.saved++
	return nil
}

// forgo removes the name that save has given.
func (d *Disk) forgo(i *Inode) error {
	i.saved--
	if i.saved > 0 {
		return nil
	}
	return errors.Join(os.Remove(d.savedPath(i)), i.release())
}

func (d *Disk) savedPath(i *Inode) string {
	return filepath.Join(d.removed(), strconv.FormatUint(i.number, 10))
}

// inode returns the only inode of a file or a folder.
func (d *Disk) inode(info fs.FileInfo) *Inode {
	number := numberOf(info)
	if i, ok := d.inodes[number]; ok {
		return i
	}
	i := &Inode{disk: d, number: number, folder: info.IsDir(), names: map[name]named{}}
	d.inodes[number] = i
	return i
}

func numberOf(info fs.FileInfo) uint64 {
	stat, _ := info.Sys().(*syscall.Stat_t) // always, on Linux
	return stat.Ino
}
