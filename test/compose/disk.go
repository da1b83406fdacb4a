package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/superfly/ltx"

	"blog/internal/repo"
)

// Disks compares a sample of the acknowledgements that rest on two nodes with the disks of the candidates, which are
// these two nodes, when the answer arrives. Both disks must have the same transaction, each in an LTX file that is
// whole and synced.
type Disks struct {
	Nodes []*Node
	// Durable fails unless a file of a node would have outlasted a loss of power at a moment; nil asks the volume of the
	// node.
	Durable func(ctx context.Context, n *Node, path string, then time.Time) error

	mu       sync.Mutex
	answers  int
	compared int
	wrong    []string
}

// sampleEvery says that one of so many acknowledgements is compared.
const sampleEvery = 10

// acknowledged compares an answer with the disks, if it is in the sample.
func (d *Disks) acknowledged(ctx context.Context, a Ask, t Answer) {
	answered := time.Now()
	d.mu.Lock()
	d.answers++
	sampled := t.Assurance == repo.Two && !t.Replayed && !t.Unchanged && d.answers%sampleEvery == 0
	d.mu.Unlock()
	cursor, err := repo.ParseCursor(t.Cursor)
	if !sampled || err != nil || cursor.Zero() { // an upload's answer has no cursor
		return
	}
	before := d.wipes()
	err = d.Compare(ctx, cursor, answered)
	if d.wipes() != before {
		return // a disk was emptied meanwhile
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.compared++
	if err != nil {
		d.wrong = append(d.wrong, fmt.Sprintf("[%s] key %s, told on %s as row %s on two nodes: %v", a.Fault, a.Key, a.Node,
			t.Cursor, err))
	}
}

// wipes returns how often a disk was emptied.
func (d *Disks) wipes() (n int64) {
	for _, node := range d.Nodes {
		n += node.wiped.Load()
	}
	return n
}

// Seen returns how many acknowledgements were compared, and how many there were in all.
func (d *Disks) Seen() (compared, answers int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.compared, d.answers
}

// Err returns an error with all that was wrong so far.
func (d *Disks) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return problems("disks", slices.Clone(d.wrong))
}

// Compare checks that the disks of all nodes have the same transaction with a row, and had it synced when the answer
// was given.
func (d *Disks) Compare(ctx context.Context, row repo.Cursor, answered time.Time) error {
	var errs []error
	first := ltx.Pos{}
	for _, n := range d.Nodes {
		pos, err := d.findDurable(ctx, n, row.Mark, answered)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("%s: %w", n.Name, err))
		case first.IsZero():
			first = pos
		case pos.TXID == first.TXID && pos != first:
			errs = append(errs, fmt.Errorf("%s has it at %s, %s at %s", d.Nodes[0].Name, first, n.Name, pos))
		}
	}
	return errors.Join(errs...)
}

// findDurable is findTransaction, and fails as well when the transaction was not synced at the moment of the answer. It
// reads again when a file was removed or replaced meanwhile, and waits for a disk that loses its power just now.
func (d *Disks) findDurable(ctx context.Context, n *Node, mark repo.Mark, answered time.Time) (ltx.Pos, error) {
	n.power.RLock()
	defer n.power.RUnlock()
	isDurable := d.Durable
	if isDurable == nil {
		isDurable = durable
	}
	const tries = 3
	for try := 1; ; try++ {
		path, pos, isFirst, err := n.findTransaction(mark)
		if err == nil {
			then := answered
			if !isFirst { // an older one may be the row's own, so this one may be later than the answer
				then = time.Now()
			}
			if err = isDurable(ctx, n, path, then); err != nil {
				err = fmt.Errorf("%s: %w", filepath.Base(path), err)
			}
		}
		if try == tries || !errors.Is(err, fs.ErrNotExist) {
			return pos, err
		}
	}
}

// newestFiles is in how many files a transaction is searched. Few can have followed since the answer.
const newestFiles = 60

// findTransaction returns the oldest of the node's newest files that has a page with the mark, and the position after
// that file. It reads from the newest file to the oldest, at most up to a file that the test deleted. Each file must be
// whole, and begin at the position at which the one before it ends. On a node that has received a snapshot the file is
// the snapshot. It reports as well whether that is the first transaction with the mark for certain: the file before it
// was read, and has none. It fails with fs.ErrNotExist when a file is removed meanwhile.
func (n *Node) findTransaction(mark repo.Mark) (path string, pos ltx.Pos, isFirst bool, err error) {
	dir := filepath.Join(n.files(), "dbs", "blog.db", "ltx")
	entries, err := os.ReadDir(dir) // sorted, and so by transaction
	if err != nil {
		return "", pos, false, err
	}
	var after ltx.Header // the header of the file that was read before, which is the next newer one
	slices.Reverse(entries)
	read := 0
	for _, e := range entries {
		if _, _, err := ltx.ParseFilename(e.Name()); err != nil || read == newestFiles {
			continue // a file that is being written, for one
		}
		if _, deleted := n.forgotten.Load(after.MinTXID - 1); deleted {
			break
		}
		read++
		file := filepath.Join(dir, e.Name())
		header, end, has, err := readTransaction(file, mark)
		switch {
		case err != nil:
			return "", pos, false, fmt.Errorf("%s: %w", e.Name(), err)
		case !after.IsSnapshot() && after.MinTXID != 0 && end != after.PreApplyPos():
			return "", pos, false, fmt.Errorf("%s ends at %s, and the one after it begins at %s", e.Name(), end,
				after.PreApplyPos())
		case has: // newer files may have the mark as well, since a page has more than one row
			path, pos = file, end
		}
		after, isFirst = header, path != "" && !has
	}
	if path == "" {
		return "", pos, false, fmt.Errorf("none of the newest %d files has the row", read)
	}
	return path, pos, isFirst, nil
}

// readTransaction reads a whole LTX file. It returns its header, the position after it, and whether one of its pages
// has the mark. It fails when the checksum or the name is wrong.
func readTransaction(path string, mark repo.Mark) (header ltx.Header, end ltx.Pos, has bool, err error) {
	data, err := os.ReadFile(path) // #nosec G304 -- of a test's own folder
	if err != nil {
		return header, end, false, err
	}
	dec := ltx.NewDecoder(bytes.NewReader(data))
	if err := dec.DecodeHeader(); err != nil {
		return header, end, false, err
	}
	header = dec.Header()
	page := make([]byte, header.PageSize)
	for {
		var p ltx.PageHeader
		if err := dec.DecodePage(&p, page); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return header, end, false, err
		}
		has = has || bytes.Contains(page, mark[:])
	}
	if err := dec.Close(); err != nil {
		return header, end, false, err
	}
	if name := ltx.FormatFilename(header.MinTXID, header.MaxTXID); name != filepath.Base(path) {
		return header, end, false, fmt.Errorf("its header says that it is %s", name)
	}
	return header, dec.PostApplyPos(), has, nil
}
