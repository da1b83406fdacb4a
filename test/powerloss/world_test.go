//go:build linux

package powerloss_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"blog/test/powerloss"
)

// disk is a Disk whose entries are named by paths.
type disk struct {
	t *testing.T
	*powerloss.Disk
	dir string
}

func mustOpen(t *testing.T, dir string, options powerloss.Options) *disk {
	t.Helper()
	d, err := powerloss.Open(dir, options)
	if err != nil {
		t.Fatal(err)
	}
	return &disk{t, d, dir}
}

func (d *disk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// at returns the entry at a path; "" is the root.
func (d *disk) at(name string) *powerloss.Inode {
	d.t.Helper()
	i := d.Root()
	if name == "" {
		return i
	}
	for base := range strings.SplitSeq(name, "/") {
		next, err := i.Lookup(base)
		d.must(err)
		i = next
	}
	return i
}

func (d *disk) parent(name string) (*powerloss.Inode, string) {
	d.t.Helper()
	dir, base := path.Split(name)
	return d.at(strings.TrimSuffix(dir, "/")), base
}

func (d *disk) create(name string) {
	d.t.Helper()
	dir, base := d.parent(name)
	_, err := dir.Create(base, 0o600, true)
	d.must(err)
}

func (d *disk) mkdir(name string) {
	d.t.Helper()
	dir, base := d.parent(name)
	_, err := dir.Mkdir(base, 0o700)
	d.must(err)
}

func (d *disk) write(name string, offset int64, text string) {
	d.t.Helper()
	d.must(d.at(name).WriteAt([]byte(text), offset))
}

// put makes a file with this text, and does not sync it.
func (d *disk) put(name, text string) {
	d.t.Helper()
	d.create(name)
	d.write(name, 0, text)
}

func (d *disk) truncate(name string, size int64) {
	d.t.Helper()
	d.must(d.at(name).Truncate(size))
}

func (d *disk) sync(name string) {
	d.t.Helper()
	d.must(d.at(name).Sync())
}

func (d *disk) remove(name string) {
	d.t.Helper()
	dir, base := d.parent(name)
	d.must(dir.Remove(base))
}

func (d *disk) rename(from, to string) {
	d.t.Helper()
	dir, base := d.parent(from)
	toDir, toBase := d.parent(to)
	d.must(dir.Rename(base, toDir, toBase))
}

func (d *disk) link(from, to string) {
	d.t.Helper()
	dir, base := d.parent(to)
	d.must(dir.Link(d.at(from), base))
}

// files returns what show does of each file that is durable, or of each that is not.
func (d *disk) files(durable bool) (all []string) {
	d.t.Helper()
	for _, entry := range entries(show(d.t, d.dir)) {
		name, _, file := strings.Cut(entry, "=")
		if !file {
			continue
		}
		if _, err := d.Durable(name); err != nil && !errors.Is(err, powerloss.ErrUnsynced) {
			d.t.Errorf("%s: %v", name, err)
		} else if (err == nil) == durable {
			all = append(all, entry)
		}
	}
	return all
}

// page is a page full of one letter.
func page(letter string) string { return strings.Repeat(letter, 4096) }

// show returns what is in the folder of a disk, in one line: the text of files, with runs of more
// than 16 equal bytes as their letter and length (0 for NUL), and folders with a slash.
func show(t *testing.T, dir string) string {
	t.Helper()
	root := filepath.Join(dir, "live")
	var all []string
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil || name == root {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if e.IsDir() {
			all = append(all, rel+"/")
			return nil
		}
		text, err := os.ReadFile(name) // #nosec G122 -- nobody else is in there
		all = append(all, rel+"="+shorten(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

func shorten(text []byte) string {
	var out strings.Builder
	for len(text) > 0 {
		run := 1
		for run < len(text) && text[run] == text[0] {
			run++
		}
		letter := string(text[:1])
		if text[0] == 0 {
			letter = "0"
		}
		if run > 16 {
			fmt.Fprintf(&out, "%s%d ", letter, run)
		} else {
			out.WriteString(strings.Repeat(letter, run))
		}
		text = text[run:]
	}
	return strings.TrimSpace(out.String())
}

// entries are the files and folders of what show returns.
func entries(shown string) (all []string) {
	for part := range strings.SplitSeq(shown, " ") {
		if last := len(all) - 1; last >= 0 && !strings.Contains(part, "=") && !strings.HasSuffix(part, "/") {
			all[last] += " " + part // another run of the file's bytes
		} else {
			all = append(all, part)
		}
	}
	return all
}

// seeds is how many losses a rule is tried with. Each outcome of the rules has a chance of some percent.
const seeds = 200

// mustFolder makes a folder, in memory if possible, because the tests make thousands of disks.
func mustFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "powerloss-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// outcomes returns what is left after losses of many seeds, each different one once, in order, and the files that the
// disk says are durable before them, or are not. before is durable.
func outcomes(
	t *testing.T, options powerloss.Options, before, do func(d *disk),
) (all, durable, unsynced []string) {
	t.Helper()
	seen := map[string]bool{}
	parent := mustFolder(t)
	for seed := range uint64(seeds) {
		dir := filepath.Join(parent, strconv.FormatUint(seed, 10))
		if before != nil {
			before(mustOpen(t, dir, powerloss.Options{})) // closed without a loss
		}
		d := mustOpen(t, dir, options)
		do(d)
		if seed == 0 { // it is the same with each
			durable, unsynced = d.files(true), d.files(false)
		}
		_, err := d.Lose(seed)
		d.must(err)
		seen[show(t, dir)] = true
	}
	for outcome := range seen {
		all = append(all, outcome)
	}
	slices.Sort(all)
	return all, durable, unsynced
}
