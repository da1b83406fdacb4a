//go:build linux

package powerloss_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// model knows what may survive, in the simplest way: it has every tree and every text that there
// was. It is written from the documentation of the package and not from its code.
type model struct {
	t      *testing.T
	trees  []map[string]int // by path, after each number of changes, oldest first
	bound  int              // how many changes are durable
	folder map[int]bool     // by id
	synced map[int]int      // by id: how many changes a sync of it makes durable
	data   map[int]int      // the same for fdatasync
	texts  map[int][]string // by id, of a file: its text at the last sync, and all texts since
	number map[uint64]int   // ids by number of the inode
	next   int
}

const root = 0

func newModel(t *testing.T) *model {
	t.Helper()
	return &model{
		t: t, trees: []map[string]int{{"": root}}, folder: map[int]bool{root: true},
		synced: map[int]int{}, data: map[int]int{}, texts: map[int][]string{}, number: map[uint64]int{}, next: root + 1,
	}
}

// tree returns what a program sees.
func (m *model) tree() map[string]int { return m.trees[len(m.trees)-1] }

// text returns what a program reads.
func (m *model) text(id int) string { return m.texts[id][len(m.texts[id])-1] }

// change logs another tree, made by a change of these ids.
func (m *model) change(tree map[string]int, ids ...int) {
	m.trees = append(m.trees, tree)
	for _, id := range ids {
		m.synced[id] = len(m.trees) - 1
	}
}

func parentOf(name string) string { return strings.TrimSuffix(path.Dir("/" + name)[1:], "/") }

// add adds a file or a folder with this number.
func (m *model) add(name string, folder bool, number uint64) {
	id := m.next
	m.next++
	tree := maps.Clone(m.tree())
	tree[name] = id
	m.number[number], m.folder[id] = id, folder
	if !folder {
		m.texts[id] = []string{""}
	}
	m.change(tree, tree[parentOf(name)], id)
	m.data[id] = m.synced[id]
}

func (m *model) link(from, to string) {
	tree := maps.Clone(m.tree())
	tree[to] = tree[from]
	m.change(tree, tree[parentOf(to)], tree[to])
}

func (m *model) remove(name string) {
	tree := maps.Clone(m.tree())
	id := tree[name]
	delete(tree, name)
	m.change(tree, tree[parentOf(name)], id)
}

func (m *model) rename(from, to string) {
	tree := maps.Clone(m.tree())
	changed := []int{tree[parentOf(from)], tree[parentOf(to)], tree[from]}
	if replaced, ok := tree[to]; ok {
		if replaced == tree[from] {
			return
		}
		changed = append(changed, replaced)
	}
	delete(tree, to)
	for name, id := range m.tree() {
		if name == from || strings.HasPrefix(name, from+"/") {
			delete(tree, name)
			tree[to+strings.TrimPrefix(name, from)] = id
		}
	}
	m.change(tree, changed...)
}

func (m *model) write(name string, offset int, text string) {
	id := m.tree()[name]
	all := []byte(m.text(id))
	if end := offset + len(text); end > len(all) {
		all = append(all, make([]byte, end-len(all))...)
	}
	copy(all[offset:], text)
	m.texts[id] = append(m.texts[id], string(all))
}

func (m *model) truncate(name string, size int) {
	id := m.tree()[name]
	cut := map[string]bool{} // the program's own text comes last, whatever the disk has
	for _, text := range m.texts[id] {
		cut[string(append([]byte(text), make([]byte, size)...)[:size])] = true
	}
	live := string(append([]byte(m.text(id)), make([]byte, size)...)[:size])
	delete(cut, live)
	m.texts[id] = append(m.texts[id], append(slices.Sorted(maps.Keys(cut)), live)...)
	m.change(m.tree(), id)
	m.data[id] = m.synced[id]
}

func (m *model) sync(name string, changes map[int]int) {
	id := m.tree()[name]
	m.bound = max(m.bound, changes[id])
	if !m.folder[id] {
		m.texts[id] = []string{m.text(id)}
	}
}

// empty reports whether a folder is empty.
func (m *model) empty(name string) bool {
	for other := range m.tree() {
		if strings.HasPrefix(other, name+"/") {
			return false
		}
	}
	return true
}

// check compares what is left in a disk's folder with the model, and makes that the model.
func (m *model) check(dir string) {
	m.t.Helper()
	left, texts := m.read(filepath.Join(dir, "live"))
	shape := func(tree map[string]int) map[string]int { // a folder that has come back is another inode
		tree = maps.Clone(tree)
		for name, id := range tree {
			if m.folder[id] {
				tree[name] = root
			}
		}
		return tree
	}
	if !slices.ContainsFunc(m.trees[m.bound:], func(tree map[string]int) bool { return maps.Equal(shape(tree), left) }) {
		m.t.Errorf("names: %v\nare none of", left)
		for k, tree := range m.trees[m.bound:] {
			m.t.Errorf("after %d changes: %v", m.bound+k, shape(tree))
		}
	}
	for name, text := range texts {
		if err := allowed(text, m.texts[left[name]]); err != nil {
			m.t.Errorf("%s: %v", name, err)
		}
	}
	after := newModel(m.t)
	after.next = m.next
	after.trees[0] = left
	for name, id := range left {
		if text, ok := texts[name]; ok {
			after.texts[id] = []string{text}
			continue
		}
		if name != "" { // a new id, because it is another inode
			left[name] = after.next
			after.next++
		}
		after.folder[left[name]] = true
	}
	after.number = m.number
	*m = *after
}

// read returns the names in a folder, with 0 for folders, and the files' texts.
func (m *model) read(dir string) (names map[string]int, texts map[string]string) {
	m.t.Helper()
	names, texts = map[string]int{}, map[string]string{}
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(strings.TrimPrefix(name, dir), "/")
		names[rel] = root
		if e.IsDir() {
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		id, ok := m.number[info.Sys().(*syscall.Stat_t).Ino]
		if !ok {
			return fmt.Errorf("%s: nobody made it", rel)
		}
		names[rel] = id
		text, err := os.ReadFile(name) // #nosec G122 -- nobody else is in there
		texts[rel] = string(text)
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return names, texts
}

// allowed returns why text cannot be left of a file that had these texts since its sync, or nil.
func allowed(text string, texts []string) error {
	if len(texts) == 1 && text != texts[0] {
		return fmt.Errorf("it was synced, and is another: %s, want %s", shorten([]byte(text)), shorten([]byte(texts[0])))
	}
	longest, length := 0, false
	for _, t := range texts {
		longest = max(longest, len(t))
		length = length || len(t) == len(text)
	}
	if !length && (len(text)%4096 != 0 || len(text) > longest) {
		return fmt.Errorf("it has %d bytes", len(text))
	}
	for at := 0; at < len(text); at += 512 {
		sector := []byte(text[at:min(at+512, len(text))])
		if !slices.ContainsFunc(texts, func(t string) bool {
			was := make([]byte, len(sector))
			if at < len(t) {
				copy(was, t[at:])
			}
			return bytes.Equal(was, sector)
		}) {
			return fmt.Errorf("the sector at %d, %s, was never there", at, shorten(sector))
		}
	}
	return nil
}
